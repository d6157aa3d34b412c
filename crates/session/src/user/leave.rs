//! A second session begins and ends while the first lives on.

use std::rc::Rc;

use history::{BoundaryKind, Check, Fact, Interval, ProbeResult, Replica};

use super::{Before, VirtualUser};
use crate::http::Line;
use crate::login::Login;
use crate::plan::SessionEnd;
use crate::probe::Tried;
use crate::profile::Action;
use crate::socket::Socket;

/// Life of an access token that is to expire in mid-run, in seconds. Services count in whole ones, so 1 may be none. It is
/// longer by one for each so many users: the more there are, the longer it takes until a session listens.
const SHORT_LIFE_S: u64 = 2;
const USERS_PER_S: u32 = 500;

impl VirtualUser {
    /// Refreshes the first session at the same time as everybody, and sees who it is taken for. Then opens the second, if
    /// the plan has one for this user, listens with it, and ends it.
    pub(super) async fn leave(&self) {
        if let Some(login) = self.main.login()
            && self.desk.renew(&login).await
        {
            self.desk.me(&login, false).await;
        }
        let (Some(end), Some(account)) = (self.second_ends(), self.entry().account.get()) else {
            return;
        };
        if self.main.socket().is_none() {
            return;
        }
        let life_s = (end == SessionEnd::Expiry).then(|| self.short_life_s());
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
        let http = self.desk.me(&login, false).await.is_ok();
        // after a refresh, the short life that was asked for would be no more
        let refresh = end != SessionEnd::Expiry && self.desk.renew(&login).await;
        self.second_before.set(Before { http, refresh });
        self.end_session(end, &login).await;
    }

    /// How its second session ends, if it has one: as planned, or as the target can end a session.
    pub(crate) fn second_ends(&self) -> Option<SessionEnd> {
        let http = &self.worker.target.profile.http;
        let can = |end: &SessionEnd| match end {
            SessionEnd::Logout => http.logout.is_some(),
            SessionEnd::Expiry => {
                http.login_short.is_some() || http.signing.as_ref().is_some_and(|signing| signing.short)
            }
            SessionEnd::Revocation => http.refresh.is_some(),
        };
        let planned = self.person.second?;
        let ends = [
            planned,
            SessionEnd::Logout,
            SessionEnd::Expiry,
            SessionEnd::Revocation,
        ];
        ends.into_iter().find(can)
    }

    fn short_life_s(&self) -> u64 {
        SHORT_LIFE_S + u64::from(self.plan().scale.users / USERS_PER_S)
    }

    fn other_replica(&self) -> Replica {
        Replica((self.person.replica.0 + 1) % self.plan().scale.replicas)
    }

    /// Subscribes to all that could be pushed to this user, so that what comes after the end would be seen.
    async fn listen(&self, socket: &Rc<Socket>) {
        for thread in self.entry().threads.get().into_iter().flatten() {
            socket
                .call(self.on_thread(Action::SubscribeThread, thread, self.person.user))
                .await;
        }
        if self.person.room.is_some() {
            self.subscribe_room(socket).await;
        }
    }

    async fn end_session(&self, end: SessionEnd, login: &Login) {
        let ended = match end {
            SessionEnd::Logout => self.desk.logout(login).await,
            SessionEnd::Expiry => login.tokens().expires.map(|at| Interval { from: at, to: at }),
            SessionEnd::Revocation => self.reuse_refresh(login).await,
        };
        let Some(during) = ended else { return };
        let kind = match end {
            SessionEnd::Logout => BoundaryKind::Logout,
            SessionEnd::Expiry => BoundaryKind::Expiry,
            SessionEnd::Revocation => BoundaryKind::Revocation,
        };
        let Line { session, user, .. } = login.line;
        self.worker.record(Fact::Boundary {
            session,
            user,
            kind,
            during,
        });
        self.second_end.set(Some(during.to));
    }

    /// Refreshes, then presents the spent token again: the service must say no, and end the session. `None` if it did
    /// neither.
    async fn reuse_refresh(&self, login: &Login) -> Option<Interval> {
        let spent = login.tokens().refresh?;
        if !self.desk.renew(login).await {
            return None;
        }
        let reused = self.desk.refresh(&login.line, &spent, true).await?;
        self.tried(Tried {
            check: Check::Boundary,
            name: "a spent refresh token",
            victim: None,
            replica: Replica::AUTH,
            conn: Some(login.line.conn),
            controls: (true, self.renew_first_session().await),
            result: if reused.refused {
                ProbeResult::Refused
            } else {
                ProbeResult::Accepted
            },
            detail: reused.reason,
            during: reused.during,
        });
        reused.refused.then_some(reused.during)
    }
}
