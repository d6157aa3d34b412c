//! Answers several requests at once, as a model server does: a batch has a slot for each, and every step yields one piece
//! of each reply. A slot that is finished or cancelled is dropped; the others go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use super::reply;
use super::server::{OpenStream, Outcome};
use super::wire::{Ask, Body};
use crate::metrics::{Metrics, Situation};

/// Requests that may wait for a batch.
pub const QUEUE: usize = 1024;
/// Batches in progress at once.
pub const BATCHES_MAX: usize = 64;
/// Pause before a piece is offered again to a connection whose queue is full.
const STALL_PAUSE: Duration = Duration::from_millis(1);
/// Bucket bounds of the batch sizes.
const SIZES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// How requests are put together.
#[derive(Clone, Debug, clap::Args)]
pub struct Batching {
    /// Most requests in a batch
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub batch_max: u16,
    /// How long the first request of a batch waits for others, in microseconds
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub batch_wait_us: u64,
    /// Pace of a batch: the time from one piece of a reply to the next, in microseconds
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub step_us: u64,
}

/// A request that waits for its batch.
pub(super) struct Job {
    pub(super) ask: Ask,
    pub(super) stream: OpenStream,
}

/// Puts jobs into batches until all senders of `queue` are gone, then waits for the batches in progress.
pub(super) async fn run(mut queue: mpsc::Receiver<Job>, batching: Batching, metrics: Arc<Metrics>) {
    let sizes = metrics.histogram("batch_size", "requests in a batch", &SIZES);
    let step = Duration::from_micros(batching.step_us);
    let running = Arc::new(Semaphore::new(BATCHES_MAX));
    while let Some(batch) = gather(&mut queue, &batching).await {
        sizes.observe(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        let Ok(place) = Arc::clone(&running).acquire_owned().await else {
            return;
        };
        tokio::spawn(answer(batch, step, place, Arc::clone(&metrics)));
    }
    // every place free means that every batch has ended
    let _ = running
        .acquire_many(u32::try_from(BATCHES_MAX).unwrap_or(u32::MAX))
        .await;
}

async fn gather(queue: &mut mpsc::Receiver<Job>, batching: &Batching) -> Option<Vec<Job>> {
    let mut batch = vec![queue.recv().await?];
    let deadline = Instant::now() + Duration::from_micros(batching.batch_wait_us);
    while batch.len() < usize::from(batching.batch_max) {
        match timeout_at(deadline, queue.recv()).await {
            Ok(Some(job)) => batch.push(job),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

async fn answer(batch: Vec<Job>, step: Duration, _place: OwnedSemaphorePermit, metrics: Arc<Metrics>) {
    let mut slots: Vec<Slot> = batch.into_iter().map(Slot::new).collect();
    let mut due = Instant::now();
    while !slots.is_empty() {
        let mut stalled = false;
        let mut at = 0;
        while let Some(slot) = slots.get_mut(at) {
            let after = slot.step();
            stalled |= matches!(after, Step::Stalled);
            match after {
                Step::Sent | Step::Stalled => at += 1,
                Step::Ended => drop(slots.remove(at)),
                Step::DroppedOut => compact(&mut slots, at, &metrics),
            }
        }
        let pause = if stalled { step.max(STALL_PAUSE) } else { step };
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            // timers are late: the pace is kept over the steps, and what is lost all the same is not made up for
            due = (due + pause).max(Instant::now());
            sleep_until(due).await;
        }
    }
}

/// Takes out the slot of a request that is not wanted any more; those after it move up.
fn compact(slots: &mut Vec<Slot>, at: usize, metrics: &Metrics) {
    let left = slots.remove(at);
    if slots[at..]
        .iter()
        .any(|slot| slot.text.user_id != left.text.user_id)
    {
        metrics.situation(Situation::BatchCompacted).inc();
    }
    #[cfg(feature = "mutants")]
    crate::mutant::batch_slot_mix::compact(slots, at, left);
}

enum Step {
    Sent,
    /// The connection's queue is full; the server closes a connection that stays so.
    Stalled,
    Ended,
    /// Nobody wants the rest.
    DroppedOut,
}

/// One reply in progress: its stream and what is left of it, kept together.
pub(crate) struct Slot {
    stream: OpenStream,
    #[cfg(feature = "mutants")]
    pub(crate) user_id: Uuid,
    pub(crate) text: Text,
    sent: u32,
}

/// What is left of a reply.
pub(crate) struct Text {
    /// To whom it is.
    pub(crate) user_id: Uuid,
    /// The pieces still to come, the next one last.
    left: Vec<String>,
}

impl Slot {
    fn new(job: Job) -> Self {
        let mut left = reply::pieces(&reply::text(&job.ask));
        left.reverse();
        let user_id = job.ask.user_id;
        Self {
            stream: job.stream,
            #[cfg(feature = "mutants")]
            user_id,
            text: Text { user_id, left },
            sent: 0,
        }
    }

    fn step(&mut self) -> Step {
        if self.stream.is_cancelled() {
            self.stream.end(Outcome::Cancelled);
            return Step::DroppedOut;
        }
        let permit = match self.stream.reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Full(())) => return Step::Stalled,
            Err(TrySendError::Closed(())) => {
                self.stream.end(Outcome::Lost);
                return Step::DroppedOut;
            }
        };
        if let Some(text) = self.text.left.pop() {
            permit.send(self.stream.frame(Body::Piece { n: self.sent, text }));
            self.sent += 1;
            return Step::Sent;
        }
        permit.send(self.stream.frame(Body::End { pieces: self.sent }));
        self.stream.end(Outcome::Whole);
        Step::Ended
    }
}
