//! The end: read everything, listen until nothing comes, close.

use std::rc::Rc;
use std::time::Instant;

use futures_util::future::join_all;

use super::VirtualUser;
use super::ops::position;
use crate::codec::Slot;
use crate::profile::Action;
use crate::socket::{Request, Socket};

/// Pages of one thread or room that are read at most.
const PAGES: u32 = 1_000;

impl VirtualUser {
    /// Reads everything of its own, so that what was misfiled turns up.
    pub(super) async fn read_all(&self) {
        let Some(socket) = self.main.socket() else { return };
        socket.call(Request::new(Action::WhoAmI)).await;
        socket.call(Request::new(Action::ListThreads)).await;
        let planted = self.entry().threads.get().into_iter().flatten().cloned();
        let threads: Vec<_> = planted.chain(self.own_threads.borrow().iter().cloned()).collect();
        for thread in threads {
            let page = self.on_thread(Action::ReadThread, &thread, self.person.user);
            self.read_pages(&socket, page).await;
        }
        socket.call(Request::new(Action::ListRooms)).await;
        if let (Some(_), Some(page)) = (self.person.room, self.in_room(Action::ReadRoom)) {
            self.read_pages(&socket, page).await;
        }
        self.probe_read_threads(&socket).await;
    }

    async fn read_pages(&self, socket: &Rc<Socket>, page: Request) {
        let mut after = 0;
        for _ in 0..PAGES {
            let answer = socket
                .call(page.clone().with(Slot::After, after.to_string()))
                .await;
            match position(&answer) {
                Some(last) if last > after => after = last,
                _ => return,
            }
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
            let quiet = (self.worker.clock.instant(last) + limits.drain_quiet).min(until);
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
