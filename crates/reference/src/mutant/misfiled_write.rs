//! A message is filed under another user's thread.
//!
//! **Incidents.** A bug class of servers whose tasks share "the current thread" or "the current document": a write waits, another task moves the current
//! one on, and the write goes there.
//!
//! **Mechanism.** A post notes its thread and its user in one slot of the process, waits for a database connection, and stores its message under what is in
//! the slot then: thread and identity of another, so that the database finds nothing wrong. It is acknowledged from memory.
//!
//! **Layer.** The op that posts, before its transaction.
//!
//! **Caught by** T and S in the audit: acknowledged rows in another user's thread; S also where the other is told of the message.
//!
//! **Fix.** What a task writes to is its own variable.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::Identity;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "misfiled-write",
    process: "gateway",
    checks: "TSR",
    traffic: &[],
};

static CURRENT: Mutex<Option<(Identity, Uuid)>> = Mutex::new(None);

/// A post begins.
pub(crate) fn set(asker: &Identity, thread_id: Uuid) {
    if MUTANT.armed().is_some() {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some((asker.clone(), thread_id));
    }
}

/// Where a message goes after the wait, and in whose name.
pub(crate) fn current(asker: &Identity, thread_id: Uuid) -> (Identity, Uuid) {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let overtaken = current.filter(|(current, _)| current.user_id != asker.user_id);
    let Some(current) = overtaken.filter(|_| MUTANT.acts()) else {
        return (asker.clone(), thread_id);
    };
    MUTANT.record(current.0.user_id, asker.user_id, "has in a thread a message of");
    current
}
