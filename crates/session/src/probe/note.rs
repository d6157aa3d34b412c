//! S: an event whose recipients have different rights.

use std::rc::Rc;

use history::{Audience, Check, Interval, ProbeResult, Room, User};
use isolation::canary::Datum;

use super::{Awaited, Tried};
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::Socket;
use crate::user::VirtualUser;

impl VirtualUser {
    /// Listens for what the other member of the room notes for itself alone. Controls: one's own note comes back to
    /// oneself, and the other's event comes, without its note.
    pub(super) fn await_note(&self, socket: &Rc<Socket>) {
        let Some(author) = self
            .room_mate()
            .filter(|_| socket.dialect().can(Action::PostRoom))
        else {
            return;
        };
        let (holder, now) = (socket.holder(), self.worker.clock.now());
        let tried = Tried {
            check: Check::Secret,
            name: "the author's note in an event of a shared room",
            victim: Some(author),
            replica: holder.replica,
            conn: Some(holder.conn),
            controls: (false, false),
            result: ProbeResult::Silent,
            detail: "the event came without it".to_owned(),
            during: Interval { from: now, to: now },
        };
        let own_note = socket.watch(note_of(self.person.user));
        self.awaited.borrow_mut().push(Awaited {
            tried,
            push: socket.watch(note_of(author)),
            controls: Some([own_note, socket.watch(body_of(author))]),
        });
    }

    /// Posts for the members of one's room, with a note for oneself; both say whose they are.
    pub(super) async fn post_with_note(&self, socket: &Rc<Socket>) {
        let (user, room) = (self.person.user, Room(self.person.tenant.0));
        let (Some(body), Some(note), Some(request)) = (
            self.mint(Audience::Room(room), Datum::RoomBody),
            self.mint(Audience::Owner, Datum::Note),
            self.in_room(Action::PostRoom),
        ) else {
            return;
        };
        let request = request
            .with(Slot::Body, format!("{} {}", body_of(user), body.long()))
            .with(Slot::Note, format!("{} {}", note_of(user), note.long()))
            .stores(body.serial);
        socket.call(request).await;
    }

    /// The other member of one's room.
    fn room_mate(&self) -> Option<User> {
        self.person.room?;
        let room = self.plan().room(self.person.tenant);
        match self.person.user {
            user if user == room.owner => room.member,
            _ => Some(room.owner),
        }
    }
}

/// What stands in the body of a post, so that others can listen for it before it is written.
fn body_of(author: User) -> String {
    format!("from user {} to the room:", author.0)
}

/// As [`body_of`], for the note.
fn note_of(author: User) -> String {
    format!("from user {} to itself:", author.0)
}
