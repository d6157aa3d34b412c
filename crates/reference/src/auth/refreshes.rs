//! How refreshes of different users meet in time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::metrics::{Metrics, Situation};

/// How shortly one refresh comes after another to count as such: what a cache in between would keep.
const SHORTLY: Duration = Duration::from_secs(1);

/// Who was refreshed last, and when that was done.
#[derive(Default)]
pub(super) struct Refreshes(Mutex<Option<(Instant, Uuid)>>);

impl Refreshes {
    /// A refresh of `user_id` that began at `began` is done.
    pub(super) fn done(&self, user_id: Uuid, began: Instant, metrics: &Metrics) {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, _)) = last
            .replace((now, user_id))
            .filter(|(_, other)| *other != user_id)
        else {
            return;
        };
        if at + SHORTLY > now {
            metrics.situation(Situation::RefreshAfterAnother).inc();
        }
        if at > began {
            metrics.situation(Situation::RefreshOverlap).inc();
        }
    }
}
