//! Takes connections of gateways, reads their requests, and writes what the batches yield.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::batch::{self, Batching, Job};
use super::wire::{Ask, Body, Frame, Refusal};
use crate::config::Shutdown;
use crate::http::{ACCEPT_PAUSE, accept};
use crate::metrics::Metrics;

/// Connections open at once; one more waits in the listen queue.
pub const CONNECTIONS_MAX: usize = 256;
/// Replies in progress on one connection.
pub const STREAMS_MAX: usize = 128;
/// Frames that may wait to be written to one connection.
pub const OUTBOUND_QUEUE: usize = 1024;
/// How long a gateway may leave written bytes untaken before its connection is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

const READ_BUFFER_BYTES: usize = 16 * 1024;
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// Serves until `shutdown`; then takes no more requests and finishes the replies in progress.
///
/// The caller bounds how long that end may take: see [`Shutdown::bound`].
pub async fn serve(listener: TcpListener, batching: Batching, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    let (jobs, queue) = mpsc::channel(batch::QUEUE);
    let batches = tokio::spawn(batch::run(queue, batching, Arc::clone(&metrics)));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = Connection::new(jobs.clone(), &metrics);
                connections.spawn(connection.run(stream, place, shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, jobs));
    while connections.join_next().await.is_some() {}
    let _ = batches.await;
}

/// How a stream ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Whole,
    Cancelled,
    Lost,
    Refused,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Whole => "ok",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}

/// A reply in progress: where its frames go, and whether they are still wanted.
pub(super) struct OpenStream {
    id: u64,
    outbound: mpsc::Sender<Frame>,
    cancelled: Arc<AtomicBool>,
    open: Arc<OpenStreams>,
}

impl OpenStream {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Room for one frame in the connection's queue.
    pub(super) fn reserve(&self) -> Result<Permit<'_, Frame>, TrySendError<()>> {
        self.outbound.try_reserve()
    }

    pub(super) fn frame(&self, body: Body) -> Frame {
        Frame {
            stream: self.id,
            body,
        }
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.open.metrics.requests("reply", outcome.label()).inc();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.open.lock().remove(&self.id);
    }
}

/// The streams of one connection, with their cancel flags.
struct OpenStreams {
    flags: Mutex<HashMap<u64, Arc<AtomicBool>>>,
    metrics: Arc<Metrics>,
}

impl OpenStreams {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<AtomicBool>>> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, id: u64) -> Result<Arc<AtomicBool>, Refusal> {
        let mut flags = self.lock();
        let full = flags.len() >= STREAMS_MAX;
        match flags.entry(id) {
            Entry::Occupied(_) => Err(Refusal::DuplicateStream),
            Entry::Vacant(_) if full => Err(Refusal::Busy),
            Entry::Vacant(vacant) => Ok(Arc::clone(vacant.insert(Arc::default()))),
        }
    }

    fn cancel(&self, id: u64) {
        if let Some(flag) = self.lock().get(&id) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    fn cancel_all(&self) {
        for flag in self.lock().values() {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

struct Connection {
    jobs: mpsc::Sender<Job>,
    open: Arc<OpenStreams>,
}

impl Connection {
    fn new(jobs: mpsc::Sender<Job>, metrics: &Arc<Metrics>) -> Self {
        let open = Arc::new(OpenStreams {
            flags: Mutex::default(),
            metrics: Arc::clone(metrics),
        });
        Self { jobs, open }
    }

    async fn run(self, stream: TcpStream, _place: OwnedSemaphorePermit, mut shutdown: Shutdown) {
        let connections_open = self.open.metrics.connections_open().clone();
        connections_open.inc();
        let open = Arc::clone(&self.open);
        let (reader, writer) = stream.into_split();
        let (outbound, frames) = mpsc::channel(OUTBOUND_QUEUE);
        let mut written = std::pin::pin!(write(frames, writer));
        let ended = tokio::select! {
            ended = self.read(reader, outbound) => ended,
            ended = &mut written => ended,
            // the reader is dropped and the writer ends with the last stream
            () = shutdown.requested() => written.await,
        };
        open.cancel_all();
        if let Err(error) = ended {
            tracing::warn!(%error, "connection of a gateway failed");
        }
        connections_open.dec();
    }

    async fn read(self, mut reader: OwnedReadHalf, outbound: mpsc::Sender<Frame>) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
        while reader.read_buf(&mut buffer).await? > 0 {
            while let Some(Frame { stream, body }) = Frame::decode(&mut buffer).map_err(io::Error::other)? {
                match body {
                    Body::Request(ask) => self.take(stream, ask, &outbound).await,
                    Body::Cancel => self.open.cancel(stream),
                    _ => return Err(io::Error::other("a frame that only an agent may send")),
                }
            }
        }
        Ok(())
    }

    async fn take(&self, id: u64, ask: Ask, outbound: &mpsc::Sender<Frame>) {
        let queued = self.open.open(id).and_then(|cancelled| {
            let stream = OpenStream {
                id,
                outbound: outbound.clone(),
                cancelled,
                open: Arc::clone(&self.open),
            };
            self.jobs
                .try_send(Job { ask, stream })
                .map_err(|_| Refusal::Overloaded)
        });
        if let Err(refusal) = queued {
            self.open
                .metrics
                .requests("reply", Outcome::Refused.label())
                .inc();
            // waits for room; a queue that stays full ends the writer, and with it this connection
            let _ = outbound
                .send(Frame {
                    stream: id,
                    body: Body::Refusal(refusal),
                })
                .await;
        }
    }
}

/// Writes frames, as many at once as wait, until all their senders are gone.
async fn write(mut frames: mpsc::Receiver<Frame>, mut writer: OwnedWriteHalf) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(WRITE_BUFFER_BYTES);
    while let Some(frame) = frames.recv().await {
        frame.encode(&mut buffer).map_err(io::Error::other)?;
        while buffer.len() < WRITE_BUFFER_BYTES {
            let Ok(frame) = frames.try_recv() else { break };
            frame.encode(&mut buffer).map_err(io::Error::other)?;
        }
        timeout(WRITE_TIMEOUT, writer.write_all(&buffer)).await??;
        buffer.clear();
    }
    Ok(())
}
