//! One request and the wait for the end of its answer.

use std::rc::Rc;
use std::time::Duration;

use history::{At, Fact, Interval, Invoked, Op, Outcome};
use tokio::sync::oneshot;

use super::ledger::{Answer, Open};
use super::{Request, Socket};
use crate::codec::{Slot, Values};
use crate::profile::Action;

/// A request that was written. Dropped before its end, it is recorded as given up.
pub(crate) struct Attempt {
    socket: Rc<Socket>,
    op: Op,
    request: String,
    wait: Duration,
    answer: oneshot::Receiver<Answer>,
    first_piece: Option<oneshot::Receiver<()>>,
}

impl Socket {
    /// Asks and waits for the end of the answer.
    pub(crate) async fn call(self: &Rc<Self>, request: Request) -> Answer {
        match self.begin(request).await {
            Ok(attempt) => attempt.end().await,
            Err(answer) => answer,
        }
    }

    /// Asks. What cannot be asked here (no such op, no connection) is no attempt and not recorded; the error says why.
    pub(crate) async fn begin(self: &Rc<Self>, request: Request) -> Result<Attempt, Answer> {
        let (attempt, frame) = self.prepare(request).map_err(|reason| self.not_made(reason))?;
        self.send(frame).await;
        Ok(attempt)
    }

    fn prepare(self: &Rc<Self>, mut request: Request) -> Result<(Attempt, String), String> {
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
        let (id, op) = (self.ledger.borrow_mut().next_id(), self.worker.next_op());
        request.values.set(Slot::Id, &id);
        let frame = self.codec.borrow().encode(&shape.frame, &request.values);
        let frame = frame.map_err(|missing| missing.to_string())?;
        let at = self.worker.clock.now();
        self.record_invoked(at, op, &id, &request, shape.stores);
        let (answer, receiver) = oneshot::channel();
        let (first_piece, watch) = oneshot::channel();
        let Request { action, change, .. } = request;
        let first_piece = (action == Action::Post).then_some(first_piece);
        let open = Open {
            action,
            invoked: at,
            change,
            answer,
            first_piece,
            values: Values::new(),
        };
        self.ledger.borrow_mut().begin(&id, op, open);
        let first_piece = Some(watch);
        Ok((
            Attempt {
                socket: Rc::clone(self),
                op,
                request: id,
                wait,
                answer: receiver,
                first_piece,
            },
            frame,
        ))
    }

    fn record_invoked(&self, at: At, op: Op, id: &str, request: &Request, stores: bool) {
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
            nonce: request.nonce,
            stores: request.stores.filter(|_| stores),
            names: request.names(),
            probe: request.probe,
        };
        self.worker.record_at(at, Fact::Invoked(invoked));
    }

    fn not_made(&self, reason: String) -> Answer {
        let now = self.worker.clock.now();
        let during = Interval { from: now, to: now };
        Answer {
            outcome: Outcome::Info(reason),
            values: Values::new(),
            during,
        }
    }

    /// The end of an attempt, if it had none; whoever waits is told.
    pub(super) fn complete(&self, op: Op, at: At, outcome: Outcome, values: Values) {
        let Some(mut open) = self.ledger.borrow_mut().end(op) else {
            return;
        };
        self.worker.record_at(
            at,
            Fact::Completed {
                op,
                outcome: outcome.clone(),
            },
        );
        let mut held = std::mem::take(&mut open.values);
        held.extend(values);
        for fact in open.facts(op, self.holder, at, &outcome, &held) {
            self.worker.record_at(at, fact);
        }
        let during = Interval {
            from: open.invoked,
            to: at,
        };
        // nobody may be waiting any more
        let _ = open.answer.send(Answer {
            outcome,
            values: held,
            during,
        });
    }
}

impl Attempt {
    /// The request id on the wire.
    pub(crate) fn request(&self) -> &str {
        &self.request
    }

    /// Waits for the first piece of a streamed answer; whether one came before the answer's end or the wait's.
    pub(crate) async fn first_piece(&mut self) -> bool {
        let Some(piece) = self.first_piece.take() else {
            return false;
        };
        matches!(tokio::time::timeout(self.wait, piece).await, Ok(Ok(())))
    }

    /// Waits for the end of the answer, as long as the connection's record allows.
    pub(crate) async fn end(mut self) -> Answer {
        let wait = self.wait;
        self.end_within(wait).await
    }

    async fn end_within(&mut self, wait: Duration) -> Answer {
        let socket = Rc::clone(&self.socket);
        if let Ok(Ok(answer)) = tokio::time::timeout(wait, &mut self.answer).await {
            return answer;
        }
        socket.patience.borrow_mut().timed_out();
        let now = socket.worker.clock.now();
        socket.complete(self.op, now, Outcome::Info("timeout".to_owned()), Values::new());
        match self.answer.try_recv() {
            Ok(answer) => answer,
            Err(_) => socket.not_made("timeout".to_owned()),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let now = self.socket.worker.clock.now();
        self.socket
            .complete(self.op, now, Outcome::Info("given up".to_owned()), Values::new());
    }
}
