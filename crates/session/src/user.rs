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
use std::pin::Pin;
use std::rc::Rc;

use history::{At, Audience, Fact};
use isolation::canary::{Canary, Datum, Mint, Spelt};

use crate::board::UserEntry;
use crate::login::{Desk, Login};
use crate::plan::{Person, Phase, PhaseKind, Plan};
use crate::probe::Awaited;
use crate::socket::Socket;
use crate::worker::Worker;

/// Users who do what does not get truer by more of them doing it, and what would keep the others waiting.
const ENOUGH_USERS: u32 = 256;

/// One person of the plan, alive.
pub(crate) struct VirtualUser {
    pub(crate) worker: Rc<Worker>,
    pub(crate) desk: Rc<Desk>,
    pub(crate) person: Person,
    mint: RefCell<Mint>,
    pub(crate) main: Link,
    pub(crate) second: Link,
    /// Connections beside those two: never of use, or no more, or idle. What comes over them is judged all the same.
    aside: RefCell<Vec<Rc<Socket>>>,
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
            aside: RefCell::default(),
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
        let _turn = match phase.kind {
            // where a user asks for next to nothing, where others bound how many are at it, and where each op is a turn
            PhaseKind::Login
            | PhaseKind::Connect
            | PhaseKind::Round
            | PhaseKind::Drain
            | PhaseKind::Close => None,
            _ => self.worker.turn().await,
        };
        // on the heap, so that a user has the size of the phase that it is in, not of the largest
        let part: Pin<Box<dyn Future<Output = ()> + '_>> = match phase.kind {
            PhaseKind::Login => Box::pin(self.log_in()),
            PhaseKind::Connect => Box::pin(self.connect()),
            PhaseKind::Plant => Box::pin(self.plant()),
            PhaseKind::Join => Box::pin(self.join()),
            PhaseKind::Solo => Box::pin(self.solo()),
            PhaseKind::Burst => Box::pin(self.burst()),
            PhaseKind::Leave => Box::pin(self.leave()),
            PhaseKind::Round => Box::pin(self.round(phase.round, from)),
            PhaseKind::Cancel => Box::pin(self.cancel()),
            PhaseKind::Exhaust => Box::pin(self.exhaust()),
            PhaseKind::Admit => Box::pin(self.admit()),
            PhaseKind::Mingle => Box::pin(self.mingle()),
            PhaseKind::Expel => Box::pin(self.expel()),
            PhaseKind::Drop => Box::pin(self.drop_connection()),
            PhaseKind::Resume => Box::pin(self.resume()),
            PhaseKind::Probe => Box::pin(self.probe()),
            PhaseKind::Provoke => Box::pin(self.provoke()),
            PhaseKind::Echo => Box::pin(self.echo()),
            PhaseKind::Boundary => Box::pin(self.probe_boundaries()),
            PhaseKind::ReadAll => Box::pin(self.read_all()),
            PhaseKind::Drain => Box::pin(self.drain()),
            PhaseKind::Close => Box::pin(self.close()),
            // a subject's
            PhaseKind::Alone => return,
        };
        part.await;
    }

    /// Whether it does what a part of many users is enough for.
    pub(crate) fn is_of_the_first(&self) -> bool {
        self.person.user.0 < ENOUGH_USERS
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
        Some(self.spell(audience, datum)?.canary)
    }

    /// As [`Self::mint`], with its characters.
    pub(crate) fn spell(&self, audience: Audience, datum: Datum) -> Option<Spelt> {
        match self.mint.borrow_mut().spell(audience, datum) {
            Ok(spelt) => Some(spelt),
            Err(error) => {
                self.worker.record(Fact::LimitHit {
                    what: error.to_string().into(),
                });
                None
            }
        }
    }
}
