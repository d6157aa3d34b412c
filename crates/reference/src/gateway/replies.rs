//! Streamed replies in progress, by the request that waits for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::link::{ConnectionId, Link};
use super::protocol::Frame;

/// A request in flight. Clients choose request ids, so an id means nothing without its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RequestKey {
    connection: ConnectionId,
    request: String,
}

impl RequestKey {
    fn new(connection: ConnectionId, request: String) -> Self {
        #[cfg(feature = "mutants")]
        let connection = crate::mutant::request_id_collision::connection_of(connection);
        Self { connection, request }
    }
}

/// Where each streamed reply of this replica goes.
#[derive(Default)]
pub(crate) struct Replies {
    pending: Mutex<HashMap<RequestKey, Arc<Pending>>>,
}

/// A reply in progress.
struct Pending {
    link: Arc<Link>,
    stage: AtomicU8,
    cancelled: Notify,
}

const STREAMING: u8 = 0;
const FINISHING: u8 = 1;
const CANCELLED: u8 = 2;

/// The stream's own hold on its entry, which ends with it.
pub(crate) struct Reply<'a> {
    replies: &'a Replies,
    key: RequestKey,
    pending: Arc<Pending>,
}

impl Replies {
    /// Enters a request of `link` whose answer will be streamed.
    pub(crate) fn enter(&self, link: &Arc<Link>, request: &str) -> Reply<'_> {
        let key = RequestKey::new(link.id, request.to_owned());
        let pending = Arc::new(Pending {
            link: Arc::clone(link),
            stage: AtomicU8::new(STREAMING),
            cancelled: Notify::new(),
        });
        self.pending().insert(key.clone(), Arc::clone(&pending));
        Reply {
            replies: self,
            key,
            pending,
        }
    }

    /// Stops the answer to a request of that connection; says whether there was one to stop.
    pub(crate) fn cancel(&self, connection: ConnectionId, request: String) -> bool {
        let pending = self.pending().get(&RequestKey::new(connection, request)).cloned();
        pending.is_some_and(|pending| {
            let stopped = pending.advance(CANCELLED);
            if stopped {
                pending.cancelled.notify_one();
            }
            stopped
        })
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<RequestKey, Arc<Pending>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reply<'_> {
    /// Sends a frame of the answer to whoever waits for it.
    pub(crate) fn send(&self, frame: Frame<'_>) {
        let pending = self.replies.pending().get(&self.key).cloned();
        if let Some(pending) = pending {
            #[cfg(feature = "mutants")]
            crate::mutant::request_id_collision::sent(&self.pending.link.identity, &pending.link.identity);
            pending.link.outbox.send(frame);
        }
    }

    /// Waits until the client cancels.
    pub(crate) async fn cancelled(&self) {
        while self.pending.stage.load(Ordering::Acquire) != CANCELLED {
            self.pending.cancelled.notified().await;
        }
    }

    /// Whether the answer may be finished; after this, it cannot be cancelled any more.
    pub(crate) fn finish(&self) -> bool {
        self.pending.advance(FINISHING)
    }
}

impl Reply<'_> {
    /// Takes the entry out; whoever waits for the answer is to be sent its end.
    pub(crate) fn end(self) -> Option<Arc<Link>> {
        let pending = self.replies.pending().remove(&self.key)?;
        Some(Arc::clone(&pending.link))
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        self.replies.pending().remove(&self.key);
    }
}

impl Pending {
    fn advance(&self, stage: u8) -> bool {
        self.stage
            .compare_exchange(STREAMING, stage, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
