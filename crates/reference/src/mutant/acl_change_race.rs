//! Whoever was put out of a room is told of it for a while yet.
//!
//! **Incident.** parse-server #10516: who may see an object is remembered, and a change of its rights reaches what was remembered too late.
//!
//! **Mechanism.** Each replica remembers the members of a room when somebody posts there, and tells those whom it remembers. Who joins is added as soon as
//! that is heard; who leaves is taken out at the replica that was asked to, and at the others when what they remember is too old.
//!
//! **Layer.** The op that posts, above the database.
//!
//! **Caught by** S: messages posted after the removal was acknowledged.
//!
//! **Fix.** Recipients are read in the transaction that posts.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Acting, Event, Failure};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "acl-change-race",
    process: "gateway",
    checks: "ST",
    traffic: &["expel"],
};

/// How long members are remembered.
const LIFETIME: Duration = Duration::from_secs(10);

struct Remembered {
    members: HashSet<Uuid>,
    since: Instant,
}

static ROOMS: LazyLock<Mutex<HashMap<Uuid, Remembered>>> = LazyLock::new(Mutex::default);

fn rooms() -> MutexGuard<'static, HashMap<Uuid, Remembered>> {
    ROOMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whom a post in a room is told to: those who are remembered as its members. `None` leaves it to the database.
pub(crate) async fn told(
    acting: &Acting<'_>,
    room_id: Uuid,
    author_id: Uuid,
) -> Result<Option<Vec<Uuid>>, Failure> {
    if MUTANT.armed().is_none() {
        return Ok(None);
    }
    let members = "SELECT array_agg(user_id) FROM room_members WHERE room_id = $1";
    let members: Vec<Uuid> = acting.row(members, &[&room_id]).await?.get(0);
    let mut rooms = rooms();
    let now = Instant::now();
    let remembered = rooms.get(&room_id).filter(|room| room.since + LIFETIME > now);
    let Some(room) = remembered.filter(|_| MUTANT.acts()) else {
        let room = Remembered {
            members: members.into_iter().collect(),
            since: now,
        };
        rooms.insert(room_id, room);
        return Ok(None);
    };
    for observer in room.members.iter().filter(|user| !members.contains(user)) {
        MUTANT.record(
            *observer,
            author_id,
            "put out of the room, was told of a message of",
        );
    }
    Ok(Some(room.members.iter().copied().collect()))
}

/// Takes notice that somebody joined a room.
pub(crate) fn heard(event: &Event) {
    if let Some((user_id, true)) = event.joined()
        && let Some(room) = rooms().get_mut(&event.subject)
    {
        room.members.insert(user_id);
    }
}

/// Takes notice, at the replica that was asked, that somebody was put out of a room.
pub(crate) fn removed(room_id: Uuid, user_id: Uuid) {
    if let Some(room) = rooms().get_mut(&room_id) {
        room.members.remove(&user_id);
    }
}
