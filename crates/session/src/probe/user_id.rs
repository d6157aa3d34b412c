//! U: who is there in another tenant?

use std::rc::Rc;

use history::{Check, Interval, ProbeResult, User};

use super::{Ask, Awaited, Tried, is_telling};
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Request, Socket};
use crate::user::VirtualUser;

impl VirtualUser {
    /// Looks up a stranger by its id.
    pub(super) async fn probe_look_up(&self, socket: &Rc<Socket>, stranger: User) {
        let peer = self.plan().peer(&self.person).unwrap_or(self.person.user);
        let of = |user| Some(Request::new(Action::LookUp).with(Slot::User, self.worker.board.user_id(user)?));
        let (Some(control), Some(attack)) = (of(peer), of(stranger)) else {
            return;
        };
        let (check, name) = (Check::UserId, "looking up a stranger");
        self.ask(
            socket,
            Ask {
                check,
                name,
                victim: stranger,
                control,
                attack,
                betrayed_by: None,
            },
        )
        .await;
    }

    /// Listens for a stranger's presence, and for a peer's, which must come.
    pub(super) fn await_presence(&self, socket: &Rc<Socket>) {
        let stranger = self.plan().stranger(&self.person);
        let Some(stranger) = stranger.filter(|_| socket.dialect().can(Action::Presence)) else {
            return;
        };
        let peer = self.plan().peer(&self.person).unwrap_or(self.person.user);
        let board = &self.worker.board;
        let (Some(theirs), Some(peers)) = (board.user_id(stranger), board.user_id(peer)) else {
            return;
        };
        if !is_telling(theirs) || !is_telling(peers) {
            return;
        }
        let (holder, now) = (socket.holder(), self.worker.clock.now());
        let tried = Tried {
            check: Check::UserId,
            name: "the presence of a stranger",
            victim: Some(stranger),
            replica: holder.replica,
            conn: Some(holder.conn),
            controls: (false, false),
            result: ProbeResult::Silent,
            detail: "nothing came before the sentinel".to_owned(),
            during: Interval { from: now, to: now },
        };
        let controls = Some([socket.watch(peers), socket.watch(peers)]);
        self.awaited.borrow_mut().push(Awaited {
            tried,
            push: socket.watch(theirs),
            controls,
        });
    }

    /// From here on, a peer's presence is the control after.
    pub(super) fn await_presence_again(&self, socket: &Rc<Socket>) {
        let peer = self.plan().peer(&self.person).unwrap_or(self.person.user);
        let Some(peers) = self.worker.board.user_id(peer) else {
            return;
        };
        let mut awaited = self.awaited.borrow_mut();
        let presences = awaited
            .iter_mut()
            .filter(|awaited| awaited.tried.check == Check::UserId);
        for awaited in presences {
            if let Some([_, after]) = &mut awaited.controls {
                *after = socket.watch(peers);
            }
        }
    }
}
