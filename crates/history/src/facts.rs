//! What facts are made of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    At, Conn, Fingerprint, Interval, Op, Parts, Replica, Room, Round, Serial, Session, Tenant, User,
};

/// Most users of a run: a canary names its owner in 20 bits. A header that claims more is not believed.
pub const USERS_MAX: u32 = 1 << 20;

/// What a reader must know before the first fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Version of this vocabulary.
    pub version: u16,
    /// Number of the run, 25 bits, in every canary.
    pub run: u32,
    /// Seed of the plan.
    pub seed: u64,
    /// Milliseconds since the Unix epoch at [`At::START`].
    pub started_unix_ms: u64,
    /// Name of the target profile.
    pub target: String,
    /// Users that the plan asked for, at most [`USERS_MAX`].
    pub users: u32,
    /// Tenants.
    pub tenants: u32,
    /// Rounds of measured phases.
    pub rounds: u16,
    /// Planes that were selected: isolation, performance, dbpool.
    pub planes: Vec<String>,
    /// Thresholds in force, as written, floors first.
    pub gates: Vec<String>,
    /// Checks that the target cannot have, with its reason.
    pub not_applicable: Vec<(Check, String)>,
    /// What cannot be looked into at this target, with the reason: verdicts claim the less.
    pub unseen: Vec<(Unseen, String)>,
    /// Milliseconds that the target may take to act on a logout, a revocation or an expiry.
    pub revocation_grace_ms: u64,
    /// Whether inbound channels are declared text, so that undecodable bytes make verdicts unknown.
    pub text_channels: bool,
    /// What a user's service-made ids and e-mail may be seen by.
    pub identity_audience: Audience,
    /// The command that repeats the run.
    pub repeat: String,
    /// What the report must say of the set-up: reduced password cost, durability and the like.
    pub notes: Vec<String>,
}

/// What a target may keep from being looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unseen {
    /// There is no database that could be read.
    Database,
    /// Ids of threads are not found in bytes: they are too short, or not unique.
    ThreadIds,
    /// Ids of users are not.
    UserIds,
}

/// Who may see a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Audience {
    /// Its owner alone.
    Owner,
    /// The members of a room while they are members.
    Room(Room),
    /// Every user of a tenant.
    Tenant(Tenant),
    /// Every user of the owner's tenant (in policies, where no tenant is at hand).
    OwnTenant,
}

/// The six checks, with the letters that reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Check {
    /// T: thread conflict.
    Thread,
    /// K: token isolation.
    Token,
    /// S: secret contamination.
    Secret,
    /// R: response crossing.
    Response,
    /// U: user-id leakage.
    UserId,
    /// B: session boundary.
    Boundary,
}

impl Check {
    /// All six, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Thread,
        Self::Token,
        Self::Secret,
        Self::Response,
        Self::UserId,
        Self::Boundary,
    ];

    /// T, K, S, R, U or B.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Thread => 'T',
            Self::Token => 'K',
            Self::Secret => 'S',
            Self::Response => 'R',
            Self::UserId => 'U',
            Self::Boundary => 'B',
        }
    }

    /// What reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread conflict",
            Self::Token => "token isolation",
            Self::Secret => "secret contamination",
            Self::Response => "response crossing",
            Self::UserId => "user-id leakage",
            Self::Boundary => "session boundary",
        }
    }
}

/// See [`crate::Fact::Account`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account<'a> {
    /// The virtual user.
    pub user: User,
    /// Its tenant.
    pub tenant: Tenant,
    /// The service's id of the user.
    #[serde(borrow)]
    pub user_id: Cow<'a, str>,
    /// The service's id of the tenant.
    #[serde(borrow)]
    pub tenant_id: Cow<'a, str>,
    /// The e-mail it registered with (its local part holds a short canary).
    #[serde(borrow)]
    pub email: Cow<'a, str>,
}

/// See [`crate::Fact::RoomIssued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomIssued<'a> {
    /// The plan's room.
    pub room: Room,
    /// Its tenant.
    pub tenant: Tenant,
    /// Who created it.
    pub owner: User,
    /// The service's id.
    #[serde(borrow)]
    pub room_id: Cow<'a, str>,
}

/// See [`crate::Fact::ThreadIssued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadIssued<'a> {
    /// The attempt that created it.
    pub op: Op,
    /// Over this connection.
    pub conn: Conn,
    /// Who asked for it.
    pub owner: User,
    /// The service's id.
    #[serde(borrow)]
    pub thread_id: Cow<'a, str>,
    /// From the request to the id's arrival.
    pub during: Interval,
}

/// See [`crate::Fact::Token`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Whose.
    pub user: User,
    /// Of which login.
    pub session: Session,
    /// Access or refresh.
    pub kind: TokenKind,
    /// Of the whole token.
    pub whole: Fingerprint,
    /// Of the token id (`jti`), if it has one.
    pub token_id: Option<Fingerprint>,
    /// Of the 16-byte pieces at stride 16 of the part that is this token's own: a JWT's signature, the whole of an
    /// opaque token.
    pub pieces: Vec<Fingerprint>,
    /// From the request to the token's arrival.
    pub during: Interval,
}

/// Kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TokenKind {
    /// Presented with each request or upgrade.
    Access,
    /// Exchanged for new tokens.
    Refresh,
}

/// See [`crate::Fact::Identified`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identified<'a> {
    /// Who logged in.
    pub user: User,
    /// The session whose token was presented.
    pub session: Session,
    /// Over this connection.
    pub conn: Conn,
    /// At this process.
    pub replica: Replica,
    /// The user id that the service named.
    #[serde(borrow)]
    pub seen: Cow<'a, str>,
    /// From request to answer.
    pub during: Interval,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BoundaryKind {
    /// The user logged out.
    Logout,
    /// The access token expired.
    Expiry,
    /// The service revoked it (say, after reuse of a refresh token).
    Revocation,
}

/// What runs over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChannelKind {
    /// WebSocket.
    WebSocket,
    /// HTTP requests.
    Http,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CloseCause {
    /// The plan closed it.
    ByPlan,
    /// The service closed it with a close frame.
    ByService,
    /// The stream ended or broke without a close frame.
    Lost,
    /// The harness gave up on it (a limit, a protocol error).
    ByLimit,
}

/// What an op is for: the harness knows roles, the target's profile knows names and frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Role {
    Register,
    Login,
    Refresh,
    Logout,
    Me,
    WhoAmI,
    CreateThread,
    ListThreads,
    FindThread,
    ReadThread,
    Post,
    Cancel,
    CreateRoom,
    ListRooms,
    JoinRoom,
    LeaveRoom,
    PostRoom,
    ReadRoom,
    Subscribe,
    Presence,
    Typing,
    LookUp,
    Resume,
    Other,
}

/// See [`crate::Fact::Invoked`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invoked<'a> {
    /// The attempt.
    pub op: Op,
    /// Over this connection.
    pub conn: Conn,
    /// By this user.
    pub user: User,
    /// What it is for.
    pub role: Role,
    /// The request id on the wire; the same ids are in use on other connections.
    #[serde(borrow)]
    pub request: Cow<'a, str>,
    /// When the schedule wanted it to begin: latency counts from here (coordinated omission).
    pub intended: At,
    /// The phase.
    pub phase: u16,
    /// The round.
    pub round: Round,
    /// Serial of the canary in the request that the reply must derive from.
    pub nonce: Option<Serial>,
    /// Serial of the canary in the request whose acknowledgement promises that it is stored.
    pub stores: Option<Serial>,
    /// Ids of others, or of one's own, that the request names: reflected, they are no evidence on this connection.
    pub names: Vec<Fingerprint>,
    /// Whether a probe made it: not counted for performance, nor as a legitimate read.
    pub probe: bool,
}

/// How an attempt ended, in Jepsen's terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The service said that it is done (for [`Role::Post`], all of the reply has come).
    Ok,
    /// The service said that it is not done; the code it gave.
    Fail(String),
    /// Nobody knows: no answer in time, or the connection went.
    Info(String),
}

/// See [`crate::Fact::Inbound`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound<'a> {
    /// Over this connection.
    pub conn: Conn,
    /// What the bytes are.
    pub source: Source,
    /// The bytes as they came; own tokens in login answers are replaced by `<token>` before they get here.
    #[serde(borrow, with = "serde_bytes")]
    pub bytes: Cow<'a, [u8]>,
    /// What the codec made of them, in order.
    #[serde(borrow)]
    pub parts: Parts<'a>,
}

/// Which kind of bytes came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// What had come of a message when the connection died.
    Partial,
    /// The reason of a close frame, or a ping's or pong's payload.
    Control,
    /// Header lines of an HTTP answer or an upgrade's answer.
    Headers,
    /// An HTTP body.
    Body,
    /// A binary message that was read field by field: numbers, text, and bytes that are declared not to be text.
    Fields,
}

/// Steps of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Acknowledged: what was asked is stored, more comes.
    Ack,
    /// A piece of a streamed answer.
    Delta,
    /// The last of the answer: success.
    Done,
    /// The last of the answer: an error.
    Error,
}

/// See [`crate::Fact::Probe`]. A probe asks for something that must be denied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe<'a> {
    /// The check it belongs to.
    pub check: Check,
    /// Its name: what was tried.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Who tried; whoever it happened to, where that cannot be told.
    pub attacker: User,
    /// Against whom; `None` if against the service as such.
    pub victim: Option<User>,
    /// Where.
    pub replica: Replica,
    /// Over this connection, if there was one.
    pub conn: Option<Conn>,
    /// Whether the same on one's own object was accepted before.
    pub control_before: bool,
    /// Whether it was accepted after.
    pub control_after: bool,
    /// What became of the attack.
    pub result: ProbeResult,
    /// What was seen, in words: the answer's code, the status, the silence.
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
    /// From the attack's begin to the end of the last wait.
    pub during: Interval,
}

/// What became of a probe's attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProbeResult {
    /// The service did it.
    Accepted,
    /// The service said no.
    Refused,
    /// The service said nothing, and a fence or a sentinel shows that it would have by then.
    Silent,
    /// The probe could not be carried out or its fence was lost.
    Lost,
}

/// See [`crate::Fact::AuditRow`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRow<'a> {
    /// What it is: message, room message, thread.
    #[serde(borrow)]
    pub table: Cow<'a, str>,
    /// The thread's or room's id.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// The user id that owns the thread; `None` for a room.
    #[serde(borrow)]
    pub owner: Option<Cow<'a, str>>,
    /// The user id that the row names as author.
    #[serde(borrow)]
    pub author: Cow<'a, str>,
    /// The tenant id of the row.
    #[serde(borrow)]
    pub tenant: Cow<'a, str>,
    /// Who wrote it: a user's own words are `false`; a reply that the service derived is `true`.
    pub derived: bool,
    /// The content.
    #[serde(borrow, with = "serde_bytes")]
    pub body: Cow<'a, [u8]>,
}

/// See [`crate::Fact::Pool`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolFigures {
    /// Which pool: `deadpool-postgres`, `sqlx`, `gateway-0`.
    pub label: String,
    /// Whether the harness's own stress made the figures (gated), or a service's own pool exported them.
    pub stress: bool,
    /// Connections at most.
    pub size: u32,
    /// Most operations that wanted or held a connection at once.
    pub in_flight_max: u32,
    /// Operations that were done and whose rows read back equal.
    pub ok: u64,
    /// Operations that failed, timeouts among them.
    pub failed: u64,
    /// Checkouts that timed out.
    pub timeouts: u64,
    /// Checkout wait in microseconds: p50, p99, max; `None` without a checkout.
    pub wait_us: Option<[u64; 3]>,
    /// Hold in microseconds: p50, p99, max; `None` without a checkout.
    pub hold_us: Option<[u64; 3]>,
    /// Connection-microseconds used.
    pub used_us: u64,
    /// Connection-microseconds available: size times wall time.
    pub available_us: u64,
    /// Checkouts examined for what the last borrower left.
    pub hygiene_checked: u64,
    /// What was found, in words; each is a violation.
    pub hygiene_findings: Vec<String>,
}
