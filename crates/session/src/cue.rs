//! What the conductor says, as the users of one thread hear it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use tokio::sync::watch;

use crate::conductor::Cue;

/// The latest cue of one thread. To look at it costs nothing, which matters: users look each time something comes in.
#[derive(Debug)]
pub(crate) struct Prompter {
    cue: Cell<Cue>,
    /// How many cues there were.
    given: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Prompter {
    pub(crate) fn new() -> Self {
        Self {
            cue: Cell::new(Cue::Wait),
            given: Cell::default(),
            waiting: RefCell::default(),
        }
    }

    /// Passes on what the conductor says, to the end.
    pub(crate) async fn listen(&self, mut cues: watch::Receiver<Cue>) {
        loop {
            let cue = *cues.borrow_and_update();
            self.give(cue);
            if cues.changed().await.is_err() {
                // the conductor is gone
                return self.give(Cue::Stop);
            }
        }
    }

    fn give(&self, cue: Cue) {
        self.cue.set(cue);
        self.given.set(self.given.get() + 1);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The first cue that `is` the one.
    pub(crate) async fn wait_for(&self, is: impl Fn(Cue) -> bool) -> Cue {
        let mut registered: Option<(u64, Waker)> = None;
        poll_fn(|cx| {
            let (cue, given) = (self.cue.get(), self.given.get());
            if is(cue) {
                return Poll::Ready(cue);
            }
            let known = |(at, waker): &(u64, Waker)| *at == given && waker.will_wake(cx.waker());
            if !registered.as_ref().is_some_and(known) {
                self.waiting.borrow_mut().push(cx.waker().clone());
                registered = Some((given, cx.waker().clone()));
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake};

    use history::At;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_cue_wakes_whoever_waits_and_the_right_one_ends_the_wait() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let prompter = Prompter::new();
        let mut wait = pin!(prompter.wait_for(|cue| cue == Cue::Stop));
        for given in 0..3 {
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert_eq!(woken.0.load(Ordering::Relaxed), given);
            prompter.give(Cue::Play {
                phase: 1,
                from: At(5),
            });
        }
        prompter.give(Cue::Stop);
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Cue::Stop));
    }
}
