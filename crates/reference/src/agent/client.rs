//! The gateways' client of the agent: a pool of connections, many replies in progress on each.
//!
//! Whoever wants a reply checks out a *place*: one of `PIPELINE_DEPTH` on one of the connections. Places are given in the
//! order of asking. Each reply has a wire stream of its own, numbered by the client and never numbered again, so that
//! what arrives late for a cancelled one finds nobody.

use std::collections::HashMap;
use std::future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use uuid::Uuid;

use super::link::{self, Link, PIPELINE_DEPTH, WRITE_TIMEOUT};
use super::request_buffers::RequestBuffers;
use super::streams::{AgentError, Item, Piece, Streams};
use super::wire::{Ask, Body, FRAME_BYTES_MAX, Frame, WireError};
use crate::config::{Shutdown, ShutdownTrigger};
use crate::metrics::{Metrics, Situation};
use crate::pool::{Hold, PoolFigures};

/// How long a request waits for a place, or for the agent to come back.
pub const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest silence within a reply.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// A reply wanted by a request of an end user.
#[derive(Clone, Debug)]
pub struct ReplyRequest {
    /// The end user.
    pub user_id: Uuid,
    /// How long to wait for a place, if less than [`CHECKOUT_TIMEOUT`]. If no time is left, not even a free one is taken.
    pub wait: Option<Duration>,
    /// The end user's connection, by the gateway's own number.
    pub conn: u64,
    /// The end user's request id: not unique, and never used on the wire.
    pub request: String,
    /// The thread's title.
    pub title: String,
    /// The thread's last messages as stored, oldest first, the posted one last.
    pub bodies: Vec<String>,
    /// The posted message's nonce.
    pub nonce: String,
}

/// A pool of connections to the agent, shared by all its clones; it connects by itself, and again when a connection breaks.
///
/// Its figures are those of pool `agent`, in places. It counts `equal_request_id_in_flight`, `cancelled_reply`,
/// `cancelled_then_reused` and `buffer_after_timeout`.
#[derive(Clone)]
pub struct AgentClient {
    shared: Arc<Shared>,
    _open: Arc<ShutdownTrigger>,
}

pub(super) struct Shared {
    pub(super) addr: String,
    pub(super) links: Vec<Link>,
    pub(super) streams: Streams,
    /// A place was given back, or a connection came up.
    pub(super) freed: Notify,
    /// Held by whoever is next to get a place.
    turn: tokio::sync::Mutex<()>,
    next_stream: AtomicU64,
    in_flight: Mutex<HashMap<String, Vec<u64>>>,
    buffers: RequestBuffers,
    /// Whose request was cancelled last on each link, until the next request there.
    cancelled: Mutex<HashMap<usize, Uuid>>,
    figures: PoolFigures,
    metrics: Arc<Metrics>,
}

impl AgentClient {
    /// A client of the agent at `addr` (`host:port`) with that many connections, at least one. The connections end
    /// with the last clone.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(addr: impl Into<String>, connections: usize, metrics: &Arc<Metrics>) -> Self {
        Self::with_depth(addr, connections, PIPELINE_DEPTH, metrics)
    }

    /// As [`Self::new`], with `depth` places on each connection instead of [`PIPELINE_DEPTH`]: at least one, not more.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_depth(
        addr: impl Into<String>,
        connections: usize,
        depth: usize,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let (connections, depth) = (connections.max(1), depth.clamp(1, PIPELINE_DEPTH));
        let shared = Arc::new(Shared {
            addr: addr.into(),
            links: (0..connections).map(|_| Link::new(depth)).collect(),
            streams: Streams::default(),
            freed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            next_stream: AtomicU64::new(1),
            in_flight: Mutex::default(),
            buffers: RequestBuffers::new(Arc::clone(metrics)),
            cancelled: Mutex::default(),
            figures: metrics.pool("agent", connections * depth),
            metrics: Arc::clone(metrics),
        });
        let (open, shutdown) = Shutdown::manual();
        for index in 0..connections {
            tokio::spawn(link::keep(Arc::clone(&shared), index, shutdown.clone()));
        }
        Self {
            shared,
            _open: Arc::new(open),
        }
    }

    /// Whether a connection to the agent is up now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.links.iter().any(|link| link.free().is_some())
    }

    /// Asks for a reply and returns once the request is on its way.
    ///
    /// # Errors
    /// [`AgentError::TooLarge`], [`AgentError::CheckoutTimeout`] or [`AgentError::ConnectionLost`]. It is not tried again:
    /// the caller knows whether its user still waits.
    pub async fn reply(&self, request: ReplyRequest) -> Result<ReplyStream, AgentError> {
        let shared = &self.shared;
        let user_id = request.user_id;
        let ask = Ask {
            user_id,
            title: request.title,
            bodies: request.bodies,
            nonce: request.nonce,
        };
        let mut buffer = shared.buffers.lend(user_id);
        // its number is given when there is a place
        let unnumbered = Frame {
            stream: 0,
            body: Body::Request(ask),
        };
        encode(&unnumbered, buffer.bytes())?;
        let wait = request
            .wait
            .map_or(CHECKOUT_TIMEOUT, |wait| wait.min(CHECKOUT_TIMEOUT));
        let place = match Place::check_out(shared, wait).await {
            Ok(place) => place,
            Err(error) => {
                buffer.give_up();
                return Err(error);
            }
        };
        let stream = shared.next_stream.fetch_add(1, Ordering::Relaxed);
        let frame = buffer.numbered(stream);
        shared.note_request(place.link, user_id);
        let asked = Asked::note(shared, request.request, request.conn);
        let items = shared.streams.open(stream, place.link);
        #[cfg(feature = "mutants")]
        let items = crate::mutant::cancel_desync::next(place.link, items, user_id);
        // from here on a drop forgets the stream and tells the agent
        let reply = ReplyStream {
            stream,
            user_id,
            items,
            place: Some(place),
            pieces: 0,
            _asked: asked,
        };
        reply.send(frame).await?;
        Ok(reply)
    }
}

impl Shared {
    /// Counts a request of `user_id` that follows another user's cancelled one on its link.
    fn note_request(&self, link: usize, user_id: Uuid) {
        let cancelled = self.cancelled().remove(&link);
        if cancelled.is_some_and(|other| other != user_id) {
            self.metrics.situation(Situation::CancelledThenReused).inc();
        }
    }

    fn cancelled(&self) -> MutexGuard<'_, HashMap<usize, Uuid>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends a frame to `bytes`.
fn encode(frame: &Frame, bytes: &mut BytesMut) -> Result<(), AgentError> {
    match frame.encode(bytes) {
        Ok(()) => Ok(()),
        Err(WireError::Length { bytes }) => Err(AgentError::TooLarge {
            bytes,
            limit: FRAME_BYTES_MAX,
        }),
        Err(_) => Err(AgentError::TooLarge {
            bytes: bytes.len(),
            limit: FRAME_BYTES_MAX,
        }),
    }
}

/// A place on a connection, given back when dropped.
struct Place {
    shared: Arc<Shared>,
    link: usize,
    outbound: mpsc::Sender<Bytes>,
    permit: Option<OwnedSemaphorePermit>,
    _hold: Hold,
}

impl Place {
    async fn check_out(shared: &Arc<Shared>, wait: Duration) -> Result<Self, AgentError> {
        let waiting = shared.figures.wait();
        let found = timeout(wait, async {
            // a timeout looks at the clock last: it would let a free place be taken
            if wait.is_zero() {
                return future::pending().await;
            }
            let _turn = shared.turn.lock().await;
            loop {
                if let Some(found) = Self::find(shared) {
                    return found;
                }
                shared.freed.notified().await;
            }
        });
        match found.await {
            Ok((link, permit, outbound)) => {
                let (shared, permit, _hold) = (Arc::clone(shared), Some(permit), waiting.granted());
                Ok(Self {
                    shared,
                    link,
                    outbound,
                    permit,
                    _hold,
                })
            }
            Err(_) => {
                waiting.timed_out();
                Err(AgentError::CheckoutTimeout { wait })
            }
        }
    }

    /// A place on the connection with the most free ones.
    fn find(shared: &Shared) -> Option<(usize, OwnedSemaphorePermit, mpsc::Sender<Bytes>)> {
        let links = shared.links.iter().enumerate();
        let (index, link) = links.max_by_key(|(_, link)| link.free())?;
        let (permit, outbound) = link.take()?;
        Some((index, permit, outbound))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit = None;
        self.shared.freed.notify_one();
    }
}

/// An end user's request in flight, for the count of equal ids.
struct Asked {
    shared: Arc<Shared>,
    request: String,
    conn: u64,
}

impl Asked {
    fn note(shared: &Arc<Shared>, request: String, conn: u64) -> Self {
        let mut in_flight = shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let conns = in_flight.entry(request.clone()).or_default();
        if conns.iter().any(|other| *other != conn) {
            shared.metrics.situation(Situation::EqualRequestIdInFlight).inc();
        }
        conns.push(conn);
        drop(in_flight);
        Self {
            shared: Arc::clone(shared),
            request,
            conn,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut in_flight = self
            .shared
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(conns) = in_flight.get_mut(&self.request) else {
            return;
        };
        if let Some(at) = conns.iter().position(|conn| *conn == self.conn) {
            conns.swap_remove(at);
        }
        if conns.is_empty() {
            in_flight.remove(&self.request);
        }
    }
}

/// A reply as it streams in. Dropping it before its end cancels it at the agent; the connection goes on serving others.
pub struct ReplyStream {
    stream: u64,
    user_id: Uuid,
    items: mpsc::Receiver<Item>,
    place: Option<Place>,
    pieces: u32,
    _asked: Asked,
}

impl ReplyStream {
    /// The next piece; `None` after the last one of a whole reply, and after an error.
    ///
    /// It may be dropped while it waits: no piece is lost.
    ///
    /// # Errors
    /// Any [`AgentError`] but those of [`AgentClient::reply`]: the reply is not whole and nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Piece, AgentError>> {
        self.place.as_ref()?;
        match timeout(PIECE_TIMEOUT, self.items.recv()).await {
            Ok(Some(Item::Piece(piece))) => {
                self.pieces += 1;
                Some(Ok(piece))
            }
            Ok(Some(Item::End)) => {
                self.place = None;
                None
            }
            Ok(Some(Item::Failed(error))) => {
                self.cancel();
                Some(Err(error))
            }
            Ok(None) => {
                self.cancel();
                Some(Err(AgentError::ConnectionLost))
            }
            Err(_) => {
                self.cancel();
                Some(Err(AgentError::Stalled { wait: PIECE_TIMEOUT }))
            }
        }
    }

    async fn send(&self, frame: Bytes) -> Result<(), AgentError> {
        let Some(place) = &self.place else {
            return Err(AgentError::ConnectionLost);
        };
        match timeout(WRITE_TIMEOUT, place.outbound.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(AgentError::ConnectionLost),
            Err(_) => Err(AgentError::Stalled { wait: WRITE_TIMEOUT }),
        }
    }

    /// Forgets the stream, tells the agent, gives the place back.
    fn cancel(&mut self) {
        let Some(place) = self.place.take() else { return };
        place.shared.streams.forget(self.stream);
        let cancel = Frame {
            stream: self.stream,
            body: Body::Cancel,
        };
        let mut bytes = BytesMut::new();
        if encode(&cancel, &mut bytes).is_ok() {
            // a full queue or a broken connection: the agent finishes the reply, and it is discarded here
            let _ = place.outbound.try_send(bytes.freeze());
        }
    }
}

impl Drop for ReplyStream {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            if self.pieces > 0 {
                place.shared.metrics.situation(Situation::CancelledReply).inc();
            }
            place.shared.cancelled().insert(place.link, self.user_id);
            #[cfg(feature = "mutants")]
            if crate::mutant::cancel_desync::leaves(place.link, &mut self.items, self.user_id) {
                return;
            }
        }
        self.cancel();
    }
}
