//! A subject: follows its script, alone or together with everybody, and stops at the first thing that it is not served.
//!
//! What it writes holds no canaries (but its e-mail and password, which must be new): it is the same for all who follow the
//! script, so that answers that derive from content are the same too.

mod parts;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use history::{Fact, Outcome, Take, User};
use isolation::canary::Mint;

use crate::answer::Answer;
use crate::board::Account;
use crate::codec::{Slot, Values};
use crate::login::{Desk, Login};
use crate::plan::{Phase, PhaseKind, SubjectPlan};
use crate::profile::Action;
use crate::socket::{Knock, Request, Socket, Welcome};
use crate::worker::Worker;

/// One who follows a script.
pub(crate) struct Subject {
    worker: Rc<Worker>,
    desk: Rc<Desk>,
    plan: SubjectPlan,
    mint: RefCell<Mint>,
    account: RefCell<Option<Account>>,
    login: RefCell<Option<Rc<Login>>>,
    /// The last is the one in use.
    sockets: RefCell<Vec<Rc<Socket>>>,
    threads: RefCell<Vec<String>>,
    room: RefCell<Option<String>>,
    /// How many texts it has written.
    written: Cell<u32>,
    /// Whether it was not served, and does nothing more.
    stopped: Cell<bool>,
}

impl Subject {
    pub(crate) fn new(worker: &Rc<Worker>, desk: &Rc<Desk>, plan: SubjectPlan, mint: Mint) -> Self {
        Self {
            worker: Rc::clone(worker),
            desk: Rc::clone(desk),
            plan,
            mint: RefCell::new(mint),
            account: RefCell::default(),
            login: RefCell::default(),
            sockets: RefCell::default(),
            threads: RefCell::default(),
            room: RefCell::default(),
            written: Cell::default(),
            stopped: Cell::default(),
        }
    }

    pub(crate) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    pub(crate) fn user(&self) -> User {
        self.plan.person.user
    }

    /// Together, the part that its script has for `phase`; alone, all parts in the phase that is its own.
    pub(crate) async fn play(&self, phase: &Phase) {
        let plan = &self.worker.plan;
        if self.plan.take == Take::Together || phase.kind == PhaseKind::Close {
            return self.part(phase).await;
        }
        if phase.number - plan.first_phase() == self.plan.script {
            for part in plan.parts() {
                // request ids go by the phase, and are to be those of the take together
                self.worker.enter(&part);
                self.part(&part).await;
            }
        }
    }

    /// Says what it is, before anything else.
    fn introduce(&self) {
        let company = &self.worker.target.profile.company;
        self.worker.record(Fact::Subject(history::Subject {
            user: self.user(),
            script: self.plan.script,
            take: self.plan.take,
            varies: company.varies.clone(),
            overload: company.overload.clone(),
        }));
    }

    fn any_socket(&self) -> Option<Rc<Socket>> {
        self.sockets.borrow().last().cloned()
    }

    /// Opens a connection, and asks who it is taken for.
    async fn connect(&self) {
        let login = self.login.borrow().clone();
        let Some(login) = login else { return };
        let Some(caller) = self.caller(&login) else { return };
        let knock = Knock {
            user: self.user(),
            session: Some(login.session()),
            replica: self.plan.person.replica,
            dialect: self.plan.person.dialect,
            caller: &caller,
            expect_refusal: false,
        };
        let Ok(socket) = Socket::open(&self.worker, knock).await else {
            return self.stopped.set(true);
        };
        let welcome = socket.shake_hands(&caller).await;
        self.sockets.borrow_mut().push(Rc::clone(&socket));
        self.stopped.set(welcome != Welcome::In);
        if let Some(proof) = socket.dialect().proof()
            && let Some(answer) = self.ask(Request::new(proof)).await
        {
            socket.ready(answer.during.to);
        }
    }

    /// What it presents at a gateway's door.
    fn caller(&self, login: &Login) -> Option<Values> {
        let account = self.account.borrow();
        let known = &account.as_ref()?.known;
        let mut caller = Values::new().with(Slot::AccessToken, login.tokens().access);
        caller.set(Slot::User, &account.as_ref()?.user_id);
        for slot in [Slot::Email, Slot::Handle, Slot::Password] {
            if let Some(value) = known.get(slot) {
                caller.set(slot, value);
            }
        }
        Some(caller)
    }

    fn user_id(&self) -> Option<String> {
        let account = self.account.borrow();
        account.as_ref().map(|account| account.user_id.clone())
    }

    /// Asks over its connection; `None` if it was not served, now or earlier, or if the target has no such op.
    async fn ask(&self, request: Request) -> Option<Answer> {
        let socket = self.any_socket().filter(|_| !self.stopped.get())?;
        if !socket.dialect().can(request.action) {
            return None;
        }
        let answer = socket.call(request.probe()).await;
        let served = match &answer.outcome {
            Outcome::Ok => true,
            Outcome::Fail(code) => !self.worker.target.profile.company.overload.contains(code),
            Outcome::Info(_) => false,
        };
        self.stopped.set(!served);
        served.then_some(answer)
    }

    /// Waits until all has come that is to come to its connection: what it has pushed to itself, and then nothing more.
    async fn settle(&self) {
        let Some(socket) = self.any_socket().filter(|_| !self.stopped.get()) else {
            return;
        };
        let limits = self.worker.limits;
        let status = self.text("settled");
        let pushed = socket.watch(status.clone());
        let asked = self
            .ask(Request::new(Action::Presence).with(Slot::Status, status))
            .await;
        if asked.is_some_and(|answer| answer.is_ok()) {
            // one that does not come is told by the comparison
            let _ = tokio::time::timeout(limits.drain, pushed).await;
        }
        let until = tokio::time::Instant::now() + limits.drain;
        loop {
            let quiet = self.worker.clock.instant(socket.last_inbound()) + limits.drain_quiet;
            let quiet = until.min(quiet.into());
            if tokio::time::Instant::now() >= quiet {
                return;
            }
            tokio::time::sleep_until(quiet).await;
        }
    }

    /// A text that nobody has written before in this script.
    fn text(&self, what: &str) -> String {
        let number = self.written.get() + 1;
        self.written.set(number);
        format!("{what} {number} of script {}", self.plan.script)
    }

    async fn close(&self) {
        let sockets = self.sockets.take();
        for socket in sockets {
            socket.close().await;
        }
        if let Some(login) = self.login.take() {
            self.desk.http.close(&login.line);
        }
    }
}
