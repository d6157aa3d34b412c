//! R: cancelling what another has in flight.

use std::rc::Rc;

use futures_util::future::join_all;
use history::{Check, Interval, Outcome, ProbeResult, User};

use super::Tried;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Attempt, Request, Socket};
use crate::user::VirtualUser;

/// Posts that a victim has in flight at once.
const POSTS: u32 = 4;
/// Request ids that are set aside, so that an attacker's own are none of the victim's.
const ASIDE: u32 = 1_000;

impl VirtualUser {
    /// Users in even places post, under the ids that all have at the begin of a phase; those in odd places cancel
    /// by these ids.
    pub(super) async fn probe_cancel(&self, socket: &Rc<Socket>) {
        if !socket.dialect().can(Action::Cancel) {
            return;
        }
        if self.person.user.0.is_multiple_of(2) {
            self.post_as_victim(socket).await;
        } else {
            self.cancel_as_attacker(socket).await;
        }
    }

    /// Its replies take long, so that they are in flight when the attacker comes; one that ends as cancelled is seen as any is.
    async fn post_as_victim(&self, socket: &Rc<Socket>) {
        let Some(thread) = self.long_thread().or_else(|| self.first_thread()) else {
            return;
        };
        let posts: Vec<_> = (0..POSTS)
            .filter_map(|_| self.begin_post(socket, &thread))
            .collect();
        join_all(posts.into_iter().map(Attempt::end)).await;
    }

    async fn cancel_as_attacker(&self, socket: &Rc<Socket>) {
        let first = socket.next_id();
        socket.skip_ids(ASIDE);
        let before = self.cancel_own(socket).await;
        let from = self.worker.clock.now();
        let mut result = ProbeResult::Refused;
        for id in first..first + POSTS {
            let request = Request::new(Action::Cancel)
                .with(Slot::Request, id.to_string())
                .probe();
            let answer = socket.call(request).await;
            match answer.outcome {
                Outcome::Ok if answer.values.get(Slot::Done) == Some("true") => {
                    result = ProbeResult::Accepted
                }
                Outcome::Info(_) if result == ProbeResult::Refused => result = ProbeResult::Lost,
                _ => {}
            }
        }
        let after = self.cancel_own(socket).await;
        let (holder, to) = (socket.holder(), self.worker.clock.now());
        self.tried(Tried {
            check: Check::Response,
            name: "cancelling by another's request id",
            victim: Some(User(self.person.user.0 - 1)),
            replica: holder.replica,
            conn: Some(holder.conn),
            controls: (before, after),
            result,
            detail: "nothing of that id to cancel here".to_owned(),
            during: Interval { from, to },
        });
    }
}
