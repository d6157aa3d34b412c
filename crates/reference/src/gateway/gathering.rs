//! Buffers that the pieces of a reply are gathered in until it is stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::limits::GATHERING_BUFFERS_MAX;
use crate::metrics::{Metrics, Situation};

/// The buffers that are not in use, and who uses the others.
pub(crate) struct Gathering {
    free: Mutex<Vec<Buffer>>,
    users: Mutex<Vec<Uuid>>,
    metrics: Arc<Metrics>,
}

type Buffer = Arc<Mutex<Gathered>>;

#[derive(Default)]
struct Gathered {
    text: String,
    #[cfg(feature = "mutants")]
    by: Vec<Uuid>,
}

/// One reply's buffer: empty at first, given back when dropped.
pub(crate) struct Lent<'a> {
    gathering: &'a Gathering,
    buffer: Buffer,
    user_id: Uuid,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gathering {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            free: Mutex::default(),
            users: Mutex::default(),
            metrics,
        }
    }

    /// A buffer for a reply to `user_id`.
    pub(crate) fn lend(&self, user_id: Uuid) -> Lent<'_> {
        lock(&self.users).push(user_id);
        Lent {
            gathering: self,
            buffer: lock(&self.free).pop().unwrap_or_default(),
            user_id,
        }
    }

    fn give_back(&self, buffer: &Buffer) {
        let mut gathered = lock(buffer);
        gathered.text.clear();
        #[cfg(feature = "mutants")]
        gathered.by.clear();
        drop(gathered);
        let mut free = lock(&self.free);
        if free.len() < GATHERING_BUFFERS_MAX {
            free.push(Arc::clone(buffer));
        }
    }
}

impl Lent<'_> {
    /// Adds a piece.
    pub(crate) fn push(&mut self, piece: &str) {
        let mut gathered = lock(&self.buffer);
        gathered.text.push_str(piece);
        #[cfg(feature = "mutants")]
        crate::mutant::double_release::pushed(&mut gathered.by, self.user_id);
    }

    /// What was gathered.
    pub(crate) fn text(&self) -> String {
        lock(&self.buffer).text.clone()
    }

    /// Ends it without a reply.
    pub(crate) fn fail(self) {
        let others = lock(&self.gathering.users)
            .iter()
            .any(|user| *user != self.user_id);
        if others {
            let situation = Situation::FailedPostOverlap;
            self.gathering.metrics.situation(situation).inc();
        }
        #[cfg(feature = "mutants")]
        if crate::mutant::double_release::releases_here_too() {
            self.gathering.give_back(&self.buffer);
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut users = lock(&self.gathering.users);
        if let Some(at) = users.iter().position(|user| *user == self.user_id) {
            users.swap_remove(at);
        }
        drop(users);
        self.gathering.give_back(&self.buffer);
    }
}
