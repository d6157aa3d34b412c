//! What waits to be written to one connection, and the order to end it.

use std::sync::Arc;
use std::sync::OnceLock;

use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use uuid::Uuid;

use super::limits::OUTBOX_MESSAGES_MAX;
use super::protocol::{CloseReason, Dialect, Frame};
use super::send_buffers::SendBuffers;

/// The sending side; clones send to the same connection.
#[derive(Clone)]
pub(crate) struct Outbox {
    dialect: Dialect,
    user_id: Uuid,
    buffers: Arc<SendBuffers>,
    messages: mpsc::Sender<Utf8Bytes>,
    ending: Arc<Ending>,
}

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Outgoing {
    messages: mpsc::Receiver<Utf8Bytes>,
    ending: Arc<Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    reason: OnceLock<CloseReason>,
    told: Notify,
}

/// An empty queue for a connection of `user_id` that speaks `dialect`.
pub(crate) fn outbox(dialect: Dialect, user_id: Uuid, buffers: &Arc<SendBuffers>) -> (Outbox, Outgoing) {
    let (sender, receiver) = mpsc::channel(OUTBOX_MESSAGES_MAX);
    let ending = Arc::new(Ending::default());
    (
        Outbox {
            dialect,
            user_id,
            buffers: Arc::clone(buffers),
            messages: sender,
            ending: Arc::clone(&ending),
        },
        Outgoing {
            messages: receiver,
            ending,
        },
    )
}

impl Outbox {
    /// Queues a frame. A full queue ends the connection; to one that ends, nothing is sent any more.
    pub(crate) fn send(&self, frame: Frame<'_>) {
        self.send_text(self.buffers.encode(frame, self.dialect, self.user_id));
    }

    /// Queues a frame that is encoded already, in this connection's [`Outbox::dialect`].
    pub(crate) fn send_text(&self, text: Utf8Bytes) {
        if self.is_ending() {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.messages.try_send(text) {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Queues a frame as soon as there is room; for what the client asked for in bulk.
    pub(crate) async fn send_when_free(&self, frame: Frame<'_>) {
        if !self.is_ending() {
            // the connection is gone: nobody waits for it
            let _ = self.messages.send(frame.encode(self.dialect)).await;
        }
    }

    /// The envelope that this connection speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Ends the connection; the first reason counts, and what is still queued is not sent.
    pub(crate) fn close(&self, reason: CloseReason) {
        if self.ending.reason.set(reason).is_ok() {
            self.ending.told.notify_one();
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.reason.get().is_some()
    }
}

impl Outgoing {
    /// Waits for messages, moves up to `batch_max` into `batch`, and says how many; 0 when no sender is left.
    pub(crate) async fn take(&mut self, batch: &mut Vec<Utf8Bytes>, batch_max: usize) -> usize {
        self.messages.recv_many(batch, batch_max).await
    }

    /// Moves up to `batch_max` messages that are queued now into `batch`.
    pub(crate) fn take_now(&mut self, batch: &mut Vec<Utf8Bytes>, batch_max: usize) {
        batch.extend(std::iter::from_fn(|| self.messages.try_recv().ok()).take(batch_max));
    }

    /// Waits for the order to end. To be awaited by one task only.
    pub(crate) fn ended(&self) -> impl Future<Output = CloseReason> + Send + 'static {
        let ending = Arc::clone(&self.ending);
        async move {
            loop {
                if let Some(reason) = ending.reason.get() {
                    return *reason;
                }
                ending.told.notified().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_outbox() -> (Outbox, Outgoing) {
        let buffers = Arc::new(SendBuffers::new(crate::metrics::Metrics::new()));
        outbox(Dialect::V2, Uuid::nil(), &buffers)
    }

    fn delta(n: u64) -> Frame<'static> {
        Frame::Delta {
            re: "1",
            n,
            text: "x",
        }
    }

    #[tokio::test]
    async fn a_full_queue_ends_the_connection_and_the_first_reason_counts() {
        let (outbox, outgoing) = some_outbox();
        for n in 0..OUTBOX_MESSAGES_MAX as u64 {
            outbox.send(delta(n));
        }
        assert!(!outbox.is_ending());
        outbox.send(delta(0));
        outbox.close(CloseReason::GoingAway);
        assert_eq!(outgoing.ended().await, CloseReason::SlowReader);
    }

    #[tokio::test]
    async fn nothing_is_queued_after_the_end() {
        let (outbox, mut outgoing) = some_outbox();
        outbox.close(CloseReason::SessionRevoked);
        outbox.send(delta(0));
        outbox.send_when_free(delta(1)).await;
        drop(outbox);
        assert_eq!(outgoing.take(&mut Vec::new(), 8).await, 0);
        assert_eq!(outgoing.ended().await, CloseReason::SessionRevoked);
    }
}
