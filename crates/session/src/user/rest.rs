//! The end: read everything, listen until nothing comes, close.

use std::time::Instant;

use futures_util::future::join_all;

use super::VirtualUser;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::Request;

impl VirtualUser {
    /// Reads everything of its own, so that what was misfiled turns up.
    pub(super) async fn read_all(&self) {
        let Some(socket) = self.main.socket() else { return };
        socket.call(Request::new(Action::WhoAmI)).await;
        socket.call(Request::new(Action::ListThreads)).await;
        let planted = self.entry().threads.get().into_iter().flatten().cloned();
        let threads: Vec<_> = planted
            .chain(self.round_threads.borrow().iter().cloned())
            .collect();
        for thread in threads {
            let request = Request::new(Action::ReadThread)
                .with(Slot::Thread, thread)
                .with(Slot::After, "0");
            socket.call(request).await;
        }
        socket.call(Request::new(Action::ListRooms)).await;
        if let (Some(_), Some(request)) = (self.person.room, self.in_room(Action::ReadRoom)) {
            socket.call(request.with(Slot::After, "0")).await;
        }
    }

    /// Listens until nothing has come in for a while, or for as long as it may take.
    pub(super) async fn drain(&self) {
        let limits = self.worker.limits;
        let until = Instant::now() + limits.drain;
        let sockets = self.all_sockets();
        loop {
            let open = sockets.iter().filter(|socket| socket.is_open());
            let Some(last) = open.map(|socket| socket.last_inbound()).max() else {
                return;
            };
            let quiet = (last + limits.drain_quiet).min(until);
            if Instant::now() >= quiet {
                return;
            }
            tokio::time::sleep_until(quiet.into()).await;
        }
    }

    /// Closes all connections in order.
    pub(super) async fn close(&self) {
        let sockets = self.all_sockets();
        join_all(sockets.iter().map(|socket| socket.close())).await;
        for login in [self.main.login(), self.second.login()].into_iter().flatten() {
            self.desk.http.close(&login.line);
        }
    }
}
