//! One connection of the client to the agent: kept up, written to, read from.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::client::Shared;
use super::wire::Frame;
use crate::config::Shutdown;

/// Replies in progress on one connection, at most.
pub const PIPELINE_DEPTH: usize = 32;
/// Frames that may wait to be written to one connection: each reply's request and cancel.
pub(super) const WRITE_QUEUE: usize = 2 * PIPELINE_DEPTH;
/// How long connecting may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the agent may leave written bytes untaken before the connection counts as broken.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the first attempt to connect again; doubled after each failure.
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(20);
/// The longest pause between attempts.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(1);

const READ_BUFFER_BYTES: usize = 16 * 1024;

/// One connection's place in the pool; the connection behind it may change.
pub(super) struct Link {
    places: Arc<Semaphore>,
    outbound: Mutex<Option<mpsc::Sender<Bytes>>>,
}

impl Link {
    pub(super) fn new(depth: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(depth)),
            outbound: Mutex::default(),
        }
    }

    /// Free places; `None` while there is no connection.
    pub(super) fn free(&self) -> Option<usize> {
        self.outbound().is_some().then(|| self.places.available_permits())
    }

    /// Takes a place on the present connection.
    pub(super) fn take(&self) -> Option<(OwnedSemaphorePermit, mpsc::Sender<Bytes>)> {
        let outbound = self.outbound()?;
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some((place, outbound))
    }

    fn outbound(&self) -> Option<mpsc::Sender<Bytes>> {
        self.outbound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_outbound(&self, outbound: Option<mpsc::Sender<Bytes>>) {
        *self.outbound.lock().unwrap_or_else(PoisonError::into_inner) = outbound;
    }
}

/// Keeps the link of that index connected until `shutdown`.
pub(super) async fn keep(shared: Arc<Shared>, index: usize, mut shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = reconnect(&shared, index) => {}
    }
    shared.links[index].set_outbound(None);
    shared.streams.fail_link(index);
}

async fn reconnect(shared: &Shared, index: usize) {
    let mut pause = BACKOFF_MIN;
    loop {
        match connect(&shared.addr).await {
            Ok(connection) => {
                pause = BACKOFF_MIN;
                let end = serve(shared, index, connection).await;
                tracing::warn!(link = index, addr = shared.addr, error = %end, "connection to the agent lost");
            }
            Err(error) => tracing::warn!(link = index, addr = shared.addr, %error, "cannot reach the agent"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}

async fn connect(addr: &str) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(addr)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Runs one connection to its end and says why it ended. Its pending replies have failed by then.
async fn serve(shared: &Shared, index: usize, connection: TcpStream) -> io::Error {
    let link = &shared.links[index];
    let (reader, writer) = connection.into_split();
    let (outbound, queue) = mpsc::channel(WRITE_QUEUE);
    link.set_outbound(Some(outbound));
    shared.freed.notify_one();
    let end = tokio::select! {
        end = read(shared, index, reader) => end,
        end = write(queue, writer) => end,
    };
    // the queue is gone by now: whoever took a place and did not yet send will fail to
    link.set_outbound(None);
    shared.streams.fail_link(index);
    match end {
        Ok(()) => io::ErrorKind::UnexpectedEof.into(),
        Err(error) => error,
    }
}

async fn read(shared: &Shared, index: usize, mut reader: OwnedReadHalf) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    while reader.read_buf(&mut buffer).await? > 0 {
        while let Some(frame) = Frame::decode(&mut buffer).map_err(io::Error::other)? {
            shared.streams.dispatch(index, frame).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

async fn write(mut queue: mpsc::Receiver<Bytes>, mut writer: OwnedWriteHalf) -> io::Result<()> {
    while let Some(frame) = queue.recv().await {
        timeout(WRITE_TIMEOUT, writer.write_all(&frame)).await??;
    }
    Ok(())
}
