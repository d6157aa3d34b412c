//! Rooms of one name are one room.
//!
//! **Incidents.** socket.io #2726 and its like: the channels of a process are known by name, and the names are what people call their rooms:
//! unique within a tenant, equal across tenants.
//!
//! **Mechanism.** The hub's channels are keyed by the room's name alone: an event goes to all who are subscribed to a room of that name.
//!
//! **Layer.** The hub, between the database, where rooms have ids, and the connections.
//!
//! **Caught by** S: what is posted in the namesake; U: who posts there.
//!
//! **Fix.** The key is the room's id, or the tenant and the name.

use super::Mutant;
use crate::gateway::inside::{Event, Tuned};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "room-collision",
    process: "gateway",
    checks: "STU",
    traffic: &[],
};

/// Whether an event reaches somebody who is subscribed to a namesake of its room.
pub(super) fn reaches(tuned: &Tuned, event: &Event) -> bool {
    let reaches = tuned.room_id != event.subject && MUTANT.acts();
    if reaches {
        MUTANT.record_event(
            &tuned.link,
            event,
            "subscribed to a room of the same name, was told of",
        );
    }
    reaches
}
