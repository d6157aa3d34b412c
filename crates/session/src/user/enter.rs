//! Register, log in, connect.

use std::rc::Rc;

use history::{Replica, User};

use super::{Link, VirtualUser};
use crate::codec::{Slot, Values};
use crate::home::Issued;
use crate::login::Login;
use crate::plan::Plan;
use crate::profile::{Action, Dialect};
use crate::socket::{Knock, Request, Socket, Welcome};

impl VirtualUser {
    /// Registers and logs in at the authentication service, and has it say who one is.
    pub(super) async fn log_in(&self) {
        let line = self.desk.http.line(self.person.user);
        let tenancy = &self.plan().tenants[self.person.tenant.0 as usize];
        let enrolled = self.desk.enrol(&line, &self.person, tenancy, &self.mint).await;
        let Some(mut known) = enrolled else {
            return;
        };
        let Some((login, said)) = self.desk.log_in(line, &known, None).await else {
            return;
        };
        known.extend(said);
        let now = self.worker.clock.now();
        let Some(account) = self.desk.account(&self.person, known, now) else {
            return;
        };
        self.entry().account.get_or_init(|| account);
        self.entry().access_token.get_or_init(|| login.tokens().access);
        self.desk.me(&login, false).await;
        *self.main.login.borrow_mut() = Some(Rc::new(login));
    }

    /// Opens the connection of the first session.
    pub(super) async fn connect(&self) {
        let Some(login) = self.main.login() else { return };
        let made = match self.speaks().connects_to_threads() {
            true => self.make_home(&login).await,
            false => None,
        };
        self.connect_first(&login).await;
        if let (Some(made), Some(socket)) = (made, self.main.any_socket()) {
            let holder = socket.holder();
            self.worker
                .record(made.issued(holder.conn, self.worker.clock.now()));
        }
    }

    /// How it speaks with the service.
    pub(crate) fn speaks(&self) -> &Dialect {
        &self.worker.target.profile.dialects[usize::from(self.person.dialect)]
    }

    /// Makes the thread that its connection is to; what is to be told of it once it is connected to, if that is what makes it.
    async fn make_home(&self, login: &Login) -> Option<Issued> {
        let create = self.speaks().ops.get(&Action::CreateThread)?;
        let account = self.entry().account.get()?;
        let values = account.known.clone().with(Slot::Title, Plan::TITLES[0]);
        let values = values.with(Slot::User, &account.user_id);
        let issued = self.desk.found(login, create, values).await?;
        self.entry().home.get_or_init(|| issued.thread.clone());
        if create.connects {
            return Some(issued);
        }
        let now = self.worker.clock.now();
        self.worker.record_at(now, issued.issued(login.line.conn, now));
        None
    }

    async fn connect_first(&self, login: &Login) {
        if let Some(socket) = self.open(login, self.person.replica).await {
            self.entry()
                .resume
                .get_or_init(|| socket.resume_token().unwrap_or_default());
            *self.main.socket.borrow_mut() = Some(socket);
        }
    }

    /// A connection that has said who one is; `None` if it was not let in or not answered.
    pub(crate) async fn open(&self, login: &Login, replica: Replica) -> Option<Rc<Socket>> {
        let caller = self.caller(self.person.user, Some(&login.tokens().access), true)?;
        let knock = Knock {
            user: self.person.user,
            session: Some(login.session()),
            replica,
            dialect: self.person.dialect,
            caller: &caller,
            expect_refusal: false,
        };
        let socket = Socket::open(&self.worker, knock).await.ok()?;
        let welcome = socket.shake_hands(&caller).await;
        let answered_at = match socket.dialect().proof() {
            Some(proof) => {
                let answer = socket.call(Request::new(proof)).await;
                answer.is_ok().then_some(answer.during.to)
            }
            None => Some(self.worker.clock.now()),
        };
        let answered_at = answered_at.filter(|_| welcome == Welcome::In);
        if let Some(at) = answered_at {
            socket.ready(at);
        }
        // one that does not answer stays open: what comes over it is judged all the same
        self.keep(&socket, answered_at.is_some())
    }

    /// What is presented at a gateway's door, in the name of `user`; `None` if it has no account. Its password goes along
    /// only where it is the user itself that comes.
    pub(crate) fn caller(&self, user: User, token: Option<&str>, itself: bool) -> Option<Values> {
        let account = self.worker.board.user(user).account.get()?;
        let mut caller = Values::new().with(Slot::User, &account.user_id);
        caller.set(Slot::Owner, &account.user_id);
        if let Some(home) = self.worker.board.user(user).home.get() {
            caller.set(Slot::Thread, home);
        }
        for slot in [Slot::Email, Slot::Handle, Slot::Password] {
            let wanted = slot != Slot::Password || itself;
            if let Some(value) = account.known.get(slot).filter(|_| wanted) {
                caller.set(slot, value);
            }
        }
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            caller.set(Slot::AccessToken, token);
        }
        Some(caller)
    }

    fn keep(&self, socket: &Rc<Socket>, fit: bool) -> Option<Rc<Socket>> {
        if !fit {
            self.put_aside(socket);
        }
        fit.then(|| Rc::clone(socket))
    }

    /// Keeps a connection that is not in use until all are closed.
    pub(crate) fn put_aside(&self, socket: &Rc<Socket>) {
        self.aside.borrow_mut().push(Rc::clone(socket));
    }

    /// The sockets of both sessions, those that were never of use, and those that they have led to.
    pub(crate) fn all_sockets(&self) -> Vec<Rc<Socket>> {
        let of_links = [&self.main, &self.second]
            .into_iter()
            .filter_map(Link::any_socket);
        let mut all: Vec<_> = of_links
            .chain(self.aside.borrow().iter().map(Rc::clone))
            .collect();
        let kin: Vec<_> = all.iter().flat_map(|socket| socket.kin()).collect();
        all.extend(kin);
        all
    }
}
