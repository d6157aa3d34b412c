//! What comes in: each message is decoded, recorded and judged where it lands, then handed to whoever waits.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use history::{At, Fact, Inbound, Interval, Op, Outcome, Part, Source, Step};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::tail::Tail;
use super::tap::Tap;
use super::{Happening, Socket};
use crate::codec::{Item, Slot, Values};
use crate::pointer::pick;

impl Socket {
    /// Reads until the stream ends.
    pub(super) async fn read(
        self: Rc<Self>,
        mut stream: SplitStream<WebSocketStream<Tap>>,
        tail: Rc<RefCell<Tail>>,
    ) {
        let end = loop {
            match stream.next().await {
                Some(Ok(message)) => self.take(message),
                Some(Err(error)) => break self.broken(&error),
                None => break Happening::StreamEnds,
            }
        };
        let unfinished = tail.borrow().unfinished().to_vec();
        if !unfinished.is_empty() {
            self.record_inbound(self.worker.clock.now(), Source::Partial, &unfinished, Vec::new());
        }
        // so that the end does not abort this very task
        self.reader.borrow_mut().take();
        self.end(end);
    }

    fn take(self: &Rc<Self>, message: Message) {
        let at = self.worker.clock.now();
        self.last_inbound.set(Instant::now());
        self.patience.borrow_mut().heard();
        match message {
            Message::Text(text) => self.take_data(at, Source::Text, text.as_bytes()),
            Message::Binary(bytes) => self.take_data(at, Source::Binary, &bytes),
            Message::Ping(payload) | Message::Pong(payload) => self.take_control(at, &payload),
            Message::Close(frame) => {
                self.take_control(at, frame.as_ref().map_or(b"", |frame| frame.reason.as_bytes()));
                self.finish(Happening::TheyClose(frame.map(|frame| frame.code.into())));
            }
            Message::Frame(_) => {}
        }
    }

    fn take_control(&self, at: At, payload: &[u8]) {
        if !payload.is_empty() {
            self.record_inbound(at, Source::Control, payload, vec![Part::Heartbeat]);
        }
    }

    fn take_data(self: &Rc<Self>, at: At, source: Source, bytes: &[u8]) {
        let mut back = Vec::new();
        let items = self.codec.borrow_mut().decode(bytes, &mut back);
        let ops: Vec<_> = items.iter().map(|item| self.op_of(item)).collect();
        let parts = items.iter().zip(&ops).map(|(item, op)| part(item, *op)).collect();
        self.record_inbound(at, source, bytes, parts);
        self.tell_watches(at, bytes);
        for (item, op) in items.iter().zip(ops) {
            self.act_on(at, item, op);
        }
        if !back.is_empty() {
            self.send_back(back);
        }
    }

    pub(super) fn record_inbound(&self, at: At, source: Source, bytes: &[u8], parts: Vec<Part<'_>>) {
        let inbound = Inbound {
            conn: self.holder.conn,
            source,
            bytes: Cow::Borrowed(bytes),
            parts,
        };
        self.worker.record_at(at, Fact::Inbound(inbound));
    }

    fn op_of(&self, item: &Item<'_>) -> Option<Op> {
        match item {
            Item::Reply { request, .. } => self.ledger.borrow().op(request),
            _ => None,
        }
    }

    fn act_on(&self, at: At, item: &Item<'_>, op: Option<Op>) {
        match (item, op) {
            (
                Item::Reply {
                    step: Step::Done,
                    payload,
                    ..
                },
                Some(op),
            ) => {
                let values = self.held(op, payload);
                self.answered(op, at);
                self.complete(op, at, Outcome::Ok, values);
            }
            (
                Item::Reply {
                    step: Step::Error,
                    code,
                    ..
                },
                Some(op),
            ) => {
                let code = code.as_deref().unwrap_or_default().to_owned();
                self.answered(op, at);
                self.complete(op, at, Outcome::Fail(code), Values::new());
            }
            (
                Item::Reply {
                    step: Step::Ack,
                    payload,
                    ..
                },
                Some(op),
            ) => {
                let values = self.held(op, payload);
                if let Some(open) = self.ledger.borrow_mut().open(op) {
                    open.values.extend(values);
                }
            }
            (
                Item::Reply {
                    step: Step::Delta, ..
                },
                Some(op),
            ) => self.first_piece(op),
            (
                Item::Event {
                    kind,
                    cursor,
                    payload,
                    ..
                },
                _,
            ) => {
                self.cursor.set(self.cursor.get().max(cursor.unwrap_or_default()));
                self.greet(at, kind, payload);
            }
            _ => {}
        }
    }

    /// What stands in an answer that the harness needs.
    fn held(&self, op: Op, payload: &str) -> Values {
        let Some(action) = self.ledger.borrow_mut().open(op).map(|open| open.action) else {
            return Values::new();
        };
        let Some(shape) = self.dialect().ops.get(&action) else {
            return Values::new();
        };
        gather(payload, &shape.holds)
    }

    fn answered(&self, op: Op, at: At) {
        if let Some(open) = self.ledger.borrow_mut().open(op) {
            self.patience
                .borrow_mut()
                .answered(Duration::from_nanos(at.since(open.invoked)));
        }
    }

    fn first_piece(&self, op: Op) {
        let mut ledger = self.ledger.borrow_mut();
        if let Some(told) = ledger.open(op).and_then(|open| open.first_piece.take()) {
            // nobody may be waiting
            let _ = told.send(());
        }
    }

    fn greet(&self, at: At, kind: &str, payload: &str) {
        let Some(greeting) = &self.dialect().greeting else {
            return;
        };
        if greeting.kind != kind || self.greeting.borrow().is_some() {
            return;
        }
        let values = gather(payload, &greeting.holds);
        let during = Interval {
            from: self.began,
            to: at,
        };
        if let Some(fact) = values
            .get(Slot::User)
            .and_then(|seen| self.holder.identified(seen, during))
        {
            self.worker.record_at(at, fact);
        }
        *self.greeting.borrow_mut() = Some(values);
        if let Some(told) = self.greeted.borrow_mut().take() {
            // nobody may be waiting
            let _ = told.send(());
        }
    }

    fn tell_watches(&self, at: At, bytes: &[u8]) {
        let mut watches = self.watches.borrow_mut();
        if watches.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let (hit, rest): (Vec<_>, Vec<_>) = watches
            .drain(..)
            .partition(|watch| !watch.seen.is_closed() && text.contains(&watch.needle));
        watches.extend(rest.into_iter().filter(|watch| !watch.seen.is_closed()));
        for watch in hit {
            // whoever waited may have gone
            let _ = watch.seen.send(at);
        }
    }

    fn broken(&self, error: &Error) -> Happening {
        let limit = match error {
            Error::Capacity(_) => true,
            Error::Protocol(error) => *error != ProtocolError::ResetWithoutClosingHandshake,
            Error::Utf8(_) => true,
            _ => false,
        };
        if !limit || !self.is_open() {
            return Happening::StreamEnds;
        }
        let what = format!("connection {} given up: {error}", self.holder.conn.0);
        self.worker.record(Fact::LimitHit { what: what.into() });
        Happening::LimitBroken
    }
}

fn gather(payload: &str, holds: &[(Slot, String)]) -> Values {
    let mut values = Values::new();
    for (slot, pointer) in holds {
        if let Some(value) = pick(payload, pointer) {
            values.set(*slot, value);
        }
    }
    values
}

fn part<'a>(item: &Item<'a>, op: Option<Op>) -> Part<'a> {
    match item {
        Item::Reply { step, text, .. } => Part::Reply {
            op,
            step: *step,
            text: text.clone(),
        },
        Item::Event { kind, content, .. } => Part::Event {
            kind: kind.clone(),
            content: *content,
        },
        Item::Heartbeat => Part::Heartbeat,
        Item::Undecodable => Part::Undecodable,
    }
}
