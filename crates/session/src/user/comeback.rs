//! A connection breaks, events are missed, the user comes back and resumes.

use super::VirtualUser;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::Request;

/// Posts that those who stay make meanwhile.
const POSTS_MISSED: u32 = 2;
/// Posts whose replies are still on their way when others have come: of the first users so many, as they wait for each
/// other and so outlast a slow comeback; of all others one.
const LATE: u32 = 24;
const LATE_USERS: u32 = 24;

impl VirtualUser {
    /// Drops its connection without a word while it is being answered, or posts what others miss.
    pub(super) async fn drop_connection(&self) {
        let Some(socket) = self.main.socket() else { return };
        if self.person.resumes {
            if let Some(thread) = self.long_thread() {
                let late = if self.person.user.0 < LATE_USERS { LATE } else { 1 };
                let mut posts: Vec<_> = (0..late)
                    .map_while(|_| self.begin_post(&socket, &thread))
                    .collect();
                if let Some(first) = posts.first_mut() {
                    first.first_piece().await;
                }
            }
            return socket.drop_stream();
        }
        if self.person.room.is_some() {
            for _ in 0..POSTS_MISSED {
                self.post_room(&socket, None).await;
            }
        }
    }

    /// Connects again and resumes where the old connection broke; others come in between, to where it was.
    pub(super) async fn resume(&self) {
        if !self.person.resumes {
            return self.come_between().await;
        }
        let (Some(old), Some(login)) = (self.main.any_socket(), self.main.login()) else {
            return;
        };
        let Some(socket) = self.open(&login, self.person.replica).await else {
            return;
        };
        if let Some(resume) = old.resume_token() {
            let after = old.cursor().to_string();
            let request = Request::new(Action::Resume)
                .with(Slot::Resume, resume)
                .with(Slot::After, after);
            socket.call(request).await;
        }
        self.aside.borrow_mut().push(old);
        *self.main.socket.borrow_mut() = Some(socket);
    }

    /// One more connection, to a gateway that others have just left: what was still on its way to them is not for this one.
    async fn come_between(&self) {
        let left = self.plan().people.iter().find(|person| person.resumes);
        let (Some(left), Some(login)) = (left, self.main.login()) else {
            return;
        };
        if self.person.user.0 < LATE_USERS
            && let Some(socket) = self.open(&login, left.replica).await
        {
            self.aside.borrow_mut().push(socket);
        }
    }
}
