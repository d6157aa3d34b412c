//! Places for connections: a bounded number. When all are taken, the connection that has waited longest for its client
//! gives its place to the next one, so that clients who say nothing keep nobody out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The places of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// A place is free, or lent.
    change: Notify,
}

/// The connections that wait for their clients, the longest wait first.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    by_age: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    permit: OwnedSemaphorePermit,
    evicted: Arc<Notify>,
}

/// A connection's place: kept while it works, lent while it waits for its client.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    hold: Mutex<Hold>,
    evicted: Arc<Notify>,
}

#[derive(Debug)]
enum Hold {
    /// It works, and keeps the place.
    Working(OwnedSemaphorePermit),
    /// It waits, under this number.
    Waiting(u64),
    /// The place is another's.
    Lost,
}

impl Places {
    /// So many places.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Shared {
            free: Arc::new(Semaphore::new(count)),
            waiting: Mutex::default(),
            change: Notify::new(),
        }))
    }

    /// A place at once: a free one, or that of whoever has waited longest for its client; `None` if all work. Its holder
    /// waits for its client.
    pub(crate) fn try_enter(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0.free).try_acquire_owned().ok();
        let place = Place {
            places: self.clone(),
            hold: Mutex::new(Hold::Working(permit.or_else(|| self.evict())?)),
            evicted: Arc::default(),
        };
        place.wait();
        Some(place)
    }

    /// A place, as soon as there is one. To be awaited by one task only.
    pub(crate) async fn enter(&self) -> Place {
        loop {
            match self.try_enter() {
                Some(place) => return place,
                None => self.0.change.notified().await,
            }
        }
    }

    /// Ends the connection that has waited longest for its client, and takes its place.
    pub(crate) fn evict(&self) -> Option<OwnedSemaphorePermit> {
        let (_, waiter) = self.waiting().by_age.pop_first()?;
        waiter.evicted.notify_one();
        Some(waiter.permit)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// From now on it waits for its client.
    pub(crate) fn wait(&self) {
        let mut hold = self.hold();
        *hold = match std::mem::replace(&mut *hold, Hold::Lost) {
            Hold::Working(permit) => {
                let mut waiting = self.places.waiting();
                waiting.last += 1;
                let number = waiting.last;
                let evicted = Arc::clone(&self.evicted);
                waiting.by_age.insert(number, Waiter { permit, evicted });
                self.places.0.change.notify_one();
                Hold::Waiting(number)
            }
            unchanged => unchanged,
        };
    }

    /// Resolves once its place is another's: it must go.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// From now on it works; false if it must go.
    pub(crate) fn work(&self) -> bool {
        let mut hold = self.hold();
        if let Hold::Waiting(number) = *hold {
            let waiter = self.places.waiting().by_age.remove(&number);
            *hold = waiter.map_or(Hold::Lost, |waiter| Hold::Working(waiter.permit));
        }
        matches!(*hold, Hold::Working(_))
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // takes the permit out of the queue of those that wait
        self.work();
        *self.hold() = Hold::Lost;
        self.places.0.change.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_longest_gives_way_to_the_next() {
        let places = Places::new(2);
        let (first, second) = (places.try_enter().unwrap(), places.try_enter().unwrap());
        assert!(first.work() && second.work());
        assert!(places.try_enter().is_none(), "both work");
        second.wait();
        first.wait();
        let third = places.try_enter().expect("the place of the second");
        assert!(third.work());
        second.evicted().await;
        assert!(!second.work());
        assert!(first.work(), "it was not its turn");
        drop(second);
        assert!(
            places.try_enter().is_none(),
            "a place that is lost is not given back"
        );
        drop(third);
        assert!(places.try_enter().is_some());
    }

    #[tokio::test]
    async fn whoever_works_is_waited_for() {
        let places = Places::new(1);
        for leave in [drop as fn(Place), |place| std::mem::forget((place.wait(), place))] {
            let first = places.enter().await;
            assert!(first.work());
            let (second, ()) = tokio::join!(places.enter(), async { leave(first) });
            assert!(second.work());
        }
    }

    #[tokio::test]
    async fn whoever_waits_can_be_sent_away() {
        let places = Places::new(1);
        let first = places.enter().await;
        assert!(places.evict().is_some());
        first.evicted().await;
        assert!(!first.work());
        assert!(places.evict().is_none());
    }
}
