//! A virtual user: one person of the plan, with its sessions, its connections and its secrets.

mod comeback;
mod enter;
mod exhaust;
mod leave;
mod load;
mod ops;
mod plant;
mod rest;
mod rooms;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use history::{At, Audience, Fact};
use isolation::canary::{Canary, Datum, Mint};

use crate::board::UserEntry;
use crate::login::{Desk, Login};
use crate::plan::{Person, Phase, PhaseKind, Plan};
use crate::probe::Awaited;
use crate::socket::Socket;
use crate::worker::Worker;

/// One person of the plan, alive.
pub(crate) struct VirtualUser {
    pub(crate) worker: Rc<Worker>,
    pub(crate) desk: Rc<Desk>,
    pub(crate) person: Person,
    mint: RefCell<Mint>,
    pub(crate) main: Link,
    pub(crate) second: Link,
    /// Connections that were never of use, or are no more: what comes over them is judged all the same.
    unfit: RefCell<Vec<Rc<Socket>>>,
    /// Threads that it created beside the planted ones.
    own_threads: RefCell<Vec<String>>,
    /// The one whose title, and with it each reply, is long.
    long_thread: RefCell<Option<String>>,
    /// Position of its newest message in the round's thread, and of the newest that it posted in its room.
    newest: Cell<u64>,
    newest_in_room: Cell<u64>,
    /// When its second session ended.
    pub(crate) second_end: Cell<Option<At>>,
    /// What that session could do before its end.
    pub(crate) second_before: Cell<Before>,
    /// Probes that pushes will decide.
    pub(crate) awaited: RefCell<Vec<Awaited>>,
}

/// What a session could do: the control of what it must not be able to do after its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    pub(crate) http: bool,
    pub(crate) refresh: bool,
}

/// A session and its connection.
#[derive(Default)]
pub(crate) struct Link {
    login: RefCell<Option<Rc<Login>>>,
    socket: RefCell<Option<Rc<Socket>>>,
}

impl Link {
    pub(crate) fn login(&self) -> Option<Rc<Login>> {
        self.login.borrow().clone()
    }

    /// The connection, open or not.
    pub(crate) fn any_socket(&self) -> Option<Rc<Socket>> {
        self.socket.borrow().clone()
    }

    /// The connection, if it is open and answers.
    pub(crate) fn socket(&self) -> Option<Rc<Socket>> {
        self.any_socket().filter(|socket| socket.is_alive())
    }
}

impl VirtualUser {
    pub(crate) fn new(worker: &Rc<Worker>, desk: &Rc<Desk>, person: Person, mint: Mint) -> Self {
        Self {
            worker: Rc::clone(worker),
            desk: Rc::clone(desk),
            person,
            mint: RefCell::new(mint),
            main: Link::default(),
            second: Link::default(),
            unfit: RefCell::default(),
            own_threads: RefCell::default(),
            long_thread: RefCell::default(),
            newest: Cell::default(),
            newest_in_room: Cell::default(),
            second_end: Cell::default(),
            second_before: Cell::default(),
            awaited: RefCell::default(),
        }
    }

    /// Does its part of `phase`, which began at `from`.
    pub(crate) async fn play(&self, phase: &Phase, from: At) {
        for socket in [&self.main, &self.second]
            .into_iter()
            .filter_map(Link::any_socket)
        {
            socket.enter(phase.number);
        }
        match phase.kind {
            PhaseKind::Login => self.log_in().await,
            PhaseKind::Connect => self.connect().await,
            PhaseKind::Plant => self.plant().await,
            PhaseKind::Join => self.join().await,
            PhaseKind::Solo => self.solo().await,
            PhaseKind::Burst => self.burst().await,
            PhaseKind::Leave => self.leave().await,
            PhaseKind::Round => self.round(phase.round, from).await,
            PhaseKind::Cancel => self.cancel().await,
            PhaseKind::Exhaust => self.exhaust().await,
            PhaseKind::Admit => self.admit().await,
            PhaseKind::Mingle => self.mingle().await,
            PhaseKind::Expel => self.expel().await,
            PhaseKind::Drop => self.drop_connection().await,
            PhaseKind::Resume => self.resume().await,
            PhaseKind::Probe => self.probe().await,
            PhaseKind::Provoke => self.provoke().await,
            PhaseKind::Echo => self.echo().await,
            PhaseKind::Boundary => self.probe_boundaries().await,
            PhaseKind::ReadAll => self.read_all().await,
            PhaseKind::Drain => self.drain().await,
            PhaseKind::Close => self.close().await,
        }
    }

    /// Whether it can take part: connected, and answered.
    pub(crate) fn is_fit(&self) -> bool {
        self.main.socket().is_some()
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.worker.plan
    }

    pub(crate) fn entry(&self) -> &UserEntry {
        self.worker.board.user(self.person.user)
    }

    /// A fresh canary; `None` once all that it can have are spent, which is said.
    pub(crate) fn mint(&self, audience: Audience, datum: Datum) -> Option<Canary> {
        match self.mint.borrow_mut().mint(audience, datum) {
            Ok(canary) => Some(canary),
            Err(error) => {
                self.worker.record(Fact::LimitHit {
                    what: error.to_string().into(),
                });
                None
            }
        }
    }
}
