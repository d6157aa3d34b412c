//! A connection breaks, events are missed, the user comes back and resumes.

use super::VirtualUser;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::Request;

/// Posts that those who stay make meanwhile.
const POSTS_MISSED: u32 = 2;

impl VirtualUser {
    /// Drops its connection without a word while it is being answered, or posts what others miss.
    pub(super) async fn drop_connection(&self) {
        let Some(socket) = self.main.socket() else { return };
        if self.person.resumes {
            // a reply is still on its way when others have come
            if let Some(thread) = self.long_thread()
                && let Some(mut post) = self.begin_post(&socket, &thread)
            {
                post.first_piece().await;
            }
            return socket.drop_stream();
        }
        if self.person.room.is_some() {
            for _ in 0..POSTS_MISSED {
                self.post_room(&socket, None).await;
            }
        }
    }

    /// Connects again and resumes where the old connection broke.
    pub(super) async fn resume(&self) {
        if !self.person.resumes {
            return;
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
        self.unfit.borrow_mut().push(old);
        *self.main.socket.borrow_mut() = Some(socket);
    }
}
