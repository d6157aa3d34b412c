//! The ops that several phases make.

use std::rc::Rc;

use history::{At, Audience, Room, User};
use isolation::canary::Datum;

use super::VirtualUser;
use crate::answer::Answer;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Attempt, Request, Socket};

/// Messages that a read in a round asks for, at most.
const READ_BACK: u64 = 10;

/// The service gave out no thread.
pub(crate) struct NoThread;

impl VirtualUser {
    /// The thread that posts go into; `None` if the target has no such thing, an error if it gave out none.
    pub(crate) fn thread_to_post_into(&self, socket: &Socket) -> Result<Option<String>, NoThread> {
        if !socket.dialect().can(Action::CreateThread) {
            return Ok(None);
        }
        self.first_thread().map(Some).ok_or(NoThread)
    }

    /// A request about a thread of `owner`.
    pub(crate) fn on_thread(&self, action: Action, thread: &str, owner: User) -> Request {
        let request = Request::new(action).with(Slot::Thread, thread);
        match self.worker.board.user_id(owner) {
            Some(owner) => request.with(Slot::Owner, owner),
            None => request,
        }
    }

    /// Creates a thread, and connects to it where each is a connection of its own; its id, if the service issued one.
    pub(crate) async fn create_thread(&self, socket: &Rc<Socket>, title: &str) -> Option<String> {
        let mut answer = socket
            .call(Request::new(Action::CreateThread).with(Slot::Title, title))
            .await;
        let thread = answer.values.take(Slot::Thread)?;
        if socket.dialect().listens_by_connecting(Action::SubscribeThread) {
            // so that what is asked of it does not wait for that
            socket
                .call(self.on_thread(Action::SubscribeThread, &thread, self.person.user))
                .await;
        }
        Some(thread)
    }

    /// Posts a message whose body and nonce are one fresh canary, and takes the reply.
    pub(crate) async fn post(
        &self,
        socket: &Rc<Socket>,
        thread: Option<&str>,
        intended: Option<At>,
    ) -> Option<Answer> {
        let request = self.post_request(thread)?.intended(intended);
        Some(socket.call(request).await)
    }

    /// Begins to post, as [`Self::post`].
    pub(crate) fn begin_post(&self, socket: &Rc<Socket>, thread: &str) -> Option<Attempt> {
        socket.begin(self.post_request(Some(thread))?).ok()
    }

    /// A post of a fresh canary, into `thread` if the target has threads.
    pub(crate) fn post_request(&self, thread: Option<&str>) -> Option<Request> {
        let nonce = self.spell(Audience::Owner, Datum::Nonce)?;
        let request = Request::new(Action::Post);
        let request = match thread {
            Some(thread) => request.with(Slot::Thread, thread),
            None => request,
        };
        Some(
            request
                .with(Slot::Body, nonce.long())
                .with(Slot::Nonce, nonce.short())
                .nonce(nonce.canary.serial)
                .stores(nonce.canary.serial),
        )
    }

    /// A post without a body, which must be refused.
    pub(super) fn malformed(thread: &str) -> Request {
        Request::new(Action::Post)
            .with(Slot::Thread, thread)
            .with(Slot::Body, "")
            .with(Slot::Nonce, "nothing")
            .probe()
    }

    /// Posts a secret of one's own: nobody else may ever see it.
    pub(crate) async fn post_secret(&self, socket: &Rc<Socket>, thread: Option<&str>) -> Option<Answer> {
        let secret = self.mint(Audience::Owner, Datum::Secret)?;
        let nonce = self.mint(Audience::Owner, Datum::Nonce)?;
        let request = Request::new(Action::Post);
        let request = match thread {
            Some(thread) => request.with(Slot::Thread, thread),
            None => request,
        };
        let request = request
            .with(Slot::Body, format!("my secret is {}", secret.long()))
            .with(Slot::Nonce, nonce.short())
            .stores(secret.serial);
        // where there is no place for a nonce beside the body, the answer cannot hold it
        let shape = socket.dialect().ops.get(&Action::Post);
        let request = match shape.is_some_and(|shape| shape.takes(Slot::Nonce)) {
            true => request.nonce(nonce.serial),
            false => request,
        };
        Some(socket.call(request).await)
    }

    /// Posts into the room of one's tenant, for its members, with a note for oneself.
    pub(crate) async fn post_room(&self, socket: &Rc<Socket>, intended: Option<At>) -> Option<Answer> {
        let answer = socket.call(self.post_room_request()?.intended(intended)).await;
        let newest = position(&answer).unwrap_or(self.newest_in_room.get());
        self.newest_in_room.set(newest);
        Some(answer)
    }

    pub(crate) fn post_room_request(&self) -> Option<Request> {
        let room = Room(self.person.tenant.0);
        let body = self.mint(Audience::Room(room), Datum::RoomBody)?;
        let note = self.mint(Audience::Owner, Datum::Note)?;
        Some(
            self.in_room(Action::PostRoom)?
                .with(Slot::Body, body.long())
                .with(Slot::Note, note.long())
                .stores(body.serial),
        )
    }

    /// A request about the room of one's tenant; `None` if there is no room.
    pub(crate) fn in_room(&self, action: Action) -> Option<Request> {
        let room_id = self.worker.board.room_id(Room(self.person.tenant.0))?;
        Some(Request::new(action).with(Slot::Room, room_id))
    }
}

/// Position of what an answer says was written.
pub(super) fn position(answer: &Answer) -> Option<u64> {
    answer.values.get(Slot::Position)?.parse().ok()
}

/// From where to read so that only the newest come.
pub(super) fn a_little_before(newest: u64) -> String {
    newest.saturating_sub(READ_BACK).to_string()
}
