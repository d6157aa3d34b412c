//! Members come and go while others post.

use super::VirtualUser;

/// Posts of each member while a guest comes, is there, or goes.
const POSTS: u32 = 3;

impl VirtualUser {
    /// The room's owner takes the guest in; its other member posts meanwhile.
    pub(super) async fn admit(&self) {
        self.change_guest(true).await;
    }

    /// The guest subscribes, and all post.
    pub(super) async fn mingle(&self) {
        let (Some(socket), room) = (self.main.socket(), self.plan().room(self.person.tenant)) else {
            return;
        };
        if room.guest == Some(self.person.user) {
            self.subscribe_room(&socket).await;
        }
        if room.guest == Some(self.person.user) || self.person.room.is_some() {
            for _ in 0..POSTS {
                self.post_room(&socket, None).await;
            }
        }
    }

    /// The room's owner puts the guest out and posts on; its other member, mostly at the other gateway, posts all along.
    pub(super) async fn expel(&self) {
        self.change_guest(false).await;
    }

    async fn change_guest(&self, joined: bool) {
        let (Some(socket), room) = (self.main.socket(), self.plan().room(self.person.tenant)) else {
            return;
        };
        let Some(guest) = room.guest else { return };
        if room.owner == self.person.user {
            self.change_membership(&socket, guest, joined).await;
        }
        if self.person.room.is_some() {
            for _ in 0..POSTS {
                self.post_room(&socket, None).await;
            }
        }
    }
}
