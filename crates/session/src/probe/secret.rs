//! S and T: rooms that one is not in.

use std::rc::Rc;

use history::{Audience, Check, Room, User};
use isolation::canary::Datum;

use super::Ask;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Request, Socket};
use crate::user::VirtualUser;

impl VirtualUser {
    /// Reads, posts into and joins the room of the victim's tenant, also in the name of one who is in it. Only members of
    /// a room can do this: the others have no room of their own to show that it works.
    pub(super) async fn probe_rooms(&self, socket: &Rc<Socket>, stranger: User) {
        let (board, plan) = (&self.worker.board, self.plan());
        let room = plan.room(plan.people[stranger.0 as usize].tenant);
        let (Some(own), Some(theirs)) = (
            board.room_id(Room(self.person.tenant.0)),
            board.room_id(room.room),
        ) else {
            return;
        };
        let (Some(me), Some(owner)) = (board.user_id(self.person.user), board.user_id(room.owner)) else {
            return;
        };
        if self.person.room.is_none() {
            return;
        }
        let victim = room.owner;
        let on = |action, room: &str| Request::new(action).with(Slot::Room, room).with(Slot::After, "0");
        let ask = |check, name, control, attack| Ask {
            check,
            name,
            victim,
            control,
            attack,
            betrayed_by: None,
        };
        let read = (on(Action::ReadRoom, own), on(Action::ReadRoom, theirs));
        self.ask(
            socket,
            ask(Check::Secret, "reading a foreign room", read.0, read.1),
        )
        .await;
        if let (Some(control), Some(attack)) = (self.post_room_request(), self.smuggle(Action::PostRoom)) {
            let attack = attack.with(Slot::Room, theirs);
            self.ask(
                socket,
                ask(Check::Secret, "posting into a foreign room", control, attack),
            )
            .await;
        }
        let subscribe = || on(Action::SubscribeRoom, own);
        let attack = on(Action::AddMember, theirs).with(Slot::User, me);
        self.ask(
            socket,
            ask(Check::Thread, "joining a foreign room", subscribe(), attack),
        )
        .await;
        let plain = ask(
            Check::Secret,
            "subscribing to a foreign room",
            subscribe(),
            on(Action::SubscribeRoom, theirs),
        );
        let needle = self.telltale(theirs, victim, (Audience::Room(room.room), Datum::RoomBody));
        let Some(needle) = needle else { return };
        self.ask_and_await(socket, plain, &needle).await;
        let attack = on(Action::SubscribeRoomAs, theirs).with(Slot::User, owner);
        let claimed = ask(
            Check::Thread,
            "subscribing to a foreign room as its owner",
            subscribe(),
            attack,
        );
        self.ask_and_await(socket, claimed, &needle).await;
    }
}
