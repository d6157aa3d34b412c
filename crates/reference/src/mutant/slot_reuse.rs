//! A late answer goes to whoever is in the slot now.
//!
//! **Incidents.** A bug class of servers that know connections by an index or a file descriptor: it is used again as soon as the connection is gone, and what was
//! still on its way to the old one is written to the new one.
//!
//! **Mechanism.** Answers are sent to the connection in the slot of the one that asked, without a look at the slot's generation.
//!
//! **Layer.** The registry of connections.
//!
//! **Caught by** R: an answer that nobody asked for; S, T, U: what it holds.
//!
//! **Fix.** A slot's number goes with its generation; an answer for an older one is dropped.

use super::Mutant;
use crate::gateway::inside::Link;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "slot-reuse",
    process: "gateway",
    checks: "RSUT",
    traffic: &["drop"],
};

/// Whether what was meant for `meant` goes to `occupant`.
pub(crate) fn reaches(occupant: &Link, meant: &Link) -> bool {
    let reaches = MUTANT.acts();
    let (observer, victim) = (occupant.identity.user_id, meant.identity.user_id);
    if reaches && observer != victim {
        MUTANT.record(observer, victim, "was sent, in its slot, an answer to");
    }
    reaches
}
