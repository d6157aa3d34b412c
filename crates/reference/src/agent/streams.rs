//! The replies that a client waits for, by stream id.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};

use super::wire::{Body, Frame, Refusal};

/// Pieces that may wait for the reader of one reply.
pub(super) const REPLY_QUEUE: usize = 256;

/// One piece of a streamed reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its place, counting from 0.
    pub n: u32,
    /// Its text, 1 to 24 characters.
    pub text: String,
}

/// Why a reply did not come, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// No place on a connection became free in time.
    #[error("no connection to the agent was free within {} ms", wait.as_millis())]
    CheckoutTimeout {
        /// The limit.
        wait: Duration,
    },
    /// The request is larger than a frame may be.
    #[error("the request to the agent is too large: {bytes} bytes, allowed are {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The connection broke.
    #[error("the connection to the agent was lost")]
    ConnectionLost,
    /// The agent sent nothing more.
    #[error("the agent sent nothing for {} ms", wait.as_millis())]
    Stalled {
        /// The limit.
        wait: Duration,
    },
    /// The reply was not read as fast as it came.
    #[error("{REPLY_QUEUE} pieces of the reply waited to be read")]
    SlowReader,
    /// The agent refused.
    #[error("the agent refused: {0}")]
    Refused(Refusal),
    /// Pieces were missing, doubled or out of order.
    #[error("the agent's pieces do not fit together")]
    OutOfOrder,
}

/// What a reader finds in its queue.
#[derive(Debug)]
pub(crate) enum Item {
    Piece(Piece),
    End,
    Failed(AgentError),
}

struct Pending {
    link: usize,
    pieces: mpsc::Sender<Item>,
    /// A place kept free in the queue, so that the end of a reply always gets through.
    last: OwnedPermit<Item>,
    next_n: u32,
}

impl Pending {
    fn end(self, item: Item) {
        self.last.send(item);
    }
}

/// A frame that no agent may send to a client.
#[derive(Debug, thiserror::Error)]
#[error("the agent sent a frame that only a client may send")]
pub(super) struct Misdirected;

/// The pending replies of all links of one client.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<u64, Pending>>);

impl Streams {
    /// Opens `stream` on `link`; its items come out of the receiver.
    pub(super) fn open(&self, stream: u64, link: usize) -> mpsc::Receiver<Item> {
        let (pieces, items) = mpsc::channel(REPLY_QUEUE + 1);
        if let Ok(last) = pieces.clone().try_reserve_owned() {
            self.lock().insert(
                stream,
                Pending {
                    link,
                    pieces,
                    last,
                    next_n: 0,
                },
            );
        }
        items
    }

    /// Forgets `stream`; what still arrives for it is discarded.
    pub(super) fn forget(&self, stream: u64) {
        self.lock().remove(&stream);
    }

    /// Fails every reply pending on `link`.
    pub(super) fn fail_link(&self, link: usize) {
        for (_, pending) in self.lock().extract_if(|_, pending| pending.link == link) {
            pending.end(Item::Failed(AgentError::ConnectionLost));
        }
    }

    /// Hands a frame that came over `link` to its reader. A frame of a stream that was cancelled is discarded; so is one
    /// of a stream of another link, which would be somebody else's.
    pub(super) fn dispatch(&self, link: usize, frame: Frame) -> Result<(), Misdirected> {
        let mut streams = self.lock();
        let Some(pending) = streams
            .get_mut(&frame.stream)
            .filter(|pending| pending.link == link)
        else {
            return Ok(());
        };
        let end = match frame.body {
            Body::Piece { n, text } if n == pending.next_n => {
                pending.next_n += 1;
                match pending.pieces.try_send(Item::Piece(Piece { n, text })) {
                    Ok(()) => return Ok(()),
                    Err(TrySendError::Full(_)) => Item::Failed(AgentError::SlowReader),
                    Err(TrySendError::Closed(_)) => Item::End,
                }
            }
            Body::End { pieces } if pieces == pending.next_n => Item::End,
            Body::Piece { .. } | Body::End { .. } => Item::Failed(AgentError::OutOfOrder),
            Body::Refusal(refusal) => Item::Failed(AgentError::Refused(refusal)),
            Body::Request(_) | Body::Cancel => return Err(Misdirected),
        };
        if let Some(pending) = streams.remove(&frame.stream) {
            pending.end(end);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
