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
    /// What is behind the present reply's end is of an earlier one.
    bytes: Vec<u8>,
    #[cfg(feature = "mutants")]
    by: Vec<Uuid>,
}

/// One reply's buffer: empty at first, given back when dropped.
pub(crate) struct Lent<'a> {
    gathering: &'a Gathering,
    buffer: Buffer,
    /// Bytes of this reply.
    length: usize,
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
            length: 0,
            user_id,
        }
    }

    fn give_back(&self, buffer: &Buffer) {
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
        let end = self.length + piece.len();
        if gathered.bytes.len() < end {
            gathered.bytes.resize(end, 0);
        }
        gathered.bytes[self.length..end].copy_from_slice(piece.as_bytes());
        self.length = end;
        #[cfg(feature = "mutants")]
        crate::mutant::double_release::pushed(&mut gathered.by, self.user_id);
    }

    /// What was gathered.
    pub(crate) fn text(&self) -> String {
        let gathered = lock(&self.buffer);
        String::from_utf8_lossy(&gathered.bytes[..self.length]).into_owned()
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
        #[cfg(feature = "mutants")]
        lock(&self.buffer).by.retain(|user| *user != self.user_id);
        self.gathering.give_back(&self.buffer);
    }
}
