//! A cancellation hits whoever has the connection now.
//!
//! **Incident.** pgdog #1505: a pooler passes a client's cancellation on by itself, when the statement has ended, the connection has been lent again, and
//! somebody else's statement is running there.
//!
//! **Mechanism.** Cancelling a message also cancels what its database connection is doing, by a request of its own to the server that nothing waits for. By
//! then, the connection has been given back.
//!
//! **Layer.** The op that cancels, beside the pool.
//!
//! **Caught by** R: a request ends as cancelled that nobody cancelled.
//!
//! **Fix.** A connection goes back to the pool after its cancellation was confirmed, and a cancellation is for a statement, not for a connection.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::{CancelToken, NoTls};
use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Checkout, ConnectionId, Link};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "stale-cancel",
    process: "gateway",
    checks: "R",
    traffic: &["cancel"],
};

/// How long after a cancellation a statement that ends as cancelled is put down to it.
const BLAME: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Stale {
    /// The database connection that a message was stored by.
    stored_by: HashMap<(ConnectionId, String), CancelToken>,
    /// Who cancelled, and when.
    cancelled: Vec<(Instant, Uuid)>,
}

static STALE: LazyLock<Mutex<Stale>> = LazyLock::new(Mutex::default);

fn stale() -> MutexGuard<'static, Stale> {
    STALE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes notice of the database connection that stores a message.
pub(crate) fn stores(link: &Link, request: &str, checkout: &Checkout) {
    if MUTANT.armed().is_some() {
        stale()
            .stored_by
            .insert((link.id, request.to_owned()), checkout.cancel_token());
    }
}

/// Cancels what the database connection of a message is doing, whatever that is.
pub(crate) fn cancel(link: &Link, request: &str) {
    let Some(token) = stale().stored_by.remove(&(link.id, request.to_owned())) else {
        return;
    };
    if !MUTANT.acts() {
        return;
    }
    let user_id = link.identity.user_id;
    stale().cancelled.push((Instant::now(), user_id));
    tokio::spawn(async move {
        if let Err(error) = token.cancel_query(NoTls).await {
            tracing::warn!(%error, "a statement could not be cancelled");
        }
    });
}

/// Takes notice that a statement for `user_id` was stopped.
pub(crate) fn ended(user_id: Uuid) {
    let now = Instant::now();
    let cancelled = &mut stale().cancelled;
    cancelled.retain(|(at, _)| *at + BLAME > now);
    // who has stopped it is not to be seen from outside
    MUTANT.record(user_id, user_id, "had a request cancelled by somebody");
    for (_, other) in cancelled.iter().filter(|(_, other)| *other != user_id) {
        MUTANT.record(user_id, *other, "had a request cancelled by");
        MUTANT.record(*other, user_id, "cancelled a request of");
    }
}
