//! T: connections to what is somebody else's, where whoever connects says to what.

use std::rc::Rc;

use history::{Audience, Check, Outcome, ProbeResult, User};
use isolation::canary::Datum;

use super::{Awaited, Tried};
use crate::codec::Slot;
use crate::socket::{Knock, Socket, Visit};
use crate::user::VirtualUser;

impl VirtualUser {
    /// Connects anew to what is the victim's, with one's own token; before and after, to what is one's own.
    pub(super) async fn probe_connecting(&self, socket: &Rc<Socket>, victim: User) {
        let dialect = socket.dialect();
        if !dialect.connects_to_owned() {
            return;
        }
        let before = self.visit_own(socket).await;
        let Some(attack) = self.visit(socket, victim).await else {
            return;
        };
        let after = self.visit_own(socket).await;
        let (mut result, mut detail) = match &attack.outcome {
            Outcome::Ok => (ProbeResult::Accepted, "let in".to_owned()),
            Outcome::Fail(why) => (ProbeResult::Refused, why.clone()),
            Outcome::Info(why) if attack.socket.is_some() => (ProbeResult::Silent, why.clone()),
            Outcome::Info(why) => (ProbeResult::Lost, why.clone()),
        };
        // meanwhile others were let in who came later
        let shut_out = attack.socket.as_ref().filter(|socket| !socket.is_open());
        if let (Some(socket), true) = (shut_out, result != ProbeResult::Refused) {
            (result, detail) = (ProbeResult::Refused, socket.how_it_ended());
        }
        if dialect.denies_by_silence && result == ProbeResult::Accepted {
            result = ProbeResult::Silent;
        }
        let tried = Tried {
            check: Check::Thread,
            name: match dialect.connects_to_threads() {
                true => "connecting to a foreign thread",
                false => "connecting to what is another's",
            },
            victim: Some(victim),
            replica: socket.holder().replica,
            conn: Some(attack.conn),
            controls: (before, after),
            result,
            detail,
            during: attack.during,
        };
        self.decide_or_await(tried, attack, victim);
    }

    /// Silence is decided by what is pushed, which begins with what only the victim writes.
    fn decide_or_await(&self, tried: Tried, attack: Visit, victim: User) {
        let silent = tried.result == ProbeResult::Silent;
        let needle = self.telltale("", victim, (Audience::Owner, Datum::Nonce));
        match (attack.socket, needle) {
            (Some(socket), Some(needle)) if silent => {
                let push = socket.watch(needle);
                self.awaited.borrow_mut().push(Awaited {
                    tried,
                    push,
                    controls: None,
                });
            }
            _ => self.tried(tried),
        }
    }

    /// Whether one is let in to what is one's own.
    async fn visit_own(&self, socket: &Rc<Socket>) -> bool {
        let visit = self.visit(socket, self.person.user).await;
        let Some(visit) = visit else { return false };
        if let Some(socket) = &visit.socket {
            socket.close().await;
        }
        visit.outcome == Outcome::Ok
    }

    /// Connects to what is `owner`'s, where `socket` goes; `None` if it has nothing.
    async fn visit(&self, socket: &Rc<Socket>, owner: User) -> Option<Visit> {
        let (login, own) = (self.main.login()?, owner == self.person.user);
        let mut caller = self.caller(self.person.user, Some(&login.tokens().access), true)?;
        caller.set(Slot::Owner, self.worker.board.user_id(owner)?);
        if socket.dialect().connects_to_threads() {
            let threads = self.worker.board.user(owner).threads.get()?;
            let thread = threads.first().filter(|thread| own || !self.has_thread(thread))?;
            caller.set(Slot::Thread, thread);
        }
        let knock = Knock {
            user: self.person.user,
            session: Some(login.session()),
            replica: socket.holder().replica,
            dialect: self.person.dialect,
            caller: &caller,
            expect_refusal: !own,
        };
        let visit = Socket::visit(&self.worker, knock, !(own && socket.dialect().greets())).await;
        if let Some(socket) = &visit.socket {
            self.put_aside(socket);
        }
        Some(visit)
    }
}
