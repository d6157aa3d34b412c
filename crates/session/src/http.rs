//! Requests to the authentication service: everything that comes back is recorded and judged.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use history::{
    At, ChannelKind, CloseCause, Conn, Fact, Interval, Invoked, Op, Outcome, Replica, Role, Session, User,
};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::asker::{Asked, Asker};
use crate::asking::Jar;
use crate::codec::Values;
use crate::limits::{BUSY_SPREAD_MS, BUSY_TRIES, BUSY_WAIT_MAX, HTTP_AT_ONCE};
use crate::profile::Exchange;
use crate::worker::Worker;

/// Asks the authentication service.
pub(crate) struct Http {
    worker: Rc<Worker>,
    /// Whoever asks has a turn.
    turns: Semaphore,
}

/// The HTTP exchanges of one login.
pub(crate) struct Line {
    pub(crate) conn: Conn,
    pub(crate) user: User,
    pub(crate) session: Session,
    /// Which of the target's strangers it leads to; `None` for its own service.
    stranger: Option<usize>,
    requests: Cell<u32>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) role: Role,
    pub(crate) exchange: &'a Exchange,
    pub(crate) values: Values,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) probe: bool,
}

impl Line {
    /// The attempt that the next request is.
    pub(crate) fn next_op(&self) -> Op {
        Op::of(self.conn, self.requests.get() + 1)
    }
}

impl Http {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        Self {
            worker: Rc::clone(worker),
            turns: Semaphore::new(HTTP_AT_ONCE),
        }
    }

    /// A line for a new login of `user`.
    pub(crate) fn line(&self, user: User) -> Line {
        self.line_to(None, user)
    }

    /// A line for a login of `user` at one of the target's strangers.
    pub(crate) fn line_to(&self, stranger: Option<usize>, user: User) -> Line {
        let (conn, session) = (self.worker.next_conn(), self.worker.next_session());
        self.worker.record(Fact::Opened {
            conn,
            user,
            session: Some(session),
            replica: Replica::AUTH,
            channel: ChannelKind::Http,
            tcp_ns: 0,
            upgrade_ns: 0,
        });
        Line {
            conn,
            user,
            session,
            stranger,
            requests: Cell::default(),
        }
    }

    pub(crate) fn close(&self, line: &Line) {
        self.worker.record(Fact::Closed {
            conn: line.conn,
            cause: CloseCause::ByPlan,
            code: None,
        });
    }

    /// Goes through the steps of an exchange, each with what those before it gave, and reads the answer.
    pub(crate) async fn call(&self, line: &Line, call: Call<'_>) -> Answer {
        self.called(line, call).await.0
    }

    /// As [`Self::call`]; also when to ask again, if the service said that it is too busy now.
    async fn called(&self, line: &Line, mut call: Call<'_>) -> (Answer, Option<Duration>) {
        let (mut jar, mut given) = (Jar::default(), Values::new());
        for step in &call.exchange.before {
            let asked = Call {
                role: Role::Other,
                exchange: step,
                ..call.clone()
            };
            let (answer, busy) = self.ask(line, &asked, &mut jar).await;
            if !answer.is_ok() {
                return (answer, busy);
            }
            call.values.extend(answer.values.clone());
            given.extend(answer.values);
        }
        let (mut answer, busy) = self.ask(line, &call, &mut jar).await;
        given.extend(std::mem::take(&mut answer.values));
        answer.values = given;
        (answer, busy)
    }

    /// One request and its answer.
    async fn ask(&self, line: &Line, call: &Call<'_>, jar: &mut Jar) -> (Answer, Option<Duration>) {
        let target = &self.worker.target;
        let asker = Asker {
            worker: &self.worker,
            user: line.user,
            conn: line.conn,
            base: line
                .stranger
                .map_or(&target.auth, |stranger| &target.strangers[stranger].auth),
            token: call.bearer,
        };
        let mut asked = Asked {
            exchange: call.exchange,
            values: &call.values,
            op: None,
        };
        let request = match asker.request(asked, jar) {
            Ok(request) => request,
            Err(reason) => return (self.not_made(reason), None),
        };
        // the turns are never closed; an error would be no reason not to ask
        let _turn = self.turns.acquire().await;
        let (op, from) = self.invoke(line, call);
        asked.op = Some(op);
        let said = asker.answer(request, asked, jar).await;
        let to = self.worker.clock.now();
        let (status, retry_after) = said
            .as_ref()
            .map_or((None, None), |said| (Some(said.status), said.retry_after));
        let (outcome, values) = match said {
            Ok(said) => (
                said.success.map_or_else(Outcome::Fail, |()| Outcome::Ok),
                said.values,
            ),
            Err(reason) => (Outcome::Info(reason), Values::new()),
        };
        let completed = Fact::Completed {
            op,
            outcome: outcome.clone(),
        };
        self.worker.record_at(to, completed);
        let during = Interval { from, to };
        let answer = Answer {
            outcome,
            status,
            values,
            during,
        };
        (answer, retry_after)
    }

    /// As [`Self::call`]; if the service says that it is too busy now, asks again when it wants that, up to [`BUSY_TRIES`] times in all.
    pub(crate) async fn call_again(&self, line: &Line, call: Call<'_>) -> Answer {
        let mut tries = 1;
        loop {
            match self.called(line, call.clone()).await {
                (_, Some(wait)) if tries < BUSY_TRIES => {
                    // whoever was refused together does not come back together
                    let spread = Duration::from_millis(u64::from(line.user.0) % BUSY_SPREAD_MS);
                    tokio::time::sleep(wait.min(BUSY_WAIT_MAX) + spread).await;
                }
                (answer, _) => return answer,
            }
            tries += 1;
        }
    }

    fn invoke(&self, line: &Line, call: &Call<'_>) -> (Op, At) {
        let number = line.requests.get() + 1;
        line.requests.set(number);
        let (op, at, (phase, round)) = (
            Op::of(line.conn, number),
            self.worker.clock.now(),
            self.worker.phase(),
        );
        let invoked = Invoked {
            op,
            conn: line.conn,
            user: line.user,
            role: call.role,
            request: number.to_string().into(),
            intended: at,
            phase,
            round,
            nonce: None,
            stores: None,
            names: Vec::new(),
            probe: call.probe,
        };
        self.worker.record_at(at, Fact::Invoked(invoked));
        (op, at)
    }

    /// The answer to what could not be asked.
    pub(crate) fn not_made(&self, reason: String) -> Answer {
        Answer::not_made(reason, self.worker.clock.now())
    }
}
