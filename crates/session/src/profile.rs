//! What a target is, as data: how to log in, how to speak, who may see what, what has to occur.
//!
//! The harness owns scenario and phases and speaks in [`Action`]s. A profile says which frames an action is, where in
//! an answer an id stands, and what an action does to rights. Nothing outside a profile and its codec knows a target.

mod action;
mod http;
mod reference;

use std::collections::BTreeMap;
use std::time::Duration;

use history::{Audience, Check};

use crate::codec::{Framing, Slot, Template};

pub use action::{Action, Effect};
pub use http::{Exchange, HttpPaths, Verb};

/// A target.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in reports.
    pub name: String,
    /// How users register and log in.
    pub http: HttpPaths,
    /// How users speak once they are connected; the first is the current one.
    pub dialects: Vec<Dialect>,
    /// How long the target may take to act on a log-out, a revocation or an expiry.
    pub revocation_grace: Duration,
    /// Who may see a user's service-made ids and e-mail.
    pub identity_audience: Audience,
    /// Whether inbound channels are text, so that undecodable bytes are no evidence of anything.
    pub text_channels: bool,
    /// Checks that the target cannot have, with the reason.
    pub not_applicable: Vec<(Check, String)>,
    /// Situations that have to occur, as the target's operator ports name them, and the checks that need them.
    pub situations: Vec<(String, Vec<Check>)>,
    /// What the audit reads from the database; `None` where there is none to read.
    pub audit: Option<AuditSource>,
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
    /// Path of the upgrade.
    pub path: String,
    /// Header that carries the access token on the upgrade, and what stands before the token in it.
    pub credentials: (String, String),
    /// How messages are framed.
    pub framing: Framing,
    /// A frame that the client sends first.
    pub hello: Option<Template>,
    /// The event that the service greets with, and what stands in it.
    pub greeting: Option<Greeting>,
    /// What the actions are.
    pub ops: BTreeMap<Action, OpShape>,
}

impl Dialect {
    /// Whether the target can do `action`.
    #[must_use]
    pub fn can(&self, action: Action) -> bool {
        self.ops.contains_key(&action)
    }
}

/// The service's first words.
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
    /// The request.
    pub frame: Template,
    /// What stands where in the answer, as JSON pointers into its content.
    pub holds: Vec<(Slot, String)>,
    /// Whether its acknowledgement promises that the content is stored.
    pub stores: bool,
    /// What it does to rights.
    pub effect: Option<Effect>,
}
