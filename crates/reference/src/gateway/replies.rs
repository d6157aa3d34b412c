//! Streamed replies in progress, by the request that waits for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
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

/// Where each streamed reply of this replica goes.
#[derive(Default)]
pub(crate) struct Replies {
    pending: Mutex<HashMap<RequestKey, Arc<Pending>>>,
}

/// A reply in progress.
struct Pending {
    link: Arc<Link>,
    stage: AtomicU8,
    /// The database's backend that stored the question; 0 before.
    backend: AtomicI32,
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
        let key = RequestKey {
            connection: link.id,
            request: request.to_owned(),
        };
        let pending = Arc::new(Pending {
            link: Arc::clone(link),
            stage: AtomicU8::new(STREAMING),
            backend: AtomicI32::new(0),
            cancelled: Notify::new(),
        });
        let mut entries = self.pending();
        #[cfg(feature = "mutants")]
        let key = {
            let entries = entries.iter().map(|(key, entry)| (key, &entry.link.identity));
            let equal = entries.filter(|(other, _)| other.request == key.request);
            crate::mutant::request_id_collision::taken_over(&link.identity, equal)
                .unwrap_or(&key)
                .clone()
        };
        entries.insert(key.clone(), Arc::clone(&pending));
        drop(entries);
        Reply {
            replies: self,
            key,
            pending,
        }
    }

    /// Stops the answer to a request of that connection, if there is one to stop.
    pub(crate) fn cancel(&self, connection: ConnectionId, request: String) -> Option<Stopped> {
        let pending = self.pending().get(&RequestKey { connection, request }).cloned()?;
        pending.advance(CANCELLED).then(|| {
            pending.cancelled.notify_one();
            Stopped(pending)
        })
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<RequestKey, Arc<Pending>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reply that was cancelled.
pub(crate) struct Stopped(Arc<Pending>);

impl Stopped {
    /// The database's backend that stored its question, if that was begun.
    pub(crate) fn backend(&self) -> Option<i32> {
        Some(self.0.backend.load(Ordering::Relaxed)).filter(|backend| *backend != 0)
    }
}

impl Reply<'_> {
    /// Notes which backend of the database stores its question.
    pub(crate) fn stored_by(&self, backend: i32) {
        self.pending.backend.store(backend, Ordering::Relaxed);
    }

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
        #[cfg(feature = "mutants")]
        crate::mutant::request_id_collision::sent(&self.pending.link.identity, &pending.link.identity);
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::gateway::identity::Identity;
    use crate::gateway::outbox::{Outgoing, outbox};
    use crate::gateway::protocol::Dialect;
    use crate::gateway::send_buffers::SendBuffers;

    fn link(id: u64) -> (Arc<Link>, Outgoing) {
        let user_id = Uuid::from_u128(id.into());
        let identity = Identity {
            user_id,
            tenant_id: Uuid::nil(),
            session_id: user_id,
        };
        let buffers = Arc::new(SendBuffers::new(crate::metrics::Metrics::new()));
        let (outbox, outgoing) = outbox(Dialect::V2, user_id, &buffers);
        (
            Arc::new(Link::new(ConnectionId(id), identity, outbox, Vec::new())),
            outgoing,
        )
    }

    fn received(outgoing: &mut Outgoing) -> Vec<String> {
        let mut batch = Vec::new();
        outgoing.take_now(&mut batch, 10);
        batch.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_request_ids_are_told_apart_by_connection() {
        let replies = Replies::default();
        let ((one, mut to_one), (two, mut to_two)) = (link(1), link(2));
        let (first, second) = (replies.enter(&one, "same"), replies.enter(&two, "same"));
        first.send(Frame::Delta {
            re: "same",
            n: 0,
            text: "for one",
        });
        assert_eq!(second.end().map(|link| link.id), Some(ConnectionId(2)));
        first.send(Frame::Delta {
            re: "same",
            n: 1,
            text: "still for one",
        });
        assert_eq!(received(&mut to_one).len(), 2);
        assert_eq!(received(&mut to_two), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_reply_is_cancelled_or_finished_but_not_both() {
        let replies = Replies::default();
        let (one, _outgoing) = link(1);
        let reply = replies.enter(&one, "r");
        assert!(replies.cancel(ConnectionId(2), "r".to_owned()).is_none());
        assert!(replies.cancel(ConnectionId(1), "r".to_owned()).is_some());
        assert!(replies.cancel(ConnectionId(1), "r".to_owned()).is_none());
        reply.cancelled().await;
        assert!(!reply.finish());
        drop(reply);
        let reply = replies.enter(&one, "r");
        assert!(reply.finish());
        assert!(replies.cancel(ConnectionId(1), "r".to_owned()).is_none());
        drop(reply);
        assert!(replies.cancel(ConnectionId(1), "r".to_owned()).is_none());
    }
}
