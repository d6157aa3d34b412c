//! More posts at once than there are places for.

use std::rc::Rc;

use futures_util::future::join_all;

use super::VirtualUser;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Attempt, Request, Socket};

/// Users who take part, at most: few are enough to take all places, and the others are served meanwhile.
const USERS: u32 = 12;
/// Posts of each of them whose replies take long, all at once.
const PATIENT: u32 = 14;
/// Those of them that every second user of a tenant cancels at once.
const CANCELLED: usize = 3;
/// Posts that do not wait for a place: so many are to be refused, so many are tried at most, and how long they do wait, in
/// milliseconds.
const HASTY: u32 = 3;
const HASTY_TRIES: u32 = 12;
const HASTY_WAIT_MS: &str = "1";
/// Posts that are refused.
const MALFORMED: u32 = 4;
/// Posts after that.
const AFTER: u32 = 2;

impl VirtualUser {
    /// Takes all places that it can get, cancels some of what it asked for, asks for more in vain, and posts on. What is not
    /// cancelled may not end as cancelled.
    pub(super) async fn exhaust(&self) {
        let (Some(socket), Some(thread)) = (self.main.socket(), self.long_thread()) else {
            return;
        };
        if self.person.user.0 >= USERS {
            return;
        }
        let mut patient = Vec::new();
        for _ in 0..PATIENT {
            patient.extend(self.begin_post(&socket, &thread));
        }
        if let Some(first) = patient.first_mut() {
            first.first_piece().await;
        }
        for _ in 0..MALFORMED {
            socket.call(Self::malformed(&thread)).await;
        }
        let others = if self.person.rank.is_multiple_of(2) {
            patient.split_off(CANCELLED.min(patient.len()))
        } else {
            std::mem::take(&mut patient)
        };
        for post in &patient {
            let request = Request::new(Action::Cancel).with(Slot::Request, post.request());
            socket.call(request).await;
        }
        let mut refused = 0;
        for _ in 0..HASTY_TRIES {
            let Some(request) = self.hasty(&thread).filter(|_| refused < HASTY) else {
                break;
            };
            let answer = socket.call(request).await;
            if answer.is_unanswered() {
                return;
            }
            refused += u32::from(answer.is_refused());
        }
        self.post_on(&socket).await;
        join_all(patient.into_iter().map(Attempt::end)).await;
        for answer in join_all(others.into_iter().map(Attempt::end)).await {
            self.see_uncancelled(&socket, &answer);
        }
        self.post_on(&socket).await;
    }

    async fn post_on(&self, socket: &Rc<Socket>) {
        let Some(thread) = self.first_thread() else { return };
        for _ in 0..AFTER {
            let answer = self.post(socket, Some(&thread), None).await;
            if answer.is_none_or(|answer| answer.is_unanswered()) {
                return;
            }
        }
    }

    fn hasty(&self, thread: &str) -> Option<Request> {
        let mut request = self.post_request(Some(thread))?;
        request.action = Action::PostHastily;
        Some(request.with(Slot::WaitMs, HASTY_WAIT_MS))
    }
}
