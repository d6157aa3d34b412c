//! One WebSocket connection: opened as the dialect wants it, asked, listened to until its end, closed.

mod attempt;
#[cfg(test)]
mod autobahn;
mod cancellation;
mod connect;
mod greeting;
mod kin;
mod ledger;
pub(crate) mod made;
mod over_http;
mod patience;
mod reader;
mod request_ids;
mod state;
mod steps;
mod tail;
mod tap;
mod trays;
mod unanswered;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Waker};

use futures_util::SinkExt;
use history::{At, CloseCause, Fact, Fingerprint, Outcome, Serial};
use isolation::fingerprints_of_name;
use isolation::scan::ids::pieces_of_token;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::codec::{Codec, Slot, Values, Wire};
use crate::profile::{Action, Dialect};
use crate::trace::TracedStep;
use crate::worker::Worker;

pub(crate) use attempt::Attempt;
use attempt::Listening;
#[cfg(test)]
pub(crate) use connect::Upgraded;
pub(crate) use connect::{Knock, Refusal, header_lines};
pub(crate) use greeting::Welcome;
use kin::Kin;
pub(crate) use kin::Visit;
use ledger::Ledger;
pub(crate) use ledger::{Change, Holder};
use patience::Patience;
pub use state::{Happening, State};
#[cfg(fuzzing)]
pub(crate) use tail::Tail;
pub(crate) use tap::Backlog;
use tap::Tap;
pub(crate) use trays::Trays;

/// Bytes that may wait for a service that does not read; requests beyond are not sent.
const UNSENT_LIMIT_BYTES: usize = 1 << 20;
/// Request ids that a phase may use before they run into those of the next.
const IDS_PER_PHASE: u32 = 100_000;

type Stream = WebSocketStream<Tap>;

/// An open connection, or one that has ended.
///
/// Whoever asks writes; a task of its own, the reader, reads, sends what did not go at once, and ends attempts whose time
/// is up. What it has read is taken, and what users wrote is sent, with all that others have: see [`Trays`].
pub(crate) struct Socket {
    worker: Rc<Worker>,
    holder: Holder,
    dialect: usize,
    state: RefCell<State>,
    codec: RefCell<Box<dyn Codec>>,
    ledger: RefCell<Ledger>,
    /// What frames may say of who asks.
    me: Values,
    /// The access token that it was opened with, for ops that go over HTTP; `None` if there was none.
    token: Option<String>,
    patience: RefCell<Patience>,
    stream: RefCell<Option<Stream>>,
    reader: RefCell<Option<JoinHandle<()>>>,
    /// Wakes the reader.
    waker: RefCell<Waker>,
    /// Something was written and has not been sent.
    unsent: Cell<bool>,
    /// When the reader will look for attempts whose time is up; `None` if it has to be told to.
    alarm: Cell<Option<At>>,
    /// What stood in the greetings of the handshake.
    greeting: RefCell<Values>,
    /// Steps of the handshake up to the last whose greeting has come, that one included.
    heard: Cell<usize>,
    /// The service has said that one is not let in.
    turned_away: Cell<bool>,
    /// Told of a greeting or a refusal.
    told: RefCell<Option<oneshot::Sender<()>>>,
    /// Connections to other threads, where each is a connection of its own.
    kin: Option<Box<Kin>>,
    /// Threads and rooms that were subscribed to because one has to be before one asks anything of them.
    listens: RefCell<BTreeMap<String, Listening>>,
    /// Highest position of an event that a resume can replay.
    cursor: Cell<u64>,
    last_inbound: Cell<At>,
    watches: RefCell<Vec<Watch>>,
    began: At,
}

/// Somebody waits for text to come in.
struct Watch {
    needle: String,
    /// Whether it has to be pushed, rather than to stand in an answer.
    pushed: bool,
    seen: oneshot::Sender<At>,
}

/// What a user asks.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) action: Action,
    pub(crate) values: Values,
    /// Serial of the canary in it that the reply must derive from.
    pub(crate) nonce: Option<Serial>,
    /// Serial of the canary in it that the acknowledgement promises to be stored.
    pub(crate) stores: Option<Serial>,
    /// When the schedule wanted it to begin; now, if there is none.
    pub(crate) intended: Option<At>,
    pub(crate) change: Option<Change>,
    pub(crate) probe: bool,
}

impl Request {
    pub(crate) fn new(action: Action) -> Self {
        Self {
            action,
            values: Values::new(),
            nonce: None,
            stores: None,
            intended: None,
            change: None,
            probe: false,
        }
    }

    pub(crate) fn with(mut self, slot: Slot, value: impl AsRef<str>) -> Self {
        self.values.set(slot, value);
        self
    }

    pub(crate) fn nonce(self, serial: Serial) -> Self {
        Self {
            nonce: Some(serial),
            ..self
        }
    }

    pub(crate) fn stores(self, serial: Serial) -> Self {
        Self {
            stores: Some(serial),
            ..self
        }
    }

    pub(crate) fn change(self, change: Change) -> Self {
        Self {
            change: Some(change),
            ..self
        }
    }

    pub(crate) fn intended(self, at: Option<At>) -> Self {
        Self { intended: at, ..self }
    }

    /// It asks for what must be denied, or is made to see whether that was.
    pub(crate) fn probe(self) -> Self {
        Self { probe: true, ..self }
    }

    /// Ids and tokens that it names: reflected, they are no evidence.
    fn names(&self) -> Vec<Fingerprint> {
        let ids = [Slot::Thread, Slot::Room, Slot::User, Slot::Owner].into_iter();
        let ids = ids
            .filter_map(|slot| self.values.get(slot))
            .flat_map(fingerprints_of_name);
        let tokens = self.values.get(Slot::AccessToken).into_iter();
        ids.chain(tokens.flat_map(pieces_of_token)).collect()
    }
}

impl Socket {
    pub(crate) fn holder(&self) -> Holder {
        self.holder
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.borrow().is_open()
    }

    /// Whether it is open and answers.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_open() && !self.patience.borrow().is_over()
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.worker.target.profile.dialects[self.dialect]
    }

    /// What resumes this connection after its end, if the greeting said.
    pub(crate) fn resume_token(&self) -> Option<String> {
        self.greeting.borrow().get(Slot::Resume).map(str::to_owned)
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    pub(crate) fn last_inbound(&self) -> At {
        self.last_inbound.get()
    }

    /// Request ids go on above those of earlier phases, equal on all connections.
    pub(crate) fn enter(&self, phase: u16) {
        self.ledger
            .borrow_mut()
            .align(u32::from(phase).saturating_mul(IDS_PER_PHASE));
        self.kin().iter().for_each(|other| other.enter(phase));
    }

    /// The number that the next request id will be.
    pub(crate) fn next_id(&self) -> u32 {
        self.ledger.borrow().peek()
    }

    /// Request ids go on well above those in use, so that those just below can be named as somebody else's.
    pub(crate) fn skip_ids(&self, count: u32) {
        self.ledger.borrow_mut().skip(count);
    }

    /// Resolves when `needle` comes in; to be set up before that can happen.
    pub(crate) fn watch(&self, needle: impl Into<String>) -> oneshot::Receiver<At> {
        self.watch_for(needle.into(), false)
    }

    /// As [`Self::watch`], for content that is pushed: that it stands in an answer is not enough.
    pub(crate) fn watch_pushes(&self, needle: impl Into<String>) -> oneshot::Receiver<At> {
        self.watch_for(needle.into(), true)
    }

    fn watch_for(&self, needle: String, pushed: bool) -> oneshot::Receiver<At> {
        let (seen, watch) = oneshot::channel();
        let watching = Watch { needle, pushed, seen };
        self.watches.borrow_mut().push(watching);
        watch
    }

    /// Says that the first authenticated reply has come.
    pub(crate) fn ready(&self, at: At) {
        let (conn, total_ns) = (self.holder.conn, at.since(self.began));
        self.worker.record_at(at, Fact::Ready { conn, total_ns });
    }

    /// Closes it in order: a close frame, its answer or a limit.
    pub(crate) async fn close(&self) {
        self.worker.trays.take();
        if self.change_state(Happening::WeClose) {
            self.send(Message::Close(None));
            let reader = self.reader.borrow_mut().take();
            if let Some(mut reader) = reader {
                let ended = tokio::time::timeout(self.worker.limits.close, &mut reader).await;
                if ended.is_err() {
                    reader.abort();
                }
            }
        }
        self.end(Happening::WeDrop);
    }

    /// Drops the stream without a close frame, as a phone in a tunnel does.
    pub(crate) fn drop_stream(&self) {
        self.end(Happening::WeDrop);
        self.drop_kin();
    }

    /// Moves to the next state; whether that made a difference.
    fn change_state(&self, happening: Happening) -> bool {
        let mut state = self.state.borrow_mut();
        let next = state.clone().after(happening);
        let changed = next != *state;
        *state = next;
        changed
    }

    /// The end of the connection, if it had none: the fact, and the end of what was in flight.
    fn finish(&self, happening: Happening) {
        if self.change_state(happening)
            && let State::Closed { cause, code } = *self.state.borrow()
        {
            self.closed(cause, code);
        }
    }

    /// As [`Self::finish`], and lets go of the stream.
    fn end(&self, happening: Happening) {
        // what has come and what was asked until now was before it
        self.worker.trays.take();
        self.flush();
        self.finish(happening);
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.abort();
        }
        self.stream.borrow_mut().take();
    }

    fn closed(&self, cause: CloseCause, code: Option<u16>) {
        // nothing that somebody waits for will come
        self.told.borrow_mut().take();
        let at = self.worker.clock.now();
        let conn = self.holder.conn;
        self.trace(|| {
            let code = code.map(|code| format!(", code {code}")).unwrap_or_default();
            TracedStep::Closed(format!("{cause:?}{code}"))
        });
        self.worker.record_at(at, Fact::Closed { conn, cause, code });
        let denies = cause == CloseCause::ByService && self.dialect().denies_by_closing;
        let mut pending = self.ledger.borrow().pending_until(At::NEVER);
        pending.sort_by_key(|op| op.number());
        for (place, op) in pending.into_iter().enumerate() {
            let outcome = match denies && place == 0 {
                true => Outcome::Fail("connection closed".to_owned()),
                false => Outcome::Info("connection lost".to_owned()),
            };
            self.complete(op, at, outcome, Values::new());
        }
    }

    /// Writes, and sends at once.
    fn send(&self, message: Message) {
        self.write(message);
        self.flush();
    }

    /// Sends what was written, with all that others have written meanwhile.
    fn send_soon(self: &Rc<Self>) {
        if !self.unsent.replace(true) {
            self.worker.trays.goes(self);
        }
    }

    /// Sends what was written; what does not go at once, the reader sends when there is room.
    fn flush(&self) {
        let waker = self.waker.borrow();
        if let Some(stream) = self.stream.borrow_mut().as_mut() {
            // a stream that broke is the reader's to report
            let sent = stream.poll_flush_unpin(&mut Context::from_waker(&waker));
            self.unsent.set(sent.is_pending());
        }
    }

    /// Writes what is to be sent.
    fn write(&self, message: Message) {
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else { return };
        // a stream that broke is the reader's to report, once, with its reason
        if let Err(Error::WriteBufferFull(_)) = stream.start_send_unpin(message) {
            let what = format!(
                "connection {} does not take what is written to it, more than {UNSENT_LIMIT_BYTES} bytes wait",
                self.holder.conn.0
            );
            self.worker.record(Fact::LimitHit { what: what.into() });
        }
    }

    /// Tells of a step, if anybody listens.
    fn trace(&self, step: impl FnOnce() -> TracedStep) {
        let Holder { user, conn, .. } = self.holder;
        self.worker.tracer.tell(user, conn, step);
    }

    /// Sends what a codec has written.
    fn send_wire(&self, message: Wire) {
        self.write_wire(message);
        self.flush();
    }

    /// Writes what a codec has written.
    fn write_wire(&self, message: Wire) {
        self.trace(|| {
            let shown = match &message {
                Wire::Text(text) => text.clone(),
                Wire::Binary(bytes) => self.codec.borrow().shown(bytes).into_owned(),
            };
            TracedStep::Sent(shown)
        });
        self.write(match message {
            Wire::Text(text) => Message::text(text),
            Wire::Binary(bytes) => Message::binary(bytes),
        });
    }
}
