//! Load: alone, all at once, and in measured rounds.

use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use history::{At, Audience, Round};
use isolation::canary::Datum;

use super::VirtualUser;
use super::ops::{NoThread, a_little_before, position};
use crate::clock::nanoseconds;
use crate::codec::Slot;
use crate::limits::IN_FLIGHT_LIMIT;
use crate::plan::{Plan, Step, Steps};
use crate::profile::Action;
use crate::socket::{Attempt, Request, Socket};

/// Users who cancel, at most: few are enough to be at it at once.
const CANCELLERS: u32 = 48;
/// Replies that a user tries to cancel until one is cancelled in the middle.
const CANCEL_TRIES: u32 = 32;
/// Replies that it cancels before they have begun.
const CANCELLED_AT_ONCE: u32 = 3;
/// Replies that go on while others are cancelled, all at once, and lists that are asked for after each has begun.
const UNCANCELLED_POSTS: u32 = 3;
const UNCANCELLED_LISTS: u32 = 6;

impl VirtualUser {
    /// The first user posts alone.
    pub(super) async fn solo(&self) {
        if self.person.user.0 == 0 {
            self.post_some().await;
        }
    }

    /// Everybody, or enough of many, post at once.
    pub(super) async fn burst(&self) {
        if self.is_of_the_first() {
            self.post_some().await;
        }
    }

    async fn post_some(&self) {
        let Some(socket) = self.main.socket() else { return };
        let Ok(thread) = self.thread_to_post_into(&socket) else {
            return;
        };
        for _ in 0..Plan::POSTS {
            let answer = self.post(&socket, thread.as_deref(), None).await;
            // whoever is not answered does not hold up the others
            if answer.is_none_or(|answer| answer.is_unanswered()) {
                return;
            }
        }
    }

    pub(crate) fn first_thread(&self) -> Option<String> {
        self.entry().threads.get()?.first().cloned()
    }

    /// A measured round that began at `from`.
    pub(super) async fn round(&self, round: Round, from: At) {
        let Some(socket) = self.main.socket() else { return };
        let turn = self.worker.turn().await;
        socket.call(Request::new(Action::Snapshot)).await;
        let Ok(thread) = self.round_thread(&socket, round).await else {
            return;
        };
        drop(turn);
        let thread = thread.as_deref();
        let mut steps = self.plan().steps(self.person.user, round);
        if let Some(starts) = self.plan().starts(self.person.user, round, from) {
            self.open_loop(&socket, thread, starts.zip(&mut steps)).await;
        } else {
            let until = At(from.0 + nanoseconds(self.plan().scale.duration));
            self.closed_loop(&socket, thread, &mut steps, until).await;
        }
    }

    /// Each op when it is due, whether or not those before it have been answered.
    async fn open_loop(
        &self,
        socket: &Rc<Socket>,
        thread: Option<&str>,
        due: impl Iterator<Item = (At, Step)>,
    ) {
        let mut flying = FuturesUnordered::new();
        for (start, step) in due {
            let due = tokio::time::sleep_until(self.worker.clock.instant(start).into());
            tokio::pin!(due);
            while flying.len() >= IN_FLIGHT_LIMIT {
                flying.next().await;
            }
            loop {
                tokio::select! {
                    () = &mut due => break,
                    Some(()) = flying.next() => {}
                }
            }
            if !socket.is_alive() {
                break;
            }
            flying.push(self.perform(socket, step, thread, Some(start)));
        }
        while flying.next().await.is_some() {}
    }

    /// One op after the other until the time is up, but at least one.
    async fn closed_loop(&self, socket: &Rc<Socket>, thread: Option<&str>, steps: &mut Steps, until: At) {
        let mut now = At::START;
        for (done, step) in steps.enumerate() {
            now = match self.worker.latest() {
                // of a step that was not made nothing is recorded
                latest if latest == now => self.worker.clock.now(),
                latest => latest,
            };
            if done > 0 && now >= until {
                return;
            }
            let _turn = self.worker.turn().await;
            if !socket.is_alive() {
                return;
            }
            self.perform(socket, step, thread, None).await;
        }
    }

    /// The thread that a round posts into; `None` if the target has no such thing, an error if it gave out none.
    async fn round_thread(&self, socket: &Rc<Socket>, round: Round) -> Result<Option<String>, NoThread> {
        if !socket.dialect().can(Action::CreateThread) {
            return Ok(None);
        }
        let thread = self.create_thread(socket, &Plan::round_title(round)).await;
        let thread = thread.ok_or(NoThread)?;
        self.newest.set(0);
        self.own_threads.borrow_mut().push(thread.clone());
        Ok(Some(thread))
    }

    async fn perform(&self, socket: &Rc<Socket>, step: Step, thread: Option<&str>, intended: Option<At>) {
        let can = |action| socket.dialect().can(action);
        match step {
            Step::PostRoom => return drop(self.post_room(socket, intended).await),
            Step::LookUp(_) if can(Action::LookUp) => return self.look_up_peer(socket, intended).await,
            _ => {}
        }
        let request = match (self.request(step, thread), step) {
            // there is always something to post
            (Some(request), _) if !can(request.action) => self.post_request(thread),
            (None, Step::LookUp(_) | Step::Read | Step::Malformed) => self.post_request(thread),
            (request, _) => request,
        };
        let Some(mut request) = request else {
            // so that a user who cannot do it does not keep the thread for itself
            return tokio::task::yield_now().await;
        };
        let action = request.action;
        request.intended = intended;
        let answer = socket.call(request).await;
        if let (Action::Post, Some(newest)) = (action, position(&answer)) {
            self.newest.set(newest);
        }
    }

    /// What one asks for in a step, if that is one request and there is what it is about.
    fn request(&self, step: Step, thread: Option<&str>) -> Option<Request> {
        match step {
            Step::Post => self.post_request(thread),
            Step::PostRoom | Step::LookUp(_) => None,
            Step::List => Some(Request::new(Action::ListThreads)),
            Step::Find => Some(Request::new(Action::FindThread).with(Slot::Title, Plan::TITLES[0])),
            Step::Read => thread.map(|thread| {
                self.on_thread(Action::ReadThread, thread, self.person.user)
                    .with(Slot::After, a_little_before(self.newest.get()))
            }),
            Step::WhoAmI => Some(Request::new(Action::WhoAmI)),
            Step::ReadRoom => self
                .in_room(Action::ReadRoom)
                .map(|request| request.with(Slot::After, a_little_before(self.newest_in_room.get()))),
            Step::Snapshot => Some(Request::new(Action::Snapshot)),
            Step::Malformed => thread.map(Self::malformed),
            Step::Presence => Some(Request::new(Action::Presence).with(Slot::Status, "busy")),
            Step::Typing => self.in_room(Action::Typing),
        }
    }

    /// Of the first [`CANCELLERS`], every second of a tenant cancels replies of its own, in the middle and before they have
    /// begun; the others have theirs go on meanwhile, and then change places.
    pub(super) async fn cancel(&self) {
        let Some(socket) = self.main.socket() else { return };
        if self.person.user.0 >= CANCELLERS || !socket.dialect().can(Action::Cancel) {
            return;
        }
        let Some(title) = self.mint(Audience::Owner, Datum::Title) else {
            return;
        };
        let title = format!("{}{}", Plan::long_title(), title.long());
        let Some(thread) = self.create_thread(&socket, &title).await else {
            return;
        };
        self.own_threads.borrow_mut().push(thread.clone());
        *self.long_thread.borrow_mut() = Some(thread.clone());
        if self.person.rank.is_multiple_of(2) {
            self.cancel_own(&socket).await;
            self.cancel_at_once(&socket, &thread).await;
            self.go_on(&socket, &thread).await;
        } else {
            self.go_on(&socket, &thread).await;
            self.cancel_own(&socket).await;
        }
    }

    /// The thread whose replies take long.
    pub(crate) fn long_thread(&self) -> Option<String> {
        self.long_thread.borrow().clone()
    }

    /// Cancels replies that have not begun.
    async fn cancel_at_once(&self, socket: &Rc<Socket>, thread: &str) {
        let mut posts = Vec::new();
        for _ in 0..CANCELLED_AT_ONCE {
            posts.extend(self.begin_post(socket, thread));
        }
        for post in &posts {
            let request = Request::new(Action::Cancel).with(Slot::Request, post.request());
            post.over().call(request).await;
        }
        join_all(posts.into_iter().map(Attempt::end)).await;
    }

    /// Posts and asks for lists, while others cancel.
    async fn go_on(&self, socket: &Rc<Socket>, thread: &str) {
        let mut posts = Vec::new();
        for _ in 0..UNCANCELLED_POSTS {
            posts.extend(self.begin_post(socket, thread));
            for _ in 0..UNCANCELLED_LISTS {
                let answer = socket.call(Request::new(Action::ListRooms)).await;
                // whoever is not answered does not hold up the others
                if answer.is_unanswered() {
                    break;
                }
            }
        }
        join_all(posts.into_iter().map(Attempt::end)).await;
    }

    /// Cancels replies after their first piece, until that has worked once; whether it has.
    pub(crate) async fn cancel_own(&self, socket: &Rc<Socket>) -> bool {
        let Some(thread) = self.long_thread() else {
            return false;
        };
        for _ in 0..CANCEL_TRIES {
            let Some(mut post) = self.begin_post(socket, &thread) else {
                return false;
            };
            let mut cancelled = false;
            if post.first_piece().await {
                let request = Request::new(Action::Cancel).with(Slot::Request, post.request());
                let answer = post.over().call(request).await;
                cancelled = answer.values.get(Slot::Done) == Some("true");
            }
            // whoever is not answered does not hold up the others
            if post.end().await.is_unanswered() || cancelled {
                return cancelled;
            }
        }
        false
    }
}
