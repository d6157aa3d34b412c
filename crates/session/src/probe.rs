//! What must be denied is tried, and the same on one's own object, which must not.
//!
//! One file for each check. Every user is an attacker; its victims are a stranger (of another tenant) and a peer (of
//! its own). A probe is an *ask* (an answer decides, and the control after it is the fence) or is *awaited* (a push would
//! decide): everybody, or of many the first and all victims, provokes such pushes in a phase of their own, and in the
//! next has something pushed to itself, after which nothing of the provocation can still be on its way.

mod boundary;
mod connect;
mod forge;
mod lure;
mod note;
mod response;
mod secret;
mod served;
mod thread;
mod token;
mod user_id;

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use history::{At, Audience, Check, Conn, Fact, Interval, Outcome, Probe, ProbeResult, Replica, User};
use isolation::canary::{Datum, Mint};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Request, Socket};
use crate::trace::{TracedProbe, TracedStep};
use crate::user::VirtualUser;

/// Users who probe; what is deterministic does not get truer by repetition.
const PROBERS: u32 = 12;
/// How long a push to oneself may take before the probes that wait for it are lost.
const SENTINEL_WAIT: Duration = Duration::from_secs(1);
/// How long all controls that are pushes may take, after the sentinel.
const CONTROL_WAIT: Duration = Duration::from_secs(1);

/// Why a probe that a push would decide is not decided.
const NOTHING_CAME_BACK: &str = "; what its user posted itself was not pushed to it, so that silence says nothing: does it listen to the right topic, and is a push an event?";

/// Letters of an id from which on it is not found in other text by accident.
const TELLING_LEN: usize = 16;
/// Letters of a canary that say whose it is, of what kind, and for whom.
const HEAD_LEN: usize = 17;

/// Whether an id, where it stands in bytes, is that id and no other text.
fn is_telling(id: &str) -> bool {
    id.len() >= TELLING_LEN
}

/// A probe that ended.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) check: Check,
    /// What was tried.
    pub(crate) name: &'static str,
    /// Against whom; `None` if against the service as such.
    pub(crate) victim: Option<User>,
    pub(crate) replica: Replica,
    pub(crate) conn: Option<Conn>,
    /// Whether the same on one's own object was accepted before and after.
    pub(crate) controls: (bool, bool),
    pub(crate) result: ProbeResult,
    /// What was seen: the answer's code, the status, the silence.
    pub(crate) detail: String,
    pub(crate) during: Interval,
}

impl Tried {
    fn traced(&self, class: &str) -> TracedProbe {
        TracedProbe {
            check: self.check,
            class: class.to_owned(),
            name: self.name.to_owned(),
            victim: self.victim,
            conn: self.conn,
            controls: self.controls,
            result: self.result,
            detail: self.detail.clone(),
            during: self.during,
        }
    }
}

/// A probe that an answer decides.
pub(crate) struct Ask {
    pub(crate) check: Check,
    pub(crate) name: &'static str,
    pub(crate) victim: User,
    /// The same on one's own object.
    pub(crate) control: Request,
    pub(crate) attack: Request,
    /// If given, not the answer's being no error is acceptance, but this text in it: where a service may ignore a claim.
    pub(crate) betrayed_by: Option<String>,
}

/// A probe that a push decides: it is accepted if `push` comes.
pub(crate) struct Awaited {
    tried: Tried,
    push: oneshot::Receiver<At>,
    /// Pushes that its user is entitled to, of the same kind, before and after; none if `tried` has its controls.
    controls: Option<[oneshot::Receiver<At>; 2]>,
}

impl VirtualUser {
    /// Records a probe.
    pub(crate) fn tried(&self, tried: Tried) {
        self.tried_as(tried.name, tried);
    }

    /// As [`Self::tried`], for one of many that are much the same.
    fn tried_as(&self, class: &str, tried: Tried) {
        let (user, conn) = (self.person.user, tried.conn);
        let probe = || TracedStep::Tried(tried.traced(class));
        self.worker.tracer.tell(user, conn.unwrap_or(Conn(0)), probe);
        let Tried {
            check,
            name,
            victim,
            replica,
            conn,
            controls,
            result,
            detail,
            during,
        } = tried;
        self.worker.record(Fact::Probe(Probe {
            check,
            name: name.into(),
            attacker: user,
            victim,
            replica,
            conn,
            control_before: controls.0,
            control_after: controls.1,
            result,
            detail: detail.into(),
            during,
        }));
    }

    /// Tries everything but what needs an ended session.
    pub(crate) async fn probe(&self) {
        let Some(socket) = self.main.socket() else { return };
        if self.person.user.0 < PROBERS {
            // the forgeries go over connections of their own
            tokio::join!(self.probe_over(&socket), self.probe_tokens());
        }
    }

    /// Tries everything that is asked over the first connection: what concerns different objects at once.
    async fn probe_over(&self, socket: &Rc<Socket>) {
        self.probe_cancel(socket).await;
        let threads = join_all(self.victims().map(|victim| async move {
            self.probe_connecting(socket, victim).await;
            self.probe_threads(socket, victim).await;
        }));
        let strange = async {
            if let Some(stranger) = self.plan().stranger(&self.person) {
                self.probe_rooms(socket, stranger).await;
                self.probe_look_up(socket, stranger).await;
                self.probe_resume(socket, stranger).await;
                self.probe_token_in_message(socket, stranger).await;
            }
        };
        tokio::join!(threads, strange, self.probe_anonymous(socket));
        self.await_presence(socket);
        self.await_note(socket);
    }

    /// A stranger and a peer, as far as there are any.
    fn victims(&self) -> impl Iterator<Item = User> {
        self.plan().victims(&self.person)
    }

    /// Whether it does what is pushed: it is one of the first, or a victim of a prober.
    fn provokes(&self) -> bool {
        let probers = self.plan().people.iter().take(PROBERS as usize);
        let mut victims = probers.flat_map(|prober| self.plan().victims(prober));
        self.is_of_the_first() || victims.any(|victim| victim == self.person.user)
    }

    /// Control, attack, control: the second control shows that the attack's answer would have come by then.
    async fn ask(&self, socket: &Rc<Socket>, ask: Ask) {
        if let Some(tried) = self.asked(socket, ask).await {
            self.tried(tried);
        }
    }

    /// `None` if the target has nothing that could be asked for.
    async fn asked(&self, socket: &Rc<Socket>, ask: Ask) -> Option<Tried> {
        let Ask {
            check,
            name,
            victim,
            control,
            attack,
            betrayed_by,
        } = ask;
        if !socket.dialect().can(attack.action) || !socket.dialect().can(control.action) {
            return None;
        }
        let fresh = match socket.dialect().denies_by_closing {
            true => self.another(socket).await,
            false => None,
        };
        let socket = fresh.as_ref().unwrap_or(socket);
        let before = socket.call(control.clone()).await.is_ok();
        let betrayal = betrayed_by.map(|needle| socket.watch(needle));
        let attack = attack.probe();
        let mut holder = socket.holder();
        let begun = match socket.reach(&attack).await {
            Ok(()) => socket.begin(attack),
            Err(turned_away) => Err(turned_away),
        };
        let (answer, made) = match begun {
            Ok(attempt) => {
                holder = attempt.over().holder();
                (attempt.end().await, true)
            }
            Err(answer) => (answer, false),
        };
        let betrayed = betrayal.map(|mut watch| watch.try_recv().is_ok());
        let anew = match fresh.is_some() && !socket.is_open() {
            true => self.another(socket).await,
            false => None,
        };
        let after = anew.as_ref().unwrap_or(socket).call(control).await.is_ok();
        Some(Tried {
            check,
            name,
            victim: Some(victim),
            replica: holder.replica,
            conn: Some(holder.conn),
            controls: (before, after),
            // what was never asked for was not denied
            result: result_of(&answer, betrayed, after && made),
            detail: detail_of(&answer, betrayed),
            during: answer.during,
        })
    }

    /// Another connection to where `socket` goes, which ends with the user's.
    async fn another(&self, socket: &Rc<Socket>) -> Option<Rc<Socket>> {
        let login = self.main.login()?;
        let another = self.open(&login, socket.holder().replica).await?;
        self.put_aside(&another);
        Some(another)
    }

    /// As [`Self::ask`], for something that, if it was accepted all the same, shows in a push that holds `needle`.
    async fn ask_and_await(&self, socket: &Rc<Socket>, ask: Ask, needle: &str) {
        let shape = socket.dialect().ops.get(&ask.attack.action);
        let fenced = shape.is_some_and(|shape| !shape.then.is_empty());
        let silent = shape.is_some_and(|shape| shape.silent);
        let Some(mut tried) = self.asked(socket, ask).await else {
            return;
        };
        // that the fence was answered does not say that what it fences was not denied
        if (fenced || silent) && tried.result == ProbeResult::Accepted {
            tried.result = ProbeResult::Silent;
            tried.detail = if fenced {
                "its fence was answered"
            } else {
                "answered"
            }
            .to_owned();
        }
        // over which connection it was asked, the attempt says
        let mut asked = self.all_sockets().into_iter();
        let asked = asked.rfind(|other| Some(other.holder().conn) == tried.conn);
        let push = asked.as_ref().unwrap_or(socket).watch(needle);
        self.awaited.borrow_mut().push(Awaited {
            tried,
            push,
            controls: None,
        });
    }

    /// What would show that something of `victim` was pushed: the id of what was listened to, or, where that is too short to tell
    /// anything, the begin of what only the victim writes there.
    fn telltale(&self, id: &str, victim: User, (audience, datum): (Audience, Datum)) -> Option<String> {
        if is_telling(id) {
            return Some(id.to_owned());
        }
        let mut mint = Mint::new(victim, self.worker.run).ok()?;
        let canary = mint.mint(audience, datum).ok()?;
        Some(canary.short()[..HEAD_LEN].to_owned())
    }

    /// Does what would be pushed to those who should have been denied.
    pub(crate) async fn provoke(&self) {
        let Some(socket) = self.main.socket().filter(|_| self.provokes()) else {
            return;
        };
        if let Ok(thread) = self.thread_to_post_into(&socket) {
            self.post(&socket, thread.as_deref(), None).await;
        }
        if self.person.room.is_some() {
            self.post_with_note(&socket).await;
        }
        socket
            .call(Request::new(Action::Presence).with(Slot::Status, "provoked"))
            .await;
        self.await_presence_again(&socket);
    }

    /// Has something pushed to itself, and decides what was awaited.
    pub(crate) async fn echo(&self) {
        let Some(socket) = self.main.socket().filter(|_| self.provokes()) else {
            return;
        };
        socket
            .call(Request::new(Action::Presence).with(Slot::Status, "echoed"))
            .await;
        let sentinel = self.sentinel(&socket).await;
        let deadline = Instant::now() + CONTROL_WAIT;
        for awaited in self.awaited.take() {
            let mut tried = awaited.decide(sentinel, deadline).await;
            tried.during.to = self.worker.clock.now();
            self.tried(tried);
        }
    }

    /// Whether something that was caused after all provocations has come: an event, where one can listen to what one posts.
    async fn sentinel(&self, socket: &Rc<Socket>) -> bool {
        let Some(thread) = self.first_thread() else {
            return false;
        };
        let listens = socket.dialect().can(Action::SubscribeThread);
        if listens {
            // it may listen over another connection, or not any more
            let listen = self.on_thread(Action::SubscribeThread, &thread, self.person.user);
            socket.call(listen).await;
        }
        if self.comes_back(socket, socket, &thread).await {
            return true;
        }
        // there are services that push to all connections but the one that posted
        match listens {
            true => match self.another(socket).await {
                Some(another) => self.comes_back(socket, &another, &thread).await,
                None => false,
            },
            false => false,
        }
    }

    /// Whether what is posted over one connection comes to another, or to the same.
    async fn comes_back(&self, to: &Rc<Socket>, over: &Rc<Socket>, thread: &str) -> bool {
        let Some(nonce) = self.mint(Audience::Owner, Datum::Nonce) else {
            return false;
        };
        let back = match to.dialect().can(Action::SubscribeThread) {
            true => to.watch_pushes(nonce.long()),
            false => to.watch(nonce.long()),
        };
        let request = Request::new(Action::Post)
            .with(Slot::Thread, thread)
            .with(Slot::Body, nonce.long())
            .with(Slot::Nonce, nonce.short())
            .nonce(nonce.serial)
            .stores(nonce.serial);
        over.call(request).await;
        matches!(tokio::time::timeout(SENTINEL_WAIT, back).await, Ok(Ok(_)))
    }
}

impl Awaited {
    async fn decide(self, sentinel: bool, deadline: Instant) -> Tried {
        let Self {
            mut tried,
            mut push,
            controls,
        } = self;
        if let Some([mut before, after]) = controls {
            let after = tokio::time::timeout_at(deadline, after).await;
            tried.controls = (before.try_recv().is_ok(), matches!(after, Ok(Ok(_))));
        }
        if push.try_recv().is_ok() {
            tried.result = ProbeResult::Accepted;
            tried.detail.push_str("; then it was pushed");
        } else if !sentinel {
            tried.result = ProbeResult::Lost;
            tried.detail.push_str(NOTHING_CAME_BACK);
        }
        tried
    }
}

fn result_of(answer: &Answer, betrayed: Option<bool>, fence: bool) -> ProbeResult {
    match (&answer.outcome, betrayed) {
        (_, Some(true)) | (Outcome::Ok, None) => ProbeResult::Accepted,
        (Outcome::Ok, Some(false)) | (Outcome::Fail(_), _) => ProbeResult::Refused,
        (Outcome::Info(_), _) if fence => ProbeResult::Silent,
        (Outcome::Info(_), _) => ProbeResult::Lost,
    }
}

fn detail_of(answer: &Answer, betrayed: Option<bool>) -> String {
    match (&answer.outcome, betrayed) {
        (Outcome::Ok, Some(false)) => "the claim was ignored".to_owned(),
        (Outcome::Ok, _) => "answered".to_owned(),
        (Outcome::Fail(reason) | Outcome::Info(reason), _) => reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Values;

    #[track_caller]
    fn check(outcome: Outcome, betrayed: Option<bool>, fence: bool, expect: ProbeResult) {
        let during = Interval {
            from: At(1),
            to: At(2),
        };
        let answer = Answer {
            outcome,
            status: None,
            values: Values::new(),
            during,
        };
        assert_eq!(result_of(&answer, betrayed, fence), expect);
    }

    #[test]
    fn what_an_answer_decides() {
        let fail = || Outcome::Fail("not_found".to_owned());
        let none = || Outcome::Info("timeout".to_owned());
        check(Outcome::Ok, None, true, ProbeResult::Accepted);
        check(Outcome::Ok, Some(true), true, ProbeResult::Accepted);
        check(Outcome::Ok, Some(false), true, ProbeResult::Refused);
        check(fail(), None, true, ProbeResult::Refused);
        check(fail(), Some(true), true, ProbeResult::Accepted);
        check(none(), None, true, ProbeResult::Silent);
        check(none(), None, false, ProbeResult::Lost);
    }

    fn awaited(pushed: bool) -> (Awaited, Option<oneshot::Sender<At>>) {
        let (sender, push) = oneshot::channel();
        let tried = Tried {
            check: Check::Thread,
            name: "subscribe",
            victim: Some(User(1)),
            replica: Replica(0),
            conn: None,
            controls: (true, true),
            result: ProbeResult::Refused,
            detail: "not_found".to_owned(),
            during: Interval {
                from: At(1),
                to: At(2),
            },
        };
        let sender = if pushed {
            sender.send(At(3)).map(|()| None).unwrap()
        } else {
            Some(sender)
        };
        (
            Awaited {
                tried,
                push,
                controls: None,
            },
            sender,
        )
    }

    #[tokio::test]
    async fn a_push_overrules_the_denial_and_silence_needs_a_sentinel() {
        for (pushed, sentinel, expect) in [
            (true, true, ProbeResult::Accepted),
            (true, false, ProbeResult::Accepted),
            (false, true, ProbeResult::Refused),
            (false, false, ProbeResult::Lost),
        ] {
            let (awaited, _sender) = awaited(pushed);
            assert_eq!(awaited.decide(sentinel, Instant::now()).await.result, expect);
        }
    }
}
