//! A request that was given up is sent in the name of the next.
//!
//! **Incidents.** pg_doorman #38, asyncmy #103: a client's request waits in a buffer for a server; when there is none in time the client is told so, and the
//! buffer is not emptied. The next request is appended to it, and the server answers the first.
//!
//! **Mechanism.** A request is encoded before there is a place for it. When no place is free in time, its bytes stay in the buffer; whoever is lent the buffer next
//! sends them ahead of its own, under the number that is its own.
//!
//! **Layer.** The request buffers of the gateway's client of the agent.
//!
//! **Caught by** R: replies with another's nonce; S: what they are made of; T in the audit: they are stored in the wrong thread.
//!
//! **Fix.** A buffer is emptied on every way out, or belongs to its request.

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "stale-buffer",
    process: "gateway",
    checks: "RST",
    traffic: &["exhaust"],
};

/// Whether a request that was given up stays in its buffer.
pub(crate) fn keeps() -> bool {
    MUTANT.acts()
}

/// Takes notice that a buffer is lent, perhaps with another's request in it.
pub(crate) fn lent(has_request: bool, user_id: Uuid, other: Uuid) {
    if has_request {
        MUTANT.record(user_id, other, "sent, as its own, the request of");
    }
}
