//! Whoever claims to be a member is let into a room.
//!
//! **Incident.** AlianHub #431: clients of its socket server say who they are when they join a room, and the server takes their word for it,
//! although it knows from the token who they are.
//!
//! **Mechanism.** The `user` in a request to subscribe replaces the asker: the transaction acts for that user, finds a member, and
//! the asker's connection is entered among those to which the room's events go.
//!
//! **Layer.** The op that subscribes: above the database, which answers truly for whom it is asked.
//!
//! **Caught by** T: a foreign room is subscribed to in its owner's name; S: what is posted there; U where the room is another tenant's.
//!
//! **Fix.** The identity of a connection is its token's, in every op; a user named in a request is an argument and no more.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{ConnectionId, Event, Identity, Link, Tuned};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "claimed-room",
    process: "gateway",
    checks: "TSU",
    traffic: &["probe"],
};

/// Connections that are in a room because they said so.
static LET_IN: LazyLock<Mutex<HashSet<(ConnectionId, Uuid)>>> = LazyLock::new(Mutex::default);

fn let_in() -> MutexGuard<'static, HashSet<(ConnectionId, Uuid)>> {
    LET_IN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whom a request to subscribe acts for: whom it claims.
pub(crate) fn believed(asker: &Identity, claimed: Option<Uuid>) -> Identity {
    let user_id = claimed.filter(|_| MUTANT.acts()).unwrap_or(asker.user_id);
    Identity {
        user_id,
        ..asker.clone()
    }
}

/// Takes notice that a connection was let into a room in the name of `believed`.
pub(crate) fn entered(link: &Link, room_id: Uuid, believed: &Identity) {
    let user_id = link.identity.user_id;
    if believed.user_id != user_id {
        let_in().insert((link.id, room_id));
        MUTANT.record(user_id, believed.user_id, "was let into a room as");
    }
}

/// Whether an event of a room reaches a connection that is not told of it by rights.
pub(super) fn reaches(tuned: &Tuned, event: &Event) -> bool {
    let reaches = tuned.room_id == event.subject && let_in().contains(&(tuned.link.id, tuned.room_id));
    if reaches {
        MUTANT.record_event(
            &tuned.link,
            event,
            "in a room that it only claimed to be in, was told of",
        );
    }
    reaches
}
