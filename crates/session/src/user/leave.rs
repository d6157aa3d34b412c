//! A second session begins and ends while the first lives on.

use std::rc::Rc;

use history::{BoundaryKind, Interval, Replica};

use super::VirtualUser;
use crate::codec::Slot;
use crate::login::Login;
use crate::plan::SessionEnd;
use crate::profile::Action;
use crate::socket::{Request, Socket};

/// Life of an access token that is to expire in mid-run, in seconds. Services count in whole ones, so 1 may be none.
const SHORT_LIFE_S: u64 = 2;

impl VirtualUser {
    /// Opens the second session, if the plan has one for this user, listens with it, and ends it.
    pub(super) async fn leave(&self) {
        let (Some(end), Some(account)) = (self.person.second, self.entry().account.get()) else {
            return;
        };
        if self.main.socket().is_none() {
            return;
        }
        let life_s = (end == SessionEnd::Expiry).then_some(SHORT_LIFE_S);
        let line = self.desk.http.line(self.person.user);
        let Some(login) = self.desk.login(line, account, life_s).await else {
            return;
        };
        let login = Rc::new(login);
        *self.second.login.borrow_mut() = Some(Rc::clone(&login));
        let Some(socket) = self.open(&login, self.other_replica()).await else {
            return;
        };
        *self.second.socket.borrow_mut() = Some(Rc::clone(&socket));
        self.listen(&socket).await;
        self.end_session(end, &login).await;
    }

    fn other_replica(&self) -> Replica {
        Replica((self.person.replica.0 + 1) % self.plan().scale.replicas)
    }

    /// Subscribes to all that could be pushed to this user, so that what comes after the end would be seen.
    async fn listen(&self, socket: &Rc<Socket>) {
        for thread in self.entry().threads.get().into_iter().flatten() {
            socket
                .call(Request::new(Action::SubscribeThread).with(Slot::Thread, thread))
                .await;
        }
        if self.person.room.is_some() {
            self.subscribe_room(socket).await;
        }
    }

    async fn end_session(&self, end: SessionEnd, login: &Login) {
        match end {
            SessionEnd::Logout => {
                self.desk.logout(login).await;
            }
            SessionEnd::Expiry => {
                if let Some(at) = login.tokens.expires {
                    self.desk
                        .ended(&login.line, BoundaryKind::Expiry, Interval { from: at, to: at });
                }
            }
            SessionEnd::Revocation => self.reuse_refresh(login).await,
        }
    }

    /// Refreshes, then presents the spent token again: the service must say no, and end the session.
    async fn reuse_refresh(&self, login: &Login) {
        let Some(first) = login.tokens.refresh.as_deref() else {
            return;
        };
        let Some(rotated) = self.desk.refresh(&login.line, first, false).await else {
            return;
        };
        if rotated.tokens.is_none() {
            return;
        }
        let Some(reused) = self.desk.refresh(&login.line, first, true).await else {
            return;
        };
        if reused.refused {
            self.desk
                .ended(&login.line, BoundaryKind::Revocation, reused.during);
        }
    }
}
