//! What comes in: each message is decoded and recorded, then handed to whoever waits.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use history::{At, Fact, Inbound, Interval, Op, Outcome, Part, Parts, Source, Step};
use tokio::time::{MissedTickBehavior, Sleep};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::tap::LIMIT_HIT;
use super::{Happening, Socket};
use crate::codec::{Item, Slot, Values, Whose};
use crate::pointer::pick;
use crate::profile::{Action, Beat};
use crate::trace::{TracedStep, in_words};

/// A message for the codec.
#[derive(Clone, Copy)]
enum Data<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Socket {
    /// Reads until the stream ends.
    pub(super) async fn read(self: Rc<Self>) {
        let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
        let mut beats = self.dialect().heartbeat.as_ref().map(|beat| {
            let mut beats = tokio::time::interval(beat.every);
            // the first is due at once
            beats.reset();
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            (beat, beats)
        });
        let end = poll_fn(|cx| {
            let polled = self.poll(cx, alarm.as_mut());
            if let (true, Some((beat, beats))) = (polled.is_pending(), &mut beats) {
                while beats.poll_tick(cx).is_ready() {
                    self.beat(beat);
                }
            }
            polled
        })
        .await;
        self.worker.trays.take();
        let unfinished = self
            .stream
            .borrow()
            .as_ref()
            .map_or(Vec::new(), |stream| stream.get_ref().unfinished().to_vec());
        if !unfinished.is_empty() {
            self.record_inbound(
                self.worker.clock.now(),
                Source::Partial,
                &unfinished,
                Parts::default(),
            );
        }
        let begun = self.codec.borrow().unfinished().to_vec();
        if !begun.is_empty() {
            self.record_inbound(self.worker.clock.now(), Source::Partial, &begun, Parts::default());
        }
        // so that the end does not abort this very task
        self.reader.borrow_mut().take();
        self.end(end);
    }

    /// Says that it lives.
    fn beat(&self, beat: &Beat) {
        let message = self.codec.borrow().encode(&beat.send, &Values::new());
        // a heartbeat takes no values
        if let (Ok(message), true) = (message, self.is_open()) {
            self.send_wire(message);
        }
    }

    /// Does all there is to do until something happens.
    fn poll(self: &Rc<Self>, cx: &mut Context<'_>, alarm: Pin<&mut Sleep>) -> Poll<Happening> {
        self.waker.borrow_mut().clone_from(cx.waker());
        if self.unsent.get() {
            self.flush();
        }
        let mut heard = false;
        loop {
            let next = match self.stream.borrow_mut().as_mut() {
                Some(stream) => stream.poll_next_unpin(cx),
                None => Poll::Ready(None),
            };
            let message = match next {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.broken(&error)),
                Poll::Ready(None) => return Poll::Ready(Happening::StreamEnds),
                Poll::Pending => break,
            };
            heard = true;
            // behind any other, the stream has something to write
            let is_data = message.is_text() || message.is_binary();
            self.worker.trays.came(self, message);
            if is_data && self.poll_more(cx).is_pending() {
                break;
            }
        }
        // most polls are for a message, long before the alarm; if not, whoever takes that has this polled again
        let overdue = |set| set <= self.last_inbound.get();
        if !heard || self.alarm.get().is_none_or(overdue) {
            self.ring(cx, alarm);
        }
        Poll::Pending
    }

    /// Waits until there may be another message, without a read for it: one would have to clear its buffer first.
    fn poll_more(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.stream.borrow_mut().as_mut() {
            Some(stream) => stream.get_mut().poll_more(cx),
            None => Poll::Ready(()),
        }
    }

    /// Ends attempts whose time is up, and sets the alarm for the next.
    fn ring(&self, cx: &mut Context<'_>, mut alarm: Pin<&mut Sleep>) {
        loop {
            let first = self.ledger.borrow().first_deadline();
            match (self.alarm.get(), first) {
                (None, None) => return,
                (set, Some(first)) if set.is_none_or(|set| set > first) => {
                    alarm.as_mut().reset(self.worker.clock.instant(first).into());
                    self.alarm.set(Some(first));
                }
                _ => {}
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return;
            }
            self.alarm.set(None);
            self.time_out();
        }
    }

    pub(super) fn take(&self, message: Message) {
        let at = self.worker.clock.now();
        self.last_inbound.set(at);
        if self.alarm.get().is_some_and(|set| set <= at) {
            self.waker.borrow().wake_by_ref();
        }
        self.patience.borrow_mut().heard();
        match message {
            Message::Text(text) => self.take_data(at, Data::Text(&text)),
            Message::Binary(bytes) => self.take_data(at, Data::Binary(&bytes)),
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
            self.record_inbound(at, Source::Control, payload, Part::Heartbeat.into());
        }
    }

    fn take_data(&self, at: At, data: Data<'_>) {
        let mut back = Vec::new();
        let mut codec = self.codec.borrow_mut();
        let (bytes, mut items) = match data {
            Data::Text(text) => (text.as_bytes(), codec.decode_text(text, &mut back)),
            Data::Binary(bytes) => (bytes, codec.decode(bytes, &mut back)),
        };
        drop(codec);
        self.ledger.borrow_mut().resolve(&mut items);
        // most messages are one item, whose attempt is looked up once
        let only = match &items[..] {
            [item] => Some(self.op_of(item)),
            _ => None,
        };
        let op_of = |item| only.unwrap_or_else(|| self.op_of(item));
        let parts = items.iter().map(|item| part(item, op_of(item))).collect();
        match data {
            Data::Binary(_) => self.take_binary(at, bytes, &items, parts),
            Data::Text(_) => {
                self.record_inbound(at, Source::Text, bytes, parts);
                self.trace(|| self.came(bytes, &items));
            }
        }
        self.tell_watches(at, bytes, &items);
        for item in &items {
            self.act_on(at, item, op_of(item));
        }
        for message in back {
            self.send_wire(message);
        }
    }

    /// Records the frames that are whole, be they a part of a message or more than that.
    fn take_binary(&self, at: At, message: &[u8], items: &[Item<'_>], parts: Parts<'_>) {
        let codec = self.codec.borrow();
        let bytes = codec.whole(message);
        if bytes.is_empty() && items.is_empty() {
            return;
        }
        let source = match codec.names_bytes() && !items.contains(&Item::Undecodable) {
            true => Source::Fields,
            false => Source::Binary,
        };
        self.record_inbound(at, source, bytes, parts);
        self.trace(|| self.came(bytes, items));
    }

    /// A message that came, for people.
    fn came(&self, bytes: &[u8], items: &[Item<'_>]) -> TracedStep {
        let codec = self.codec.borrow();
        let rules = codec.taken_by().iter().copied().chain(std::iter::repeat(None));
        let taken = items.iter().zip(rules).map(|(item, rule)| {
            let rule = rule.map(|rule| format!("rule {rule}: ")).unwrap_or_default();
            let ours = self.op_of(item).is_some();
            format!("{rule}{}", in_words(item, ours))
        });
        TracedStep::Came {
            message: codec.shown(bytes).into_owned(),
            taken: taken.collect(),
            asked: !items.is_empty() && items.iter().all(|item| self.op_of(item).is_some()),
            unmatched: items.iter().any(|item| matches!(item, Item::Undecodable)),
        }
    }

    pub(super) fn record_inbound(&self, at: At, source: Source, bytes: &[u8], parts: Parts<'_>) {
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
            Item::Reply {
                whose: Whose::Id(id), ..
            } => self.ledger.borrow().op(id),
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
                if let Some(open) = self.ledger.borrow_mut().pending(op) {
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
        let Some(action) = self.ledger.borrow_mut().pending(op).map(|open| open.action) else {
            return Values::new();
        };
        let Some(shape) = self.dialect().ops.get(&action) else {
            return Values::new();
        };
        gather(payload, &shape.holds)
    }

    pub(super) fn answered(&self, op: Op, at: At) {
        if let Some(open) = self.ledger.borrow_mut().pending(op) {
            self.patience
                .borrow_mut()
                .answered(Duration::from_nanos(at.since(open.invoked)));
        }
    }

    /// Only posts have answers that somebody may want to see begin.
    fn first_piece(&self, op: Op) {
        let mut ledger = self.ledger.borrow_mut();
        if let Some(open) = ledger.pending(op)
            && open.action == Action::Post
            && !open.begun
        {
            open.begun = true;
            open.tell();
        }
    }

    /// Takes an event that the handshake waits for.
    fn greet(&self, at: At, kind: &str, payload: &str) {
        let (steps, heard) = (&self.dialect().handshake, self.heard.get());
        let next = steps
            .iter()
            .zip(1..)
            .skip(heard)
            .find(|(step, _)| step.expect.is_some());
        let Some((step, number)) = next else { return };
        let turned_away = step.refusal.as_deref() == Some(kind);
        match &step.expect {
            Some(expect) if expect.kind == kind => {
                let values = gather(payload, &expect.holds);
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
                self.greeting.borrow_mut().extend(values);
                self.heard.set(number);
            }
            _ if turned_away => self.turned_away.set(true),
            _ => return,
        }
        if let Some(told) = self.told.borrow_mut().take() {
            // nobody may be waiting
            let _ = told.send(());
        }
    }

    /// Tells who waits for text that is in a message, or in what is whole with it.
    pub(super) fn tell_watches(&self, at: At, bytes: &[u8], items: &[Item<'_>]) {
        let mut watches = self.watches.borrow_mut();
        if watches.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let has = |needle: &str| text.contains(needle) || items.iter().any(|item| item.has_joined(needle));
        let pushes = |needle: &str| match items {
            [Item::Event { content: true, .. }] => has(needle),
            _ => items.iter().any(|item| item.pushes(needle)),
        };
        let (hit, rest): (Vec<_>, Vec<_>) = watches.drain(..).partition(|watch| {
            let seen = if watch.pushed {
                pushes(&watch.needle)
            } else {
                has(&watch.needle)
            };
            !watch.seen.is_closed() && seen
        });
        watches.extend(rest.into_iter().filter(|watch| !watch.seen.is_closed()));
        for watch in hit {
            // whoever waited may have gone
            let _ = watch.seen.send(at);
        }
    }

    fn broken(&self, error: &Error) -> Happening {
        // what was read before says whether it was to be expected
        self.worker.trays.take();
        let limit = match error {
            Error::Capacity(_) => true,
            Error::Protocol(error) => *error != ProtocolError::ResetWithoutClosingHandshake,
            Error::Utf8(_) => true,
            Error::Io(error) => error.kind() == LIMIT_HIT,
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
