//! A break of the harness itself: heard by the conductor, so that a run whose evidence is lost does not go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::watch;

/// One worker's line to the conductor.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    raised: watch::Sender<bool>,
    panicked: Arc<AtomicBool>,
}

impl Alarm {
    /// For one worker; `raised` is what the conductor watches, the same for all.
    pub(crate) fn new(raised: watch::Sender<bool>) -> Self {
        Self {
            raised,
            panicked: Arc::default(),
        }
    }

    /// The worker cannot do its work any more.
    pub(crate) fn raise(&self) {
        self.raised
            .send_if_modified(|raised| !std::mem::replace(raised, true));
    }

    /// Whether one of the worker's tasks panicked.
    pub(crate) fn panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// To be held by a task, or by the thread itself, as long as it runs.
    pub(crate) fn tripwire(&self) -> Tripwire {
        Tripwire(self.clone())
    }
}

/// Raises the alarm when a panic drops it.
pub(crate) struct Tripwire(Alarm);

impl Drop for Tripwire {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.panicked.store(true, Ordering::Relaxed);
            self.0.raise();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_raises_it_and_one_that_ends_does_not() {
        let (raise, raised) = watch::channel(false);
        let alarm = Alarm::new(raise.clone());
        let other = Alarm::new(raise);
        let task = |breaks: bool| {
            let tripwire = alarm.tripwire();
            async move {
                let _tripwire = tripwire;
                tokio::task::yield_now().await;
                assert!(!breaks, "as this test wants");
            }
        };
        let tasks = LocalSet::new();
        tasks.run_until(tasks.spawn_local(task(false))).await.unwrap();
        assert!(!*raised.borrow() && !alarm.panicked());
        let broke = tasks.run_until(tasks.spawn_local(task(true))).await;
        assert!(broke.is_err());
        assert!(*raised.borrow() && alarm.panicked());
        assert!(!other.panicked(), "the other worker is whole");
    }
}
