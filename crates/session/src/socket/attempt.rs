//! One request and the wait for the end of its answer.

use std::future::poll_fn;
use std::iter;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, LocalBoxFuture, Shared, ready};

use history::{At, Fact, Interval, Invoked, Op, Outcome};
use smallvec::SmallVec;

use super::ledger::Open;
use super::{Request, Socket, made};
use crate::answer::Answer;
use crate::clock::nanoseconds;
use crate::codec::{Slot, Values, Wire};
use crate::profile::{Action, OpShape};

/// What ends when a subscription does; whether one listens then.
pub(super) type Listening = Shared<LocalBoxFuture<'static, bool>>;

/// The messages of a request, which is one mostly.
type Frames = SmallVec<[Wire; 1]>;

/// A request that was written. Dropped before its end, it is recorded as given up.
pub(crate) struct Attempt {
    socket: Rc<Socket>,
    op: Op,
    wait: Duration,
}

impl Socket {
    /// Asks, at once, and waits for the end of the answer, as long as the connection's record allows.
    pub(crate) fn call(self: &Rc<Self>, request: Request) -> impl Future<Output = Answer> + use<> {
        let begun = match self.is_to_connect(&request) {
            false => Either::Left(ready(self.begin(request))),
            true => {
                let socket = Rc::clone(self);
                Either::Right(Box::pin(async move {
                    socket.reach(&request).await?;
                    socket.begin(request)
                }))
            }
        };
        async {
            match begun.await {
                Ok(attempt) => attempt.answer().await,
                Err(answer) => answer,
            }
        }
    }

    /// Asks, over the connection to the thread that is named, where each is one of its own. What cannot be asked here (no such op, no
    /// connection) is no attempt and not recorded; the error says why, or what is known without asking.
    pub(crate) fn begin(self: &Rc<Self>, request: Request) -> Result<Attempt, Answer> {
        let socket = self.way(&request).map_err(|reason| self.not_made(reason))?;
        if let Some(answer) = socket.listens_here(&request) {
            return Err(answer);
        }
        let listening = socket.listening_before(&request);
        socket
            .prepare(request, listening)
            .map_err(|reason| self.not_made(reason))
    }

    /// Where one has to listen to a thread or a room before one asks this of it, what ends when one does, or may not; once it has
    /// ended, nothing.
    fn listening_before(self: &Rc<Self>, request: &Request) -> Option<Listening> {
        let shape = self.dialect().ops.get(&request.action);
        shape.filter(|shape| shape.subscribed)?;
        let (action, place) = match request.values.get(Slot::Thread) {
            Some(thread) => (Action::SubscribeThread, thread),
            None => (Action::SubscribeRoom, request.values.get(Slot::Room)?),
        };
        let known = self.listens.borrow().get(place).cloned();
        let listening = known.filter(|listening| listening.peek() != Some(&false));
        if let Some(listening) = listening {
            return Some(listening).filter(|listening| listening.peek().is_none());
        }
        let mut first = Request::new(action);
        first.values = request.values.clone();
        first.probe = request.probe;
        let answer = self.call(first);
        let listening = async move { answer.await.is_ok() }.boxed_local().shared();
        let place = place.to_owned();
        self.listens.borrow_mut().insert(place, listening.clone());
        Some(listening)
    }

    fn prepare(
        self: &Rc<Self>,
        mut request: Request,
        listening: Option<Listening>,
    ) -> Result<Attempt, String> {
        if !self.is_open() {
            return Err("not connected".to_owned());
        }
        let wait = self
            .patience
            .borrow()
            .wait(&self.worker.limits)
            .ok_or("the connection is silent")?;
        let shape = self
            .dialect()
            .ops
            .get(&request.action)
            .ok_or("the target has no such op")?;
        let (id, op) = self.ledger.borrow_mut().next_id();
        let mut digits = itoa::Buffer::new();
        let id = digits.format(id);
        request.values.set(Slot::Id, id);
        let said = shape.taken();
        made::fill(said, &self.me, (self.worker.run, op), &mut request.values);
        if said.has(Slot::Session) || said.has(Slot::Ticket) {
            request.values.extend(self.kept());
        }
        if let (Some(thread), None) = (self.thread(), request.values.get(Slot::Thread)) {
            request.values.set(Slot::Thread, thread);
        }
        if shape.frame.takes(Slot::AccessToken) && request.values.get(Slot::AccessToken).is_none() {
            let own = self.token.as_deref().unwrap_or_default();
            request.values.set(Slot::AccessToken, own);
        }
        let made = made::make(shape, &mut request.values)?;
        let at_once = shape.before.is_empty() && listening.is_none();
        let frames = match at_once {
            true => self.frames(shape, &request.values)?,
            false => Frames::new(),
        };
        let at = self.worker.clock.now();
        self.record_invoked(at, op, id, &request, shape);
        let deadline = after(at, wait);
        let mut open = Open::new(op, request.action, at, deadline, request.change);
        open.made = made;
        {
            let mut ledger = self.ledger.borrow_mut();
            ledger.cancel(&request);
            ledger.begin(open);
        }
        self.set_alarm(deadline);
        match at_once {
            true => self.ask_so(op, shape, frames, &request),
            false => self.ask_after(op, (listening, shape.before.clone()), request),
        }
        let socket = Rc::clone(self);
        Ok(Attempt { socket, op, wait })
    }

    /// The messages of a request; none if it goes over HTTP.
    fn frames(&self, shape: &OpShape, values: &Values) -> Result<Frames, String> {
        let mut frames = Frames::new();
        if shape.http.is_none() && !shape.connects {
            let codec = self.codec.borrow();
            for frame in iter::once(&shape.frame).chain(&shape.then) {
                let frame = codec.encode(frame, values);
                frames.push(frame.map_err(|missing| missing.to_string())?);
            }
        }
        Ok(frames)
    }

    /// Asks, once all that goes before it has been gone through.
    pub(super) fn ask_now(self: &Rc<Self>, op: Op, request: &Request) -> Result<(), String> {
        let shape = self.dialect().ops.get(&request.action);
        let shape = shape.ok_or("the target has no such op")?;
        let frames = self.frames(shape, &request.values)?;
        self.ask_so(op, shape, frames, request);
        Ok(())
    }

    fn ask_so(self: &Rc<Self>, op: Op, shape: &OpShape, frames: Frames, request: &Request) {
        match &shape.http {
            Some(exchange) => self.ask_over_http(op, exchange.clone(), request.values.clone()),
            None if shape.connects => self.ask_by_connecting(op, &request.values),
            None => {
                let fenced = frames.len() > 1;
                self.ledger.borrow_mut().asked(op, fenced, &request.values);
                frames.into_iter().for_each(|frame| self.write_wire(frame));
                self.send_soon();
            }
        }
    }

    /// Connects to what was made, which ends the attempt.
    fn ask_by_connecting(self: &Rc<Self>, op: Op, values: &Values) {
        let (socket, made) = (Rc::clone(self), values.get(Slot::Thread).map(str::to_owned));
        let connecting = async move {
            let outcome = match made {
                Some(made) => socket.found(&made).await,
                None => Outcome::Info("nothing was made".to_owned()),
            };
            socket.complete(op, socket.worker.clock.now(), outcome, Values::new());
        };
        tokio::task::spawn_local(self.worker.watched(connecting));
    }

    fn record_invoked(&self, at: At, op: Op, id: &str, request: &Request, shape: &OpShape) {
        let (phase, round) = self.worker.phase();
        let invoked = Invoked {
            op,
            conn: self.holder.conn,
            user: self.holder.user,
            role: request.action.role(),
            request: id.into(),
            intended: request.intended.unwrap_or(at),
            phase,
            round,
            nonce: request.nonce.filter(|_| shape.derives),
            stores: request.stores.filter(|_| shape.stores),
            names: request.names(),
            probe: request.probe,
        };
        self.worker.record_at(at, Fact::Invoked(invoked));
    }

    fn not_made(&self, reason: String) -> Answer {
        Answer::not_made(reason, self.worker.clock.now())
    }

    /// Has the reader look for attempts whose time is up no later than `deadline`.
    fn set_alarm(&self, deadline: At) {
        if self.alarm.get().is_none_or(|set| set > deadline) {
            self.alarm.set(None);
            self.waker.borrow().wake_by_ref();
        }
    }

    /// Ends the attempts whose time is up.
    pub(super) fn time_out(&self) {
        // an answer that is there already is in time
        self.worker.trays.take();
        let now = self.worker.clock.now();
        let overdue = self.ledger.borrow().pending_until(now);
        for op in overdue {
            self.patience.borrow_mut().timed_out();
            self.complete(op, now, Outcome::Info("timeout".to_owned()), Values::new());
            self.ledger.borrow_mut().give_up(op);
        }
    }

    /// The end of an attempt, if it had none; whoever waits is told.
    pub(super) fn complete(&self, op: Op, at: At, outcome: Outcome, values: Values) {
        let mut ledger = self.ledger.borrow_mut();
        let Some(open) = ledger.pending(op) else {
            return;
        };
        let completed = Fact::Completed {
            op,
            outcome: outcome.clone(),
        };
        self.worker.record_at(at, completed);
        let mut held = std::mem::take(&mut open.values);
        held.extend(values);
        match outcome {
            Outcome::Ok => held.extend(std::mem::take(&mut open.made)),
            Outcome::Fail(_) | Outcome::Info(_) => {}
        }
        let shared = self.worker.target.profile.shared_thread_ids;
        for fact in open.facts(self.holder, at, &outcome, &held) {
            // where two may have the same, that is no conflict
            if !(shared && matches!(fact, Fact::ThreadIssued(_))) {
                self.worker.record_at(at, fact);
            }
        }
        if open.is_stray(&outcome) && self.worker.target.profile.can(Action::Cancel) {
            let stray = open.stray(self.holder, at);
            self.worker.record_at(at, Fact::Probe(stray));
        }
        let during = Interval {
            from: open.invoked,
            to: at,
        };
        open.end(Answer {
            outcome,
            status: None,
            values: held,
            during,
        });
    }
}

impl Attempt {
    /// Over which connection it was asked.
    pub(crate) fn over(&self) -> &Rc<Socket> {
        &self.socket
    }

    /// The request id on the wire.
    pub(crate) fn request(&self) -> String {
        self.op.number().to_string()
    }

    /// Waits for the first piece of a streamed answer; whether one came before the answer's end.
    pub(crate) async fn first_piece(&mut self) -> bool {
        poll_fn(|cx| self.socket.ledger.borrow_mut().poll_begun(self.op, cx)).await
    }

    /// Waits for the end of the answer, from now on as long as the connection's record allows.
    pub(crate) async fn end(self) -> Answer {
        if let Some(open) = self.socket.ledger.borrow_mut().pending(self.op) {
            open.deadline = after(self.socket.worker.clock.now(), self.wait);
        }
        self.answer().await
    }

    async fn answer(self) -> Answer {
        let answer = poll_fn(|cx| self.socket.ledger.borrow_mut().poll_answer(self.op, cx)).await;
        answer.unwrap_or_else(|| self.socket.not_made("taken".to_owned()))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let pending = self.socket.ledger.borrow_mut().pending(self.op).is_some();
        if pending {
            let now = self.socket.worker.clock.now();
            let given_up = Outcome::Info("given up".to_owned());
            self.socket.complete(self.op, now, given_up, Values::new());
            self.socket.ledger.borrow_mut().give_up(self.op);
        }
        self.socket.ledger.borrow_mut().forget(self.op);
    }
}

fn after(at: At, wait: Duration) -> At {
    At(at.0.saturating_add(nanoseconds(wait)))
}
