//! Threads, secrets, rooms: what there is to leak.

use std::rc::Rc;

use futures_util::future::join_all;

use super::VirtualUser;
use crate::codec::Slot;
use crate::plan::Plan;
use crate::profile::Action;
use crate::socket::{Change, Request, Socket};

impl VirtualUser {
    /// Creates threads of the same titles as everybody, at once with everybody, and posts secrets into them.
    pub(super) async fn plant(&self) {
        let Some(socket) = self.main.socket() else { return };
        let mut threads: Vec<_> = self.entry().home.get().cloned().into_iter().collect();
        for title in Plan::TITLES.into_iter().skip(threads.len()) {
            threads.extend(self.create_thread(&socket, title).await);
        }
        for thread in &threads {
            socket
                .call(self.on_thread(Action::SubscribeThread, thread, self.person.user))
                .await;
            self.post_secret(&socket, Some(thread)).await;
        }
        if !socket.dialect().can(Action::CreateThread) {
            for _ in Plan::TITLES {
                self.post_secret(&socket, None).await;
            }
        }
        self.entry().threads.get_or_init(|| threads);
        self.found_room(&socket).await;
    }

    async fn found_room(&self, socket: &Rc<Socket>) {
        let plan = self.plan().room(self.person.tenant);
        if plan.owner != self.person.user {
            return;
        }
        let founded = Change::Founded {
            room: plan.room,
            tenant: plan.tenant,
            owner: plan.owner,
        };
        let request = Request::new(Action::CreateRoom)
            .with(Slot::Name, plan.name)
            .change(founded);
        let mut answer = socket.call(request).await;
        let Some(room_id) = answer.values.take(Slot::Room) else {
            return;
        };
        self.worker.board.set_room(plan.room, room_id);
        if let Some(member) = plan.member {
            self.change_membership(socket, member, true).await;
        }
    }

    /// Takes `user` into the room or puts it out.
    pub(super) async fn change_membership(&self, socket: &Rc<Socket>, user: history::User, joined: bool) {
        let room = self.plan().room(self.person.tenant).room;
        let action = if joined {
            Action::AddMember
        } else {
            Action::RemoveMember
        };
        let (Some(request), Some(user_id)) = (self.in_room(action), self.worker.board.user_id(user)) else {
            return;
        };
        let change = Change::Membership { room, user, joined };
        socket
            .call(request.with(Slot::User, user_id).change(change))
            .await;
    }

    /// Members subscribe and post, everybody says that it is there, and some ask for what others ask for at once.
    pub(super) async fn join(&self) {
        let Some(socket) = self.main.socket() else { return };
        if self.person.room.is_some() {
            self.subscribe_room(&socket).await;
            self.post_room(&socket, None).await;
        }
        socket
            .call(Request::new(Action::Presence).with(Slot::Status, "here"))
            .await;
        socket.call(Request::new(Action::ListRooms)).await;
        if self.is_of_the_first() {
            self.ask_at_once(&socket).await;
        }
    }

    /// Asks the same thing twice and for two users, all at once, just after a post has made the service forget what it knew:
    /// what a service would do together for one user, it may do together.
    async fn ask_at_once(&self, socket: &Rc<Socket>) {
        let thread = self.first_thread();
        self.post(socket, thread.as_deref(), None).await;
        let lists = [(); 2].map(|()| Request::new(Action::ListThreads));
        let users = [self.peer(), self.person.user];
        let profiles = users.into_iter().filter_map(|user| self.profile_of(user));
        let asked = lists.into_iter().chain(profiles);
        join_all(asked.map(|request| socket.call(request))).await;
    }

    pub(super) async fn subscribe_room(&self, socket: &Rc<Socket>) {
        let Some(request) = self.in_room(Action::SubscribeRoom) else {
            return;
        };
        socket.call(request).await;
    }

    /// Asks who the next of the same tenant is.
    pub(super) async fn look_up_peer(&self, socket: &Rc<Socket>, intended: Option<history::At>) {
        if let Some(request) = self.profile_of(self.peer()) {
            socket.call(request.intended(intended)).await;
        }
    }

    /// The next of the same tenant, or this user, if it is alone there.
    fn peer(&self) -> history::User {
        self.plan().peer(&self.person).unwrap_or(self.person.user)
    }

    fn profile_of(&self, user: history::User) -> Option<Request> {
        let user_id = self.worker.board.user_id(user)?;
        Some(Request::new(Action::LookUp).with(Slot::User, user_id))
    }
}
