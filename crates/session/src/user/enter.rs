//! Register, log in, connect.

use std::rc::Rc;

use history::{Fact, Replica};

use super::{Link, VirtualUser};
use crate::login::{Desk, Login};
use crate::profile::Action;
use crate::socket::{Knock, Request, Socket};

impl VirtualUser {
    /// Registers and logs in at the authentication service, and has it say who one is.
    pub(super) async fn log_in(&self) {
        let credentials = Desk::credentials(&self.person, &mut self.mint.borrow_mut());
        let credentials = match credentials {
            Ok(credentials) => credentials,
            Err(error) => {
                return self.worker.record(Fact::LimitHit {
                    what: error.to_string().into(),
                });
            }
        };
        let line = self.desk.http.line(self.person.user);
        let tenancy = &self.plan().tenants[self.person.tenant.0 as usize];
        let Some(account) = self
            .desk
            .register(&line, &self.person, tenancy, credentials)
            .await
        else {
            return;
        };
        let login = self.desk.login(line, &account, None).await;
        self.entry().account.get_or_init(|| account);
        let Some(login) = login else { return };
        self.entry().access_token.get_or_init(|| login.tokens().access);
        self.desk.me(&login, false).await;
        *self.main.login.borrow_mut() = Some(Rc::new(login));
    }

    /// Opens the connection of the first session.
    pub(super) async fn connect(&self) {
        let Some(login) = self.main.login() else { return };
        if let Some(socket) = self.open(&login, self.person.replica).await {
            self.entry()
                .resume
                .get_or_init(|| socket.resume_token().unwrap_or_default());
            *self.main.socket.borrow_mut() = Some(socket);
        }
    }

    /// A connection that has said who one is; `None` if it was not let in or not answered.
    pub(crate) async fn open(&self, login: &Login, replica: Replica) -> Option<Rc<Socket>> {
        let token = login.tokens().access;
        let knock = Knock {
            user: self.person.user,
            session: Some(login.session()),
            replica,
            dialect: self.person.dialect,
            token: Some(&token),
            expect_refusal: false,
        };
        let user_id = self.worker.board.user_id(self.person.user)?;
        let socket = Socket::open(&self.worker, knock).await.ok()?;
        let greeted = socket.greeting(user_id).await;
        let answer = socket.call(Request::new(Action::WhoAmI)).await;
        if answer.is_ok() {
            socket.ready(answer.during.to);
        }
        // one that does not answer stays open: what comes over it is judged all the same
        self.keep(&socket, greeted && answer.is_ok())
    }

    fn keep(&self, socket: &Rc<Socket>, fit: bool) -> Option<Rc<Socket>> {
        if !fit {
            self.unfit.borrow_mut().push(Rc::clone(socket));
        }
        fit.then(|| Rc::clone(socket))
    }

    /// The sockets of both sessions, and those that were never of use.
    pub(super) fn all_sockets(&self) -> Vec<Rc<Socket>> {
        let of_links = [&self.main, &self.second]
            .into_iter()
            .filter_map(Link::any_socket);
        of_links
            .chain(self.unfit.borrow().iter().map(Rc::clone))
            .collect()
    }
}
