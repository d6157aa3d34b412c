//! What a target is, as data: how to log in, how to speak, who may see what, what has to occur.
//!
//! The harness owns scenario and phases and speaks in [`Action`]s. A profile says which frames an action is, where in
//! an answer an id stands, and what an action does to rights. Nothing outside a profile and its codec knows a target.
//!
//! Profiles are read from TOML ([`TargetFile`]), the reference service's too.

mod accounts;
mod action;
mod capability;
mod company;
mod file;
mod http;
mod reference;
mod service;

use std::collections::BTreeMap;
use std::time::Duration;

use history::{Audience, Check, Unseen};

use crate::codec::{Framing, Slot, Slots, Template};

pub use accounts::{Accounts, Algorithm, Listed, Signing};
pub use action::Action;
pub use capability::Capability;
pub use company::Company;
pub use file::{Mistake, ProfileError, TargetFile, schema};
pub use http::{Body, Exchange, Found, HttpPaths, Pattern, Success, Verb};
pub use service::{Reach, Ready, Service, Stop, fill, variable_of};

/// A target.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in reports.
    pub name: String,
    /// Where its users come from.
    pub accounts: Accounts,
    /// How users register and log in.
    pub http: HttpPaths,
    /// How users speak once they are connected; the first is the current one.
    pub dialects: Vec<Dialect>,
    /// Whether it keeps tenants apart. Where it does not, every user is a tenant of its own.
    pub tenants: bool,
    /// How long the target may take to act on a log-out, a revocation or an expiry.
    pub revocation_grace: Duration,
    /// Who may see a user's service-made ids and e-mail.
    pub identity_audience: Audience,
    /// Whether inbound channels are text, so that undecodable bytes are no evidence of anything.
    pub text_channels: bool,
    /// What the target does not have, in the profile's words, with the reason.
    pub absent: Vec<(String, String)>,
    /// Checks that the target cannot have, with the reason.
    pub not_applicable: Vec<(Check, String)>,
    /// What cannot be looked into, with the reason.
    pub unseen: Vec<(Unseen, String)>,
    /// Whether two users may have threads of the same id, so that an id alone is nobody's.
    pub shared_thread_ids: bool,
    /// Situations that have to occur, as the target's operator ports name them, and the checks that need them.
    pub situations: Vec<(String, Vec<Check>)>,
    /// What the audit reads from the database; `None` where there is none to read.
    pub audit: Option<AuditSource>,
    /// What may differ between answers alone and in company.
    pub company: Company,
}

impl Profile {
    /// Whether the target can do `action`, in one of its dialects at least.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        self.dialects.iter().any(|dialect| dialect.can(action))
    }

    /// Whether users have tokens, or anything else that proves who they are to HTTP.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        let listed = |listed: &Listed| listed.values.get(Slot::AccessToken).is_some();
        let by_list = matches!(&self.accounts, Accounts::List(all) if all.iter().all(listed));
        by_list || self.http.login.is_some() || self.http.signing.is_some()
    }

    /// Checks that nothing in the profile would prove, and what is not there; those that are said not to apply are left out.
    #[must_use]
    pub fn unproven(&self) -> Vec<(Check, &'static str)> {
        let derives = |dialect: &Dialect| dialect.ops.get(&Action::Post).is_some_and(|post| post.derives);
        let named =
            self.can(Action::WhoAmI) || self.http.me.is_some() || self.dialects.iter().any(Dialect::names);
        let owned = self.dialects.iter().any(Dialect::connects_to_owned);
        let ends = [&self.http.logout, &self.http.login_short, &self.http.refresh];
        let all = [
            (
                Check::Thread,
                self.can(Action::CreateThread) || owned,
                "nothing is made that has an owner: `create-thread`",
            ),
            (
                Check::Token,
                named,
                "the service says nowhere who one is: `who-am-i`, `http.me`, or `user` in a greeting's `answer`",
            ),
            (
                Check::Response,
                self.dialects.iter().any(derives),
                "no answer holds what was posted: `derives` of `post`",
            ),
            (
                Check::Boundary,
                ends.into_iter().any(Option::is_some),
                "nothing ends a session: `http.logout`, `http.login-short` or `http.refresh`",
            ),
        ];
        let missing = all
            .into_iter()
            .filter(|(check, proven, _)| !proven && !self.excuses(*check));
        missing.map(|(check, _, what)| (check, what)).collect()
    }

    /// Whether `check` is said not to apply.
    #[must_use]
    pub fn excuses(&self, check: Check) -> bool {
        self.not_applicable.iter().any(|(excused, _)| *excused == check)
    }

    /// Values from the environment, wherever they are sent: nobody is shown them.
    pub(crate) fn given(&self) -> Vec<String> {
        let HttpPaths {
            register,
            login,
            login_short,
            me,
            refresh,
            logout,
            key_set,
            ..
        } = &self.http;
        let exchanges = [register, login, login_short, me, refresh, logout, key_set];
        let of_http = exchanges.into_iter().flatten().flat_map(Exchange::templates);
        let of_dialects = self.dialects.iter().flat_map(|dialect| {
            let headers = dialect.headers.iter().map(|(_, value)| value);
            let sent = dialect.handshake.iter().filter_map(|step| step.send.as_ref());
            let frames = dialect.ops.values().flat_map(OpShape::templates);
            let before = dialect.before.iter().flat_map(Exchange::templates);
            headers
                .chain([&dialect.path])
                .chain(sent)
                .chain(frames)
                .chain(before)
        });
        of_http
            .chain(of_dialects)
            .flat_map(Template::given)
            .map(str::to_owned)
            .collect()
    }
}

/// What the audit reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSource {
    /// The query. Its columns are named `table`, `container` (id of a thread or a room), `owner` (user id of a thread's
    /// owner, or null), `author`, `tenant`, `derived` (boolean) and `body`.
    pub sql: String,
}

/// One way to speak with a target over a WebSocket.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// The subprotocol that the upgrade asks for; `None` asks for none.
    pub subprotocol: Option<String>,
    /// Path of the upgrade, with its query; values in it are percent-encoded.
    pub path: Template,
    /// Headers of the upgrade. One whose value is not there, the token of somebody who has none, is left out.
    pub headers: Vec<(String, Template)>,
    /// Requests over HTTP that go before each upgrade, in order: for a ticket that is good for it alone.
    pub before: Vec<Exchange>,
    /// How messages are framed.
    pub framing: Framing,
    /// What is said after the upgrade, before anything else.
    pub handshake: Vec<HandshakeStep>,
    /// What the actions are.
    pub ops: BTreeMap<Action, OpShape>,
    /// What the client sends by itself now and then; `None` if nothing.
    pub heartbeat: Option<Beat>,
    /// Whether the service closes the connection on whoever asks for what it denies, so that a close is a refusal.
    pub denies_by_closing: bool,
    /// Whether it lets in whoever may not be connected to a thread, and tells them nothing: what is pushed decides.
    pub denies_by_silence: bool,
    /// How long after the upgrade it may take to shut out again whom it does not let in; `None` if nothing is said of that.
    pub shuts_out_within: Option<Duration>,
}

/// What a client sends by itself, so that the service knows that it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The message; it takes nothing.
    pub send: Template,
    /// How often.
    pub every: Duration,
}

impl Dialect {
    /// Whether the target can do `action`.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        self.ops.contains_key(&action) || self.listens_by_connecting(action)
    }

    /// How many request ids there are on the wire, if they start again.
    #[must_use]
    pub fn ids(&self) -> Option<u32> {
        let frames = self
            .ops
            .values()
            .flat_map(|op| [&op.frame].into_iter().chain(&op.then));
        frames.filter_map(Template::ids).min()
    }

    /// Whether each thread is a connection of its own: whoever connects says to which.
    #[must_use]
    pub fn connects_to_threads(&self) -> bool {
        self.takes(Slot::Thread)
    }

    /// Whether whoever connects says to what: to a thread, or to what is named by its owner.
    #[must_use]
    pub fn connects_to_owned(&self) -> bool {
        self.takes(Slot::Thread) || self.takes(Slot::Owner)
    }

    /// Whether `action` is to connect to a thread or a room: whoever is connected to it listens to it.
    #[must_use]
    pub fn listens_by_connecting(&self, action: Action) -> bool {
        match action {
            Action::SubscribeThread => self.connects_to_threads(),
            Action::SubscribeRoom => self.ops.contains_key(&Action::CreateRoom) && self.connects_to_threads(),
            _ => false,
        }
    }

    /// Whether everybody is let in at first: messages, not the upgrade, say who one is, or whether one is let in.
    #[must_use]
    pub fn admits_by_handshake(&self) -> bool {
        let turns_away = self.handshake.iter().any(|step| step.refusal.is_some());
        self.sent().any(proves) || self.presents_always() || turns_away
    }

    /// Whether a greeting says that one's proof was taken.
    #[must_use]
    pub fn greets_by_proof(&self) -> bool {
        self.sent().any(proves) && self.greets()
    }

    /// Whether a greeting says that one is let in.
    #[must_use]
    pub fn greets(&self) -> bool {
        self.handshake.iter().any(|step| step.expect.is_some())
    }

    /// Whether a greeting says who one is.
    #[must_use]
    pub fn names(&self) -> bool {
        let greetings = self.handshake.iter().filter_map(|step| step.expect.as_ref());
        let mut held = greetings.flat_map(|greeting| &greeting.holds);
        held.any(|(slot, _)| *slot == Slot::User)
    }

    /// Whether one has to prove who one is, so that it can be tried without.
    #[must_use]
    pub fn asks_for_proof(&self) -> bool {
        self.takes(Slot::AccessToken) || self.takes(Slot::Password)
    }

    /// Whether whoever connects says this.
    #[must_use]
    pub fn takes(&self, slot: Slot) -> bool {
        let headers = self.headers.iter().map(|(_, value)| value);
        let mut all = headers.chain(self.sent()).chain([&self.path]);
        let presents = slot == Slot::AccessToken
            && (self.presents_always() || self.before.iter().any(Exchange::presents_token));
        presents
            || all.any(|template| template.takes(slot))
            || self.before.iter().any(|step| step.takes(slot))
    }

    /// What is sent after the upgrade.
    fn sent(&self) -> impl Iterator<Item = &Template> {
        self.handshake.iter().filter_map(|step| step.send.as_ref())
    }

    /// Whether one's token goes along with what one asks.
    fn presents_always(&self) -> bool {
        let mut ops = self.ops.iter();
        ops.any(|(action, op)| *action != Action::WhoAmIWith && op.frame.takes(Slot::AccessToken))
    }

    /// What one asks to see whether one is served at all: an op that takes nothing but what is connected to, over the connection itself.
    #[must_use]
    pub fn proof(&self) -> Option<Action> {
        let simple = [
            Action::WhoAmI,
            Action::ListThreads,
            Action::ListRooms,
            Action::Snapshot,
        ];
        let over_it = |action: &Action| self.ops.get(action).is_some_and(|op| op.http.is_none());
        // which thread, the connection says
        let read = Some(Action::ReadThread).filter(|_| self.connects_to_threads());
        simple.into_iter().chain(read).find(over_it)
    }
}

/// Whether it says what proves who one is.
fn proves(template: &Template) -> bool {
    template.takes(Slot::AccessToken) || template.takes(Slot::Password)
}

/// A step of what is said after the upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeStep {
    /// What the client sends; `None` if the service speaks first.
    pub send: Option<Template>,
    /// The event that has to come before the next step; `None` if nothing is waited for.
    pub expect: Option<Greeting>,
    /// Kind of the event that says instead that one is not let in.
    pub refusal: Option<String>,
}

/// What the service says in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Kind of the event.
    pub kind: String,
    /// What stands where in it, as JSON pointers into its content.
    pub holds: Vec<(Slot, String)>,
}

/// What an action is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpShape {
    /// The request; empty where it goes over HTTP.
    pub frame: Template,
    /// The request and where its answer's values stand, where it goes over HTTP rather than over the connection.
    pub http: Option<Exchange>,
    /// Requests over HTTP that go before it, in order.
    pub before: Vec<Exchange>,
    /// Messages that go right after it: a fence, say.
    pub then: Vec<Template>,
    /// Values that are made here before the request is written, and are its answer's where it succeeds: an id that the client
    /// chooses.
    pub makes: Vec<(Slot, Template)>,
    /// What stands where in the answer, as JSON pointers into its content.
    pub holds: Vec<(Slot, String)>,
    /// Whether its acknowledgement promises that the content is stored.
    pub stores: bool,
    /// Whether its answer holds content of the request, so that it can be told whose answer it is.
    pub derives: bool,
    /// Whether one has to listen to the thread or the room that it names before one asks it.
    pub subscribed: bool,
    /// Whether its success says nothing of what it asks for being allowed: what is pushed does.
    pub silent: bool,
    /// Whether it is done by connecting to what is made for it.
    pub connects: bool,
}

impl OpShape {
    /// All that is written for it.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let made = self.makes.iter().map(|(_, template)| template);
        let http = self.http.iter().chain(&self.before).flat_map(Exchange::templates);
        [&self.frame]
            .into_iter()
            .chain(&self.then)
            .chain(made)
            .chain(http)
    }

    /// Whether any of it says this.
    #[must_use]
    pub fn takes(&self, slot: Slot) -> bool {
        self.taken().has(slot)
    }

    /// All that any of it says.
    pub(crate) fn taken(&self) -> Slots {
        self.templates()
            .map(Template::taken)
            .fold(Slots::default(), Slots::and)
    }
}
