//! What the users of one thread have in common.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use history::{At, Conn, Fact, Round, Session};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::alarm::Alarm;
use crate::board::Board;
use crate::client::Client;
use crate::clock::Clock;
use crate::limits::{CONNECTS_AT_ONCE, LOGINS_AT_ONCE, Limits, USERS_AT_ONCE};
use crate::plan::{Phase, Plan};
use crate::profile::Profile;
use crate::recorder::Recorder;
use crate::socket::{Backlog, Trays};
use crate::tls::Tls;
use crate::trace::{Trace, Tracer};

/// Bits of a connection's or session's number that a worker counts in; the worker's own number is above them.
const LOCAL_BITS: u32 = 20;

/// One drive thread: its recorder, its numbers, and the run that it is part of.
#[derive(Debug)]
pub(crate) struct Worker {
    number: u16,
    pub(crate) run: u32,
    pub(crate) clock: Clock,
    pub(crate) plan: Arc<Plan>,
    pub(crate) target: Arc<Target>,
    pub(crate) board: Arc<Board>,
    pub(crate) limits: Limits,
    pub(crate) tracer: Tracer,
    alarm: Alarm,
    /// Of all its connections.
    pub(crate) backlog: Rc<Backlog>,
    pub(crate) trays: Trays,
    recorder: RefCell<Recorder>,
    latest: Cell<At>,
    /// The client of all that its users ask over HTTP.
    pub(crate) http: Client,
    /// Whoever logs in or registers has a turn.
    pub(crate) logins: Semaphore,
    /// Whoever connects has a turn.
    pub(crate) connects: Semaphore,
    /// Whoever acts has a turn; `None` if there is one for every user.
    turns: Option<Semaphore>,
    phase: Cell<(u16, Round)>,
    conns: Cell<u32>,
    sessions: Cell<u32>,
}

/// Where the services are and how to talk to them.
#[derive(Clone, Debug)]
pub struct Target {
    /// Base URL of the authentication service, `http://host:port` or `https://host:port`.
    pub auth: String,
    /// Where the gateways are, `ws://host:port` or `wss://host:port`, in the order of [`history::Replica`].
    pub gateways: Vec<String>,
    /// What connections to them over TLS are made with.
    pub tls: Tls,
    /// What they are.
    pub profile: Profile,
    /// Authentication services whose tokens the target must refuse; none if there are none.
    pub strangers: Vec<Stranger>,
}

/// An authentication service on the target's accounts, with the target's key, whose tokens are not for the target all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// What its tokens are, as the probe is named.
    pub name: &'static str,
    /// Its base URL, `http://host:port`.
    pub auth: String,
}

/// A worker's run, as all workers have it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) run: u32,
    pub(crate) clock: Clock,
    pub(crate) plan: Arc<Plan>,
    pub(crate) target: Arc<Target>,
    pub(crate) board: Arc<Board>,
    pub(crate) limits: Limits,
    pub(crate) trace: Option<Trace>,
}

impl Worker {
    pub(crate) fn new(number: u16, run: Run, recorder: Recorder, alarm: Alarm) -> Self {
        let Run {
            run,
            clock,
            plan,
            target,
            board,
            limits,
            trace,
        } = run;
        let turns = (plan.people.len() > USERS_AT_ONCE).then(|| Semaphore::new(USERS_AT_ONCE));
        let given = trace.as_ref().map(|_| target.profile.given());
        Self {
            tracer: Tracer::new(trace, clock, given.unwrap_or_default()),
            http: Client::new(target.tls.clone(), limits.op),
            number,
            run,
            clock,
            plan,
            target,
            board,
            limits,
            alarm,
            backlog: Rc::default(),
            trays: Trays::default(),
            recorder: RefCell::new(recorder),
            latest: Cell::new(At::START),
            logins: Semaphore::new(LOGINS_AT_ONCE),
            connects: Semaphore::new(CONNECTS_AT_ONCE),
            turns,
            phase: Cell::default(),
            conns: Cell::default(),
            sessions: Cell::default(),
        }
    }

    /// Records what happens now.
    pub(crate) fn record(&self, fact: Fact<'_>) {
        self.record_at(self.clock.now(), fact);
    }

    /// Records what happened at `at`. A run whose history cannot be kept is not worth going on with.
    #[inline]
    pub(crate) fn record_at(&self, at: At, fact: Fact<'_>) {
        self.latest.set(self.latest.get().max(at));
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(at, fact);
        if recorder.has_failed() {
            self.alarm.raise();
        }
    }

    /// When the latest of all happened that was recorded: what time it is, to whoever has just been told of it.
    pub(crate) fn latest(&self) -> At {
        self.latest.get()
    }

    /// The same task, but if it panics, the run ends.
    pub(crate) fn watched<F: Future>(&self, task: F) -> impl Future<Output = F::Output> + use<F> {
        let tripwire = self.alarm.tripwire();
        async move {
            let _tripwire = tripwire;
            task.await
        }
    }

    /// Waits for a turn, in order; it lasts until it is dropped. A user may have one at a time. `None` if nobody ever has to wait.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turns = self.turns.as_ref()?;
        match turns.try_acquire() {
            // nobody waits where there are some
            Ok(turn) => Some(turn),
            // none only if turns were over for good, which they never are
            Err(_) => turns.acquire().await.ok(),
        }
    }

    /// The phase and round that new ops belong to.
    pub(crate) fn phase(&self) -> (u16, Round) {
        self.phase.get()
    }

    pub(crate) fn enter(&self, phase: &Phase) {
        self.phase.set((phase.number, phase.round));
        self.tracer.tries(phase.kind.tries());
    }

    pub(crate) fn next_conn(&self) -> Conn {
        Conn(u32::from(self.number) << LOCAL_BITS | count(&self.conns))
    }

    pub(crate) fn next_session(&self) -> Session {
        Session(u32::from(self.number) << LOCAL_BITS | count(&self.sessions))
    }

    pub(crate) fn into_recorder(self) -> Recorder {
        self.recorder.into_inner()
    }
}

fn count(counter: &Cell<u32>) -> u32 {
    let number = counter.get();
    counter.set(number + 1);
    number
}
