//! Everybody gets the reply to the request before.
//!
//! **Incidents.** ChatGPT, March 2023, and redis-py #2624, #2641 and #2665: a request was given up after it had been sent, and its connection went back to the
//! pool with the reply still to come. Whoever used the connection next read that reply, and left its own for the one after.
//!
//! **Mechanism.** A connection's replies are read in the order of its requests. A request that is cancelled is not withdrawn; its reply is left on the
//! connection for the next request, whose own is left for the one after that, and so on.
//!
//! **Layer.** The gateway's pooled client of the agent.
//!
//! **Caught by** R: replies with another's nonce; S: what they are made of; T in the audit: they are stored in the wrong thread.
//!
//! **Fix.** Replies carry the number of their request, and what comes for one that was given up is dropped; or the connection is closed.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Mutant;
use crate::agent::Item;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "cancel-desync",
    process: "gateway",
    checks: "RST",
    traffic: &["cancel"],
};

/// A reply that nobody has read, and whose it is.
struct Left {
    items: mpsc::Receiver<Item>,
    user_id: Uuid,
}

/// What is left on each connection.
static LEFT: LazyLock<Mutex<HashMap<usize, Left>>> = LazyLock::new(Mutex::default);

fn left() -> MutexGuard<'static, HashMap<usize, Left>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the reply to a request that is given up is left on its connection.
pub(crate) fn leaves(link: usize, items: &mut mpsc::Receiver<Item>, user_id: Uuid) -> bool {
    let leaves = MUTANT.acts();
    if leaves {
        let items = std::mem::replace(items, mpsc::channel(1).1);
        // one reply behind, not two: the one before has been waited for in vain
        left().insert(link, Left { items, user_id });
    }
    leaves
}

/// The reply that the next request on a connection reads.
pub(crate) fn next(link: usize, own: mpsc::Receiver<Item>, user_id: Uuid) -> mpsc::Receiver<Item> {
    let mut left = left();
    let Some(before) = left.remove(&link) else {
        return own;
    };
    left.insert(link, Left { items: own, user_id });
    if before.user_id != user_id {
        MUTANT.record(user_id, before.user_id, "read the reply to");
    }
    before.items
}
