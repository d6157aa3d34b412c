//! More posts at once than there are places for.

use std::rc::Rc;

use futures_util::future::join_all;

use super::VirtualUser;
use crate::answer::Answer;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Attempt, Request, Socket};

/// Users who take part, at most: few are enough to take all places, and the others are served meanwhile.
const USERS: u32 = 12;
/// Posts of each of them whose replies take long, all at once.
const PATIENT: u32 = 10;
/// Those of them that every second user of a tenant cancels at once.
const CANCELLED: usize = 3;
/// Posts that hardly wait for a place, all at once, how long they do wait, in milliseconds, and how often that is tried until one
/// is refused.
const HASTY: u32 = 4;
const HASTY_WAIT_MS: &str = "1";
const HASTY_TRIES: u32 = 10;
/// Posts that are refused.
const MALFORMED: u32 = 4;
/// Posts after that, all at once: enough to use again whatever the hasty ones left behind.
const AFTER: u32 = 4;

impl VirtualUser {
    /// Takes all places that it can get, cancels some of what it asked for, asks for more in vain, and posts on.
    pub(super) async fn exhaust(&self) {
        let (Some(socket), Some(thread), Some(short)) =
            (self.main.socket(), self.long_thread(), self.first_thread())
        else {
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
            post.over().call(request).await;
        }
        if !self.post_hastily(&socket, &short).await {
            return;
        }
        self.post_on(&socket, &short).await;
        join_all(patient.into_iter().chain(others).map(Attempt::end)).await;
        self.post_on(&socket, &short).await;
    }

    /// Posts in haste until some are refused, for want of a place or since it took too long to get there; whether all were answered.
    async fn post_hastily(&self, socket: &Rc<Socket>, thread: &str) -> bool {
        for _ in 0..HASTY_TRIES {
            let requests = (0..HASTY).map_while(|_| self.hasty(thread));
            let hasty: Vec<_> = requests.map_while(|request| socket.begin(request).ok()).collect();
            let answers = join_all(hasty.into_iter().map(Attempt::end)).await;
            if answers.iter().any(Answer::is_unanswered) {
                return false;
            }
            if answers.iter().any(Answer::is_refused) {
                break;
            }
        }
        true
    }

    async fn post_on(&self, socket: &Rc<Socket>, thread: &str) {
        let posts: Vec<_> = (0..AFTER)
            .map_while(|_| self.begin_post(socket, thread))
            .collect();
        join_all(posts.into_iter().map(Attempt::end)).await;
    }

    fn hasty(&self, thread: &str) -> Option<Request> {
        let mut request = self.post_request(Some(thread))?;
        request.action = Action::PostHastily;
        Some(request.with(Slot::WaitMs, HASTY_WAIT_MS))
    }
}
