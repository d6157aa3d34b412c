//! What one recipient may see is left in the event for the next.
//!
//! **Incident.** Parse Server LiveQuery, CVE-2026-34363: fields that a subscriber may not read are taken out of, and put into, the one event
//! object that all subscribers share, while it is on its way to each of them.
//!
//! **Mechanism.** The note is put into the event's object when it is sent to its author, and not taken out again: whoever is served after the author
//! gets it as well.
//!
//! **Layer.** The fan-out of the hub.
//!
//! **Caught by** S: the author's note.
//!
//! **Fix.** A projection is a value of its own; there is one for each kind of rights, and recipients choose between them.

use super::Mutant;
use crate::gateway::inside::{Encoded, Event, Link};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "shared-mutable-fanout",
    process: "gateway",
    checks: "S",
    traffic: &["join"],
};

/// Whether a connection is sent the event's object with its note: the author's, and those after it. `with_note` is the object once the
/// author was sent it.
pub(crate) fn sees_note(is_author: bool, event: &Event, link: &Link, with_note: &Encoded) -> bool {
    if is_author {
        return true;
    }
    let left_in = event.has_note() && with_note.has(link.outbox.dialect()) && MUTANT.acts();
    if left_in && link.is_subscribed(event.subject) {
        MUTANT.record(link.identity.user_id, event.author_id, "was sent the note of");
    }
    left_in
}
