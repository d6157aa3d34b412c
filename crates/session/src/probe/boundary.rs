//! B: without a session, with another's, and with one that has ended.

use std::rc::Rc;
use std::time::Duration;

use history::{At, Check, Conn, Interval, ProbeResult, Replica, User};

use super::{Ask, Tried};
use crate::answer::Answer;
use crate::clock::nanoseconds;
use crate::codec::{Slot, Values};
use crate::login::Login;
use crate::plan::SessionEnd;
use crate::profile::{Action, Exchange};
use crate::socket::{Knock, Refusal, Request, Socket, Welcome};
use crate::user::VirtualUser;

/// Beyond the target's grace: what is sent then is surely late.
const MARGIN: Duration = Duration::from_millis(50);
/// How long to wait for a session's end and the grace after it; a service that gives longer lives than it was asked for
/// would be waited for in vain.
const END_WAIT: Duration = Duration::from_secs(5);

/// What an attack over an upgrade or HTTP came to.
struct Attempted {
    replica: Replica,
    conn: Conn,
    result: ProbeResult,
    detail: String,
    during: Interval,
}

impl VirtualUser {
    /// Resumes the connection of a stranger.
    pub(super) async fn probe_resume(&self, socket: &Rc<Socket>, stranger: User) {
        let of = |user| {
            self.worker
                .board
                .user(user)
                .resume
                .get()
                .filter(|resume| !resume.is_empty())
        };
        let (Some(own), Some(theirs)) = (of(self.person.user), of(stranger)) else {
            return;
        };
        let request = |resume: &str, after: u64| {
            Request::new(Action::Resume)
                .with(Slot::Resume, resume)
                .with(Slot::After, after.to_string())
        };
        let ask = Ask {
            check: Check::Boundary,
            name: "resuming the connection of another",
            victim: stranger,
            control: request(own, socket.cursor()),
            attack: request(theirs, 0),
            betrayed_by: None,
        };
        self.ask(socket, ask).await;
    }

    /// Knocks without a token: at a gateway, in one of the dialects, and over HTTP.
    pub(super) async fn probe_anonymous(&self, socket: &Rc<Socket>) {
        let Some(login) = self.main.login() else { return };
        let profile = &self.worker.target.profile;
        let http = profile.http.me.as_ref().is_some_and(Exchange::presents_token);
        let replica = socket.holder().replica;
        let dialects = self.worker.target.profile.dialects.len();
        let dialect = u8::try_from(self.person.user.0 as usize / 2 % dialects).unwrap_or_default();
        // where nothing proves who one is, there is nothing to come without
        if profile.dialects[usize::from(dialect)].asks_for_proof() {
            let before = self.can_enter(&login, replica, dialect).await;
            let attempt = self.knock(None, replica, dialect).await;
            let after = self.can_enter(&login, replica, dialect).await;
            self.tried_boundary("connecting without a token", attempt, (before, after));
        }
        if !http {
            return;
        }
        let before = self.desk.me(&login, false).await.is_ok();
        let answer = self.desk.me_as(&login.line, None, true).await;
        let after = self.desk.me(&login, false).await.is_ok();
        self.tried_boundary(
            "asking over HTTP without a token",
            over_http(&login, answer),
            (before, after),
        );
    }

    /// Tries what an ended session could do before; the first session, which lives, does each.
    pub(crate) async fn probe_boundaries(&self) {
        let (Some(end), Some(ended)) = (self.second_ends(), self.second_end.get()) else {
            return;
        };
        let (Some(old), Some(socket)) = (self.second.login(), self.second.any_socket()) else {
            return;
        };
        let (Some(live), Some(own)) = (self.main.login(), self.main.socket()) else {
            return;
        };
        let names = names(end);
        let late = At(ended.0 + nanoseconds(self.worker.target.profile.revocation_grace + MARGIN));
        let now = self.worker.clock.now();
        if Duration::from_nanos(late.since(now)) > END_WAIT {
            let wait_ms = late.since(now) / 1_000_000;
            return self.tried_boundary(names[0], never_ends(&socket, wait_ms, now), (true, true));
        }
        tokio::time::sleep_until(self.worker.clock.instant(late).into()).await;
        if let Some(proof) = socket.dialect().proof() {
            let answer = self.ask_late(&socket, proof).await;
            let controls = (true, own.call(Request::new(proof)).await.is_ok());
            self.tried_boundary(names[0], answer, controls);
        }
        let (holder, dialect) = (socket.holder(), self.person.dialect);
        let attempt = self.knock(Some(&old), holder.replica, dialect).await;
        let controls = (true, self.can_enter(&live, holder.replica, dialect).await);
        self.tried_boundary(names[1], attempt, controls);
        if self.worker.target.profile.http.me.is_some() {
            let token = old.tokens().access;
            let answer = self.desk.me_as(&old.line, Some(&token), true).await;
            let controls = (
                self.second_before.get().http,
                self.desk.me(&live, false).await.is_ok(),
            );
            self.tried_boundary(names[2], over_http(&old, answer), controls);
        }
        if end != SessionEnd::Expiry {
            self.refresh_late(names[3], &old).await;
        }
    }

    /// Asks over the connection of the ended session, if the service has left it open.
    async fn ask_late(&self, socket: &Rc<Socket>, proof: Action) -> Attempted {
        let holder = socket.holder();
        let answer = socket.call(Request::new(proof).probe()).await;
        let result = match () {
            () if answer.is_ok() => ProbeResult::Accepted,
            () if socket.is_open() && answer.is_unanswered() => ProbeResult::Silent,
            () => ProbeResult::Refused,
        };
        let detail = answer.reason().to_owned();
        Attempted {
            replica: holder.replica,
            conn: holder.conn,
            result,
            detail,
            during: answer.during,
        }
    }

    /// An expired access token may be exchanged; a session that was ended may not.
    async fn refresh_late(&self, name: &'static str, old: &Login) {
        let Some(refresh) = old.tokens().refresh else {
            return;
        };
        let Some(answer) = self.desk.refresh(&old.line, &refresh, true).await else {
            return;
        };
        let result = match (answer.tokens.is_some(), answer.refused) {
            (true, _) => ProbeResult::Accepted,
            (false, true) => ProbeResult::Refused,
            (false, false) => ProbeResult::Lost,
        };
        let (replica, conn) = (Replica::AUTH, old.line.conn);
        let attempt = Attempted {
            replica,
            conn,
            result,
            detail: answer.reason,
            during: answer.during,
        };
        let controls = (self.second_before.get().refresh, self.renew_first_session().await);
        self.tried_boundary(name, attempt, controls);
    }

    /// Whether the first session can be refreshed.
    pub(crate) async fn renew_first_session(&self) -> bool {
        let Some(login) = self.main.login() else {
            return false;
        };
        self.desk.renew(&login).await
    }

    /// Whether one is let in with a good token.
    async fn can_enter(&self, login: &Login, replica: Replica, dialect: u8) -> bool {
        let (user, session) = (self.person.user, Some(login.session()));
        let Some(caller) = self.caller(user, Some(&login.tokens().access), true) else {
            return false;
        };
        let knock = Knock {
            user,
            session,
            replica,
            dialect,
            caller: &caller,
            expect_refusal: false,
        };
        let Ok(socket) = Socket::open(&self.worker, knock).await else {
            return false;
        };
        let in_it =
            !socket.dialect().admits_by_handshake() || socket.shake_hands(&caller).await == Welcome::In;
        socket.close().await;
        in_it
    }

    /// Knocks where one must not be let in: with the token of `login`, or without any.
    async fn knock(&self, login: Option<&Login>, replica: Replica, dialect: u8) -> Attempted {
        // where everybody is let in at first, that is nothing that a session was served
        let admits = self.worker.target.profile.dialects[usize::from(dialect)].admits_by_handshake();
        let (user, session) = (self.person.user, login.map(Login::session).filter(|_| !admits));
        let token = login.map(|login| login.tokens().access);
        let from = self.worker.clock.now();
        let caller = self.caller(user, token.as_deref(), false).unwrap_or_default();
        let knock = Knock {
            user,
            session,
            replica,
            dialect,
            caller: &caller,
            expect_refusal: true,
        };
        let (conn, result, detail) = match Socket::open(&self.worker, knock).await {
            Ok(socket) => {
                let (result, detail) = self.let_in(&socket, &caller).await;
                socket.close().await;
                (socket.holder().conn, result, detail)
            }
            Err(Refusal {
                conn,
                status: Some(_),
                reason,
            }) => (conn, ProbeResult::Refused, reason),
            Err(Refusal {
                conn,
                status: None,
                reason,
            }) => (conn, ProbeResult::Lost, reason),
        };
        let during = Interval {
            from,
            to: self.worker.clock.now(),
        };
        Attempted {
            replica,
            conn,
            result,
            detail,
            during,
        }
    }

    /// What it is worth that an upgrade was accepted.
    async fn let_in(&self, socket: &Rc<Socket>, caller: &Values) -> (ProbeResult, String) {
        // what is answered to somebody who only says who one is, is judged
        let served = self.served(Check::Boundary, socket, caller).await;
        // whether one is let in may be said behind the upgrade: by a refusal, or by closing
        match served {
            (ProbeResult::Lost, _) if !socket.dialect().admits_by_handshake() => {
                self.merely_let_in(Check::Boundary, "the upgrade was accepted")
            }
            served => served,
        }
    }

    fn tried_boundary(&self, name: &'static str, attempted: Attempted, controls: (bool, bool)) {
        let Attempted {
            replica,
            conn,
            result,
            detail,
            during,
        } = attempted;
        let (check, conn) = (Check::Boundary, Some(conn));
        self.tried(Tried {
            check,
            name,
            victim: None,
            replica,
            conn,
            controls,
            result,
            detail,
            during,
        });
    }
}

fn over_http(login: &Login, answer: Answer) -> Attempted {
    let result = match () {
        () if answer.is_ok() => ProbeResult::Accepted,
        () if answer.is_refused() => ProbeResult::Refused,
        () => ProbeResult::Lost,
    };
    let detail = answer.reason().to_owned();
    Attempted {
        replica: Replica::AUTH,
        conn: login.line.conn,
        result,
        detail,
        during: answer.during,
    }
}

fn never_ends(socket: &Socket, wait_ms: u64, now: At) -> Attempted {
    let holder = socket.holder();
    Attempted {
        replica: holder.replica,
        conn: holder.conn,
        result: ProbeResult::Lost,
        detail: format!("the session would end in {wait_ms} ms only, longer than is waited for"),
        during: Interval { from: now, to: now },
    }
}

/// What the tries after an end are called: an op, an upgrade, a request over HTTP, a refresh.
fn names(end: SessionEnd) -> [&'static str; 4] {
    match end {
        SessionEnd::Logout => [
            "an op after log-out",
            "connecting after log-out",
            "HTTP after log-out",
            "refreshing after log-out",
        ],
        SessionEnd::Expiry => [
            "an op after expiry",
            "connecting after expiry",
            "HTTP after expiry",
            "refreshing after expiry",
        ],
        SessionEnd::Revocation => [
            "an op after revocation",
            "connecting after revocation",
            "HTTP after revocation",
            "refreshing after revocation",
        ],
    }
}
