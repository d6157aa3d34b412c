//! What stands in a profile's TOML: the types that it is read into, and that its JSON Schema is made of. Every comment here is
//! what an editor shows.

mod binary;
mod framing;
mod http;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ops::Ops;
use super::placed::Placed;
pub(super) use binary::*;
pub(super) use framing::*;
pub(super) use http::*;

/// Text that may be wrong in itself, so that it has to be known where it stands.
pub(super) type Text = Placed<String>;
/// What stands where in an answer: from what it is to where, as a JSON pointer (RFC 6901; `-1` names an array's last element).
pub(super) type Holds = BTreeMap<Text, Text>;

/// A target profile: how to reach a service (or start it), how its users log in, connect and speak, and what it does not have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Crosstalk target profile")]
pub(super) struct File {
    /// Its name in reports.
    pub(super) name: Text,
    /// Whether the service keeps tenants apart. If not (the default), every user is a tenant of its own, and nobody may see
    /// anything of anybody.
    #[serde(default)]
    pub(super) tenants: bool,
    /// How long the service may take to act on a log-out, a revocation or an expiry, in milliseconds [default: 1000].
    pub(super) revocation_grace_ms: Option<Placed<u64>>,
    /// Whether all that comes in is text (the default): then a message that cannot be decoded leaves verdicts unknown.
    pub(super) text: Option<bool>,
    /// Where the services are; needed for every profile but the built-in one.
    pub(super) reach: Option<Reach>,
    /// Whom to trust where services are reached over TLS, by `https://` and `wss://`.
    pub(super) tls: Option<Placed<Tls>>,
    /// Processes that a run starts, and stops at its end; none for a service that runs already.
    #[serde(default)]
    pub(super) service: Vec<Placed<Service>>,
    /// Where users come from [default: each registers].
    pub(super) users: Option<Users>,
    /// How users register and log in over HTTP.
    #[serde(default)]
    pub(super) http: Http,
    /// Ways to speak over a WebSocket; the first is the current one, the others older ones that every fourth user speaks.
    pub(super) dialect: Placed<Vec<Placed<Dialect>>>,
    /// What the service does not have, and why or in what sense: the name of a capability (threads, rooms, presence, look-up,
    /// cancel, resume, snapshot, who-am-i, me, refresh, logout, login-short) or of an op. Reports show it.
    #[serde(default)]
    pub(super) absent: BTreeMap<Text, Text>,
    /// Checks that cannot apply (thread, token, response, user-id, boundary), and why. Refused where what the check needs is
    /// there.
    #[serde(default)]
    pub(super) not_applicable: BTreeMap<Text, Text>,
    /// What cannot be looked into, and why: verdicts then claim less.
    #[serde(default)]
    pub(super) unseen: Unseen,
    /// Situations that have to occur in a run, as the service's own operator ports count them.
    #[serde(default)]
    pub(super) situation: Vec<Situation>,
    /// What is read from the service's database at the end of a run.
    pub(super) audit: Option<Audit>,
    /// What may differ between answers to a user alone and in company, and tells nothing of anybody.
    #[serde(default)]
    pub(super) company: Company,
}

/// What is left out when answers to a user alone and in company are compared.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Company {
    /// Names of members, wherever they stand, whose strings and numbers are positions in logs that all users share, or opaque
    /// handles.
    #[serde(default)]
    pub(super) varies: Vec<String>,
    /// Codes by which the service says that it is too busy (`status 503` over HTTP).
    #[serde(default)]
    pub(super) overload: Vec<String>,
}

/// What cannot be looked into, and why.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Unseen {
    /// The service's database: acknowledged posts cannot be held against what is stored.
    pub(super) database: Option<Text>,
    /// Ids of threads, if they are no UUIDs: too short, or not unique, to be found in bytes. Probes and conflicts remain.
    pub(super) thread_ids: Option<Text>,
    /// That ids of threads tell users apart, if they do not: two users' threads may have the same id, as where each counts its own. Then
    /// one id for two owners is no conflict, and another's thread is only tried where its id is none of one's own.
    pub(super) unique_thread_ids: Option<Text>,
    /// Ids of users, if they are no UUIDs. E-mails and handles, which are canaries, remain where users register.
    pub(super) user_ids: Option<Text>,
}

/// Where the services are. `${port:NAME}` is a free port that the run chooses, for services that it starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Reach {
    /// Base URL of what is asked over HTTP: `http://127.0.0.1:8000`, or `https://localhost:8443` over TLS.
    pub(super) http: Option<Text>,
    /// Where one connects, a URL each: `ws://127.0.0.1:8000`, or `wss://localhost:8443` over TLS. Several are replicas of one another.
    pub(super) web_sockets: Placed<Vec<Text>>,
}

/// Whom to trust where services are reached over TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tls {
    /// A PEM file, from the profile's folder, with the CA that has signed the services' certificates, or with a self-signed certificate
    /// itself: nobody else is trusted then [default: whom the machine trusts].
    pub(super) ca: Text,
}

/// A process that a run starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Service {
    /// Its name in reports, and of its log.
    pub(super) name: Text,
    /// Program and arguments; it must stay in the foreground. `${port:NAME}` is a free port, the same wherever NAME is.
    pub(super) command: Option<Placed<Vec<Text>>>,
    /// In place of `command`, for a service that forks away: what starts it, and ends in success when that is done.
    pub(super) start: Option<Placed<Vec<Text>>>,
    /// What ends a service that `start` has started; run at the end of the run, however that comes.
    pub(super) stop: Option<Placed<Vec<Text>>>,
    /// How long `stop` may take, in milliseconds, 20000 at most [default: 10000].
    pub(super) stop_within_ms: Option<Placed<u64>>,
    /// Its environment, on top of PATH, HOME and a few more. `${port:NAME}`, `${env:NAME}` (a variable of the environment that
    /// the run has) or `${env:NAME=VALUE}` (with a default), and `${postgres}` (the URL of a private database, if `postgres` is true).
    #[serde(default)]
    pub(super) env: BTreeMap<String, Text>,
    /// The folder that it starts in, from the profile's [default: the profile's].
    pub(super) folder: Option<Text>,
    /// Services that have to be ready before this one is started.
    #[serde(default)]
    pub(super) after: Vec<Text>,
    /// Whether it gets a private PostgreSQL database, `${postgres}` in its environment.
    #[serde(default)]
    pub(super) postgres: bool,
    /// When it counts as ready.
    pub(super) ready: Ready,
    /// How long that may take, in milliseconds, and `start` before it as long [default: 20000].
    pub(super) ready_within_ms: Option<u64>,
}

/// When a service is ready: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum Ready {
    /// This URL, `http://` or `https://`, answers with a status of success.
    Http(Text),
    /// Something listens at this address, `127.0.0.1:${port:NAME}`.
    Tcp(Text),
    /// It has ended in success (true): a migration, say.
    Ended(bool),
}

/// Where users come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Users {
    /// A CSV file, from the profile's folder, with a user a line; its first line names the columns, each a placeholder: `email`,
    /// `password`, `handle`, `name`, `user`, `access-token`. Without it each user registers.
    pub(super) list: Option<Text>,
    /// Most users that a run can have, if there is a limit.
    pub(super) max: Option<Placed<u32>>,
    /// Access tokens that are signed here, in place of a log-in.
    pub(super) sign: Option<Sign>,
    /// Whether users have access tokens [default: true]. `false` where the service takes who one says one is: without a list or
    /// `http.register`, `${handle}` is a user's id.
    pub(super) tokens: Option<Placed<bool>>,
}

/// Access tokens that are signed here, for a service that trusts whoever has the key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Sign {
    /// How (RFC 7518).
    pub(super) algorithm: Algorithm,
    /// File with the key, from the profile's folder: the secret itself for HS256, PEM for the others.
    pub(super) key_file: Option<Text>,
    /// Name of the environment variable with the key.
    pub(super) key_env: Option<Text>,
    /// The claims, as JSON: `{"sub":${handle},"iat":${now-s},"exp":${expires-s}}`.
    pub(super) claims: Text,
    /// Life of a token in seconds [default: 3600].
    pub(super) life_s: Option<u64>,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum Algorithm {
    /// HMAC with a shared secret.
    HS256,
    /// RSA.
    RS256,
    /// ECDSA over P-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

/// One way to speak over a WebSocket.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Dialect {
    /// The subprotocol that the upgrade asks for.
    pub(super) subprotocol: Option<Text>,
    /// Path and query of the upgrade: `/ws?token=${access-token}`. Values in it are percent-encoded. Where `${thread}` is in it (or in
    /// `headers`, `before`, `handshake`), each thread is a connection of its own; `${owner}` is the id of the user whose it is. Others'
    /// are tried, and must be refused.
    pub(super) path: Text,
    /// Requests over HTTP that go before each upgrade, in the user's name: what one answers as `ticket` or `session` is a placeholder of
    /// the next, and of path, headers, handshake and ops. If one is refused, nobody is let in.
    #[serde(default)]
    pub(super) before: Vec<Placed<Exchange>>,
    /// Headers of the upgrade: `{ Authorization = "Bearer ${access-token}" }`.
    #[serde(default)]
    pub(super) headers: BTreeMap<Text, Text>,
    /// How messages are framed, and what they mean: exactly one framing.
    pub(super) framing: Framing,
    /// What is said after the upgrade, before anything else.
    #[serde(default)]
    pub(super) handshake: Vec<Handshake>,
    /// What users ask for.
    pub(super) ops: Placed<Ops>,
    /// What the client sends by itself now and then.
    pub(super) heartbeat: Option<Beating>,
    /// Whether the service closes the connection on whoever asks for what it denies [default: false]. Then a close is a refusal of the
    /// oldest request in flight, and what must be denied is tried over connections of its own.
    #[serde(default)]
    pub(super) denies_by_closing: bool,
    /// Whether the service lets in whoever may not be connected to a thread, and tells them nothing [default: false]. Then what is pushed
    /// decides.
    #[serde(default)]
    pub(super) denies_by_silence: bool,
    /// How long after the upgrade the service may take to close the connection on whom it does not let in, in milliseconds, 5000 at most
    /// [default: 1000].
    pub(super) shuts_out_within_ms: Option<Placed<u64>>,
}

/// What the client sends by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Beating {
    /// The message, without placeholders.
    pub(super) send: Text,
    /// How often, in milliseconds.
    pub(super) every_ms: Placed<u64>,
}

/// A step of the handshake: something is sent, something is waited for, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Handshake {
    /// What the client sends. Placeholders: `access-token`, `user`, `email`, `handle`, `password`, and `session` and `ticket` if an
    /// earlier step's `answer` says where they stand. Without it the service speaks.
    pub(super) send: Option<Text>,
    /// Kind of the event that has to come before the next step.
    pub(super) expect: Option<Text>,
    /// Kind of the event that says that one is not let in.
    pub(super) refusal: Option<Text>,
    /// What stands where in the content of the expected event: `user`, `resume`, and `session` (an id of the connection) and `ticket`
    /// (anything else), which later steps and ops may say again.
    #[serde(default)]
    pub(super) answer: Holds,
}

/// What a user asks for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Op {
    /// The request, with placeholders. `${id}` is the request id and has to be in it, unless answers come in order; what else
    /// there is, the op says; `${me}`, `${my-handle}` and `${access-token}` are of the user who asks. Neither `frame` nor `http` where each
    /// thread is a connection of its own, and to connect to one makes it: then `make` says its name.
    pub(super) frame: Option<Text>,
    /// The request and what stands in its answer, where it goes over HTTP instead, with the same placeholders.
    pub(super) http: Option<Placed<Exchange>>,
    /// Requests over HTTP that go before it, each time, with the placeholders of the op: what one answers as `ticket` is a placeholder of
    /// the next, and of the op. If one is refused, so is the op.
    #[serde(default)]
    pub(super) before: Vec<Placed<Exchange>>,
    /// Messages that go right after it: a fence, whose answer ends the op.
    #[serde(default)]
    pub(super) then: Vec<Text>,
    /// What is made here rather than found in the answer: `{ thread = "notes.${my-handle}.${id}" }`. Values stand in it as they are,
    /// and the frame may say it.
    #[serde(default)]
    pub(super) make: Holds,
    /// What stands where in the answer's content.
    #[serde(default)]
    pub(super) answer: Holds,
    /// Whether success promises that the content is stored [default: true for the ops that post].
    pub(super) stores: Option<bool>,
    /// Whether the answer holds content of the request, so that it can be told whose it is [default: true for `post`].
    pub(super) derives: Option<bool>,
    /// Whether one has to have subscribed to the thread or the room that it names, over the same connection [default: false]: then the op
    /// that does so goes before it, once.
    #[serde(default)]
    pub(super) subscribed: bool,
    /// Whether success says nothing of what was asked for being allowed: who may not listen is told so by silence [default: false].
    pub(super) silent: Option<bool>,
}

/// A situation that has to occur.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Situation {
    /// As operator ports name it.
    pub(super) name: String,
    /// Checks that are not valid without it: thread, token, secret, response, user-id, boundary.
    pub(super) checks: Vec<Text>,
}

/// What is read from the service's database at the end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Audit {
    /// A query with the columns `table`, `container` (id of a thread or a room), `owner` (user id of a thread's owner, or null),
    /// `author`, `tenant`, `derived` (boolean) and `body`. It is read with the rights of the services' own role.
    pub(super) sql: Text,
}
