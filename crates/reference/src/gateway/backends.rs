//! Who used which of the database's connections last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::metrics::{Metrics, Situation};

/// The connections of a pool, by their backends' process ids.
pub(crate) struct Backends {
    last: Mutex<HashMap<i32, Last>>,
    /// Connections that were closed are forgotten when there are more than the pool can have.
    size: usize,
    metrics: Arc<Metrics>,
}

/// The last use of a connection.
#[derive(Clone, Copy)]
struct Last {
    user_id: Uuid,
    is_committed: bool,
}

impl Backends {
    /// No connection of a pool of that `size` was used yet.
    pub(crate) fn new(size: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            last: Mutex::default(),
            size,
            metrics,
        }
    }

    /// A transaction begins on behalf of `user_id`.
    pub(crate) fn lend(&self, backend: i32, user_id: Uuid) {
        let mut backends = self.last();
        if backends.len() > self.size {
            backends.clear();
        }
        let now = Last {
            user_id,
            is_committed: false,
        };
        let Some(last) = backends
            .insert(backend, now)
            .filter(|last| last.user_id != user_id)
        else {
            return;
        };
        self.metrics.situation(Situation::BackendChangedUser).inc();
        if !last.is_committed {
            self.metrics.situation(Situation::UnfinishedThenReused).inc();
        }
    }

    /// The transaction was committed.
    pub(crate) fn commit(&self, backend: i32) {
        if let Some(last) = self.last().get_mut(&backend) {
            last.is_committed = true;
        }
    }

    /// Whether a connection was used by somebody else than `user_id` since they had it.
    pub(crate) fn is_anothers(&self, backend: i32, user_id: Uuid) -> bool {
        self.last()
            .get(&backend)
            .is_some_and(|last| last.user_id != user_id)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<i32, Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
