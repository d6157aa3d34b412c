//! T: other people's threads, by every op that takes one.

use std::rc::Rc;

use history::{Audience, Check, User};
use isolation::canary::Datum;

use super::{Ask, PROBERS, is_telling};
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Request, Socket};
use crate::user::VirtualUser;

impl VirtualUser {
    /// Reads what others have read a moment ago.
    pub(crate) async fn probe_read_threads(&self, socket: &Rc<Socket>) {
        let read = |thread: &str, owner| {
            self.on_thread(Action::ReadThread, thread, owner)
                .with(Slot::After, "0")
        };
        let last = |user: User| {
            self.worker
                .board
                .user(user)
                .threads
                .get()
                .and_then(|threads| threads.last())
        };
        for victim in self.victims().filter(|_| self.person.user.0 < PROBERS) {
            let (Some(own), Some(theirs)) = (last(self.person.user), last(victim)) else {
                return;
            };
            if self.has_thread(theirs) {
                continue;
            }
            let ask = Ask {
                check: Check::Thread,
                name: "reading a foreign thread that was just read",
                victim,
                control: read(own, self.person.user),
                attack: read(theirs, victim),
                betrayed_by: None,
            };
            self.ask(socket, ask).await;
        }
    }

    /// Whether a thread of one's own has this id, where that does not make it the same thread.
    pub(super) fn has_thread(&self, id: &str) -> bool {
        let own = self.worker.board.user(self.person.user).threads.get();
        let mut own = own.into_iter().flatten();
        self.worker.target.profile.shared_thread_ids && own.any(|thread| thread == id)
    }

    /// Reads, appends to, lists and subscribes to what is the victim's.
    pub(super) async fn probe_threads(&self, socket: &Rc<Socket>, victim: User) {
        let theirs = self
            .worker
            .board
            .user(victim)
            .threads
            .get()
            .and_then(|threads| threads.first());
        let theirs = theirs.filter(|theirs| !self.has_thread(theirs));
        let (Some(own), Some(theirs)) = (self.first_thread(), theirs) else {
            return;
        };
        let on = |action, thread: &str, owner| self.on_thread(action, thread, owner).with(Slot::After, "0");
        let me = self.person.user;
        let ask = |name, control, attack| Ask {
            check: Check::Thread,
            name,
            victim,
            control,
            attack,
            betrayed_by: None,
        };
        let read = Action::ReadThread;
        self.ask(
            socket,
            ask(
                "reading a foreign thread",
                on(read, &own, me),
                on(read, theirs, victim),
            ),
        )
        .await;
        // where a post names no thread, there is none that it could be put into
        let (post, connects) = (
            socket.dialect().ops.get(&Action::Post),
            socket.dialect().connects_to_threads(),
        );
        let names = post.is_some_and(|post| post.takes(Slot::Thread) || post.http.is_none() && connects);
        if let (true, Some(control), Some(attack)) =
            (names, self.post_request(Some(&own)), self.smuggle(Action::Post))
        {
            let attack = attack.with(Slot::Thread, theirs);
            self.ask(socket, ask("posting into a foreign thread", control, attack))
                .await;
        }
        if let Some(their_id) = self.worker.board.user_id(victim).filter(|_| is_telling(theirs)) {
            let attack = Request::new(Action::ListThreadsOf).with(Slot::User, their_id);
            let list = ask(
                "listing the threads of another",
                Request::new(Action::ListThreads),
                attack,
            );
            self.ask(
                socket,
                Ask {
                    betrayed_by: Some(theirs.clone()),
                    ..list
                },
            )
            .await;
        }
        if !connects {
            self.probe_subscribing(socket, (&own, theirs), victim).await;
        }
    }

    /// Subscribes to what is the victim's.
    async fn probe_subscribing(&self, socket: &Rc<Socket>, (own, theirs): (&str, &str), victim: User) {
        let on = |thread: &str, owner| self.on_thread(Action::SubscribeThread, thread, owner);
        let subscribe = Ask {
            check: Check::Thread,
            name: "subscribing to a foreign thread",
            victim,
            control: on(own, self.person.user),
            attack: on(theirs, victim),
            betrayed_by: None,
        };
        if let Some(needle) = self.telltale(theirs, victim, (Audience::Owner, Datum::Nonce)) {
            self.ask_and_await(socket, subscribe, &needle).await;
        }
    }

    /// A post whose canary is a probe's: wherever it turns up but with its author, it has come by a way that is none.
    pub(super) fn smuggle(&self, action: Action) -> Option<Request> {
        let canary = self.mint(Audience::Owner, Datum::Probe)?;
        let request = Request::new(action).with(Slot::Body, canary.long());
        Some(
            request
                .with(Slot::Nonce, canary.short())
                .with(Slot::Note, canary.short()),
        )
    }
}
