//! Where each thread is a connection of its own: a user's connections to other threads than that which it asks over.

use std::cell::RefCell;
use std::rc::Rc;

use history::{Conn, Interval, Outcome};
use tokio::sync::Mutex;

use super::{Happening, Knock, Refusal, Request, Socket, State, Welcome};
use crate::answer::Answer;
use crate::codec::{Slot, Values};
use crate::worker::Worker;

/// Connections to other threads that a user has at once; the one that was opened first makes room for the next.
const KIN_LIMIT: usize = 32;

/// To where a connection is, and what it has led to.
pub(super) struct Kin {
    /// What was presented, the thread among it.
    caller: Values,
    /// They are opened one after the other, each once.
    opening: Mutex<()>,
    others: RefCell<Vec<Other>>,
}

struct Other {
    thread: String,
    socket: Rc<Socket>,
    /// Whether one was let in.
    within: bool,
}

/// What came of connecting to a thread.
pub(crate) struct Visit {
    pub(crate) conn: Conn,
    /// `None` if the upgrade was refused.
    pub(crate) socket: Option<Rc<Socket>>,
    /// Whether one was let in, and what was said if not.
    pub(crate) outcome: Outcome,
    pub(crate) during: Interval,
}

impl Kin {
    /// `None` where there is but one connection for all threads.
    pub(super) fn new(apart: bool, caller: &Values) -> Option<Box<Self>> {
        apart.then(|| {
            Box::new(Self {
                caller: caller.clone(),
                opening: Mutex::default(),
                others: RefCell::default(),
            })
        })
    }

    /// The connection to a thread, if there is one.
    fn to(&self, thread: &str) -> Option<Rc<Socket>> {
        let others = self.others.borrow();
        let mut within = others
            .iter()
            .filter(|other| other.within && other.socket.is_open());
        let other = within.find(|other| other.thread == thread)?;
        Some(Rc::clone(&other.socket))
    }

    /// Keeps a connection; what has to go for it.
    fn keep(&self, other: Other) -> Option<Rc<Socket>> {
        let mut others = self.others.borrow_mut();
        others.retain(|other| other.socket.is_open());
        let oldest = (others.len() >= KIN_LIMIT).then(|| others.remove(0).socket);
        others.push(other);
        oldest
    }
}

impl Socket {
    /// Those to other threads that it has led to.
    pub(crate) fn kin(&self) -> Vec<Rc<Self>> {
        let others = self.kin.iter().flat_map(|kin| {
            let others = kin.others.borrow();
            others
                .iter()
                .map(|other| Rc::clone(&other.socket))
                .collect::<Vec<_>>()
        });
        others.collect()
    }

    /// The thread that it is connected to, where each is a connection of its own.
    pub(super) fn thread(&self) -> Option<&str> {
        self.kin.as_ref()?.caller.get(Slot::Thread)
    }

    /// The thread or room that a request is to go to, if that is another connection.
    fn elsewhere<'r>(&self, request: &'r Request) -> Option<&'r str> {
        self.kin.as_ref()?;
        let values = &request.values;
        let place = values.get(Slot::Thread).or_else(|| values.get(Slot::Room))?;
        let shape = self.dialect().ops.get(&request.action);
        let over_http = shape.is_some_and(|shape| shape.http.is_some());
        (!over_http && self.thread() != Some(place)).then_some(place)
    }

    /// Over which connection a request goes; an error if one is not connected there.
    pub(super) fn way(self: &Rc<Self>, request: &Request) -> Result<Rc<Self>, String> {
        match (&self.kin, self.elsewhere(request)) {
            (Some(kin), Some(thread)) => kin.to(thread).ok_or_else(|| "not connected there".to_owned()),
            _ => Ok(Rc::clone(self)),
        }
    }

    /// Whether one has to connect first to ask this.
    pub(super) fn is_to_connect(&self, request: &Request) -> bool {
        match (&self.kin, self.elsewhere(request)) {
            (Some(kin), Some(thread)) => kin.to(thread).is_none(),
            _ => false,
        }
    }

    /// Connects to where a request is to go, unless one is; what came of it if one was not let in.
    pub(crate) async fn reach(&self, request: &Request) -> Result<(), Answer> {
        let (Some(kin), Some(thread)) = (&self.kin, self.elsewhere(request)) else {
            return Ok(());
        };
        let owner = request.values.get(Slot::Owner);
        let visit = self.connect_to(kin, thread, (owner, request.probe)).await;
        match visit {
            Some(Visit { outcome, during, .. }) if outcome != Outcome::Ok => Err(Answer {
                during,
                ..Answer::known(outcome, during.to)
            }),
            _ => Ok(()),
        }
    }

    /// Connects to a thread that is made so.
    pub(super) async fn found(&self, thread: &str) -> Outcome {
        match &self.kin {
            Some(kin) => {
                let visit = self.connect_to(kin, thread, (None, false)).await;
                visit.map_or(Outcome::Ok, |visit| visit.outcome)
            }
            None => Outcome::Info("one does not connect to threads".to_owned()),
        }
    }

    /// `None` if one is connected there already.
    async fn connect_to(
        &self,
        kin: &Kin,
        thread: &str,
        (owner, probe): (Option<&str>, bool),
    ) -> Option<Visit> {
        let _one = kin.opening.lock().await;
        if kin.to(thread).is_some() {
            return None;
        }
        let mut caller = kin.caller.clone();
        caller.set(Slot::Thread, thread);
        if let Some(owner) = owner {
            caller.set(Slot::Owner, owner);
        }
        let knock = Knock {
            user: self.holder.user,
            session: self.holder.session,
            replica: self.holder.replica,
            dialect: u8::try_from(self.dialect).unwrap_or_default(),
            caller: &caller,
            expect_refusal: probe,
        };
        let visit = Self::visit(&self.worker, knock, probe).await;
        if let Some(socket) = &visit.socket {
            let within = visit.outcome == Outcome::Ok;
            // it is the same service that answers
            *socket.patience.borrow_mut() = *self.patience.borrow();
            if within && !probe {
                socket.ready(visit.during.to);
            }
            let thread = thread.to_owned();
            let oldest = kin.keep(Other {
                thread,
                socket: Rc::clone(socket),
                within,
            });
            if let Some(oldest) = oldest {
                oldest.close().await;
            }
        }
        Some(visit)
    }

    /// Connects, and sees whether one is let in; with `patience`, the service has the time that it may take to shut one out again.
    pub(crate) async fn visit(worker: &Rc<Worker>, knock: Knock<'_>, patience: bool) -> Visit {
        let from = worker.clock.now();
        let caller = knock.caller;
        let opened = Self::open(worker, knock).await;
        let (conn, socket, outcome) = match opened {
            Ok(socket) => {
                let outcome = socket.settle(caller, patience).await;
                (socket.holder.conn, Some(socket), outcome)
            }
            Err(Refusal { conn, status, reason }) => {
                let outcome = match status {
                    Some(_) => Outcome::Fail(reason),
                    None => Outcome::Info(reason),
                };
                (conn, None, outcome)
            }
        };
        let to = worker.clock.now();
        Visit {
            conn,
            socket,
            outcome,
            during: Interval { from, to },
        }
    }

    /// Goes through the handshake, and waits whether one is shut out again, if that is to be seen.
    async fn settle(&self, caller: &Values, wait: bool) -> Outcome {
        let shaking = self.shake_hands(caller);
        let welcome = match wait {
            true => tokio::time::timeout(self.shuts_out_within(), shaking).await,
            false => Ok(shaking.await),
        };
        let welcome = welcome.unwrap_or(Welcome::Nothing);
        if wait && welcome == Welcome::In {
            // what came of it is seen below
            self.shut_out().await;
        }
        match welcome {
            _ if !self.is_open() || welcome == Welcome::TurnedAway => Outcome::Fail(self.how_it_ended()),
            Welcome::In => Outcome::Ok,
            _ => Outcome::Info("let in and told nothing".to_owned()),
        }
    }

    /// How one was shut out.
    pub(crate) fn how_it_ended(&self) -> String {
        match *self.state.borrow() {
            State::Closed { code: Some(code), .. } => format!("let in and shut out again, code {code}"),
            State::Closed { .. } => "let in and shut out again".to_owned(),
            _ => "let in and turned away".to_owned(),
        }
    }

    /// What it is to listen to a thread that one is connected to.
    pub(super) fn listens_here(&self, request: &Request) -> Option<Answer> {
        let connects = self.kin.is_some() && self.dialect().listens_by_connecting(request.action);
        let known = connects && !self.dialect().ops.contains_key(&request.action);
        let outcome = match self.is_open() {
            true => Outcome::Ok,
            false => Outcome::Info("not connected".to_owned()),
        };
        known.then(|| Answer::known(outcome, self.worker.clock.now()))
    }

    /// Drops all streams that it has led to.
    pub(super) fn drop_kin(&self) {
        for other in self.kin() {
            other.end(Happening::WeDrop);
        }
    }
}
