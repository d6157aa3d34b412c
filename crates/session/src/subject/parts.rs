//! What a script has for each phase.

use history::Round;

use super::Subject;
use crate::codec::Slot;
use crate::plan::{Deed, Phase, PhaseKind, Plan};
use crate::profile::Action;
use crate::socket::Request;

/// An id that no service has issued.
const NOTHING: &str = "5c1e7a00-0000-4000-8000-00000000beef";
/// A request id that is not in use: ids that are have no zero before them.
const NO_REQUEST: &str = "00";

impl Subject {
    /// Does what the script has for a phase; nothing, once it was not served.
    pub(super) async fn part(&self, part: &Phase) {
        if let Some(socket) = self.any_socket() {
            socket.enter(part.number);
        }
        match part.kind {
            // whether or not it was served
            PhaseKind::Close => self.close().await,
            _ if self.stopped.get() => {}
            PhaseKind::Login => self.enter().await,
            PhaseKind::Connect => self.connect().await,
            PhaseKind::Plant => self.plant().await,
            PhaseKind::Join => {
                self.deeds(&[
                    Deed::PostRoom,
                    Deed::ReadRoom,
                    Deed::ListRooms,
                    Deed::Presence,
                    Deed::LookUpOneself,
                    Deed::LookUpNobody,
                    Deed::Typing,
                ])
                .await
            }
            PhaseKind::Leave => self.second_session().await,
            PhaseKind::Burst => self.deeds(&[Deed::Post, Deed::Read]).await,
            PhaseKind::Round => self.round(part.round).await,
            PhaseKind::Cancel => {
                self.deeds(&[
                    Deed::Post,
                    Deed::CancelNothing,
                    Deed::ListRooms,
                    Deed::List,
                    Deed::Read,
                ])
                .await
            }
            PhaseKind::Exhaust => {
                self.deeds(&[Deed::PostNothing, Deed::Post, Deed::List, Deed::Find])
                    .await
            }
            PhaseKind::Admit | PhaseKind::Mingle | PhaseKind::Expel => {
                self.deeds(&[Deed::PostRoom, Deed::ReadRoom, Deed::ListRooms])
                    .await
            }
            PhaseKind::Drop => self.drop_connection().await,
            PhaseKind::Resume => self.resume().await,
            PhaseKind::Probe => {
                self.deeds(&[
                    Deed::WhoAmI,
                    Deed::ReadNothing,
                    Deed::Snapshot,
                    Deed::FindNothing,
                    Deed::Post,
                    Deed::List,
                ])
                .await
            }
            PhaseKind::Provoke | PhaseKind::Echo => {
                self.deeds(&[Deed::Presence, Deed::Typing, Deed::PostRoom]).await
            }
            PhaseKind::Boundary => self.deeds(&[Deed::WhoAmI, Deed::List]).await,
            PhaseKind::ReadAll => self.read_all().await,
            PhaseKind::Drain => self.settle().await,
            // in Solo, one of the people is to be alone
            PhaseKind::Solo | PhaseKind::Alone => {}
        }
    }

    /// Registers, logs in, and asks who it is.
    async fn enter(&self) {
        self.introduce();
        let line = self.desk.http.line(self.user());
        let (person, tenancy) = (&self.plan.person, &self.plan.tenancy);
        // whatever does not come about from here on, it has not been served
        self.stopped.set(true);
        let Some(mut known) = self.desk.enrol(&line, person, tenancy, &self.mint).await else {
            return;
        };
        let Some((login, said)) = self.desk.log_in(line, &known, None).await else {
            return;
        };
        known.extend(said);
        let now = self.worker.clock.now();
        let Some(account) = self.desk.account(person, known, now) else {
            return;
        };
        self.desk.me(&login, false).await;
        *self.account.borrow_mut() = Some(account);
        *self.login.borrow_mut() = Some(login.into());
        self.stopped.set(false);
    }

    /// A session beside the first, to its end.
    async fn second_session(&self) {
        let account = self.account.borrow().clone();
        let Some(account) = account else { return };
        let line = self.desk.http.line(self.user());
        let Some(login) = self.desk.login(line, &account, None).await else {
            return self.stopped.set(true);
        };
        self.desk.me(&login, false).await;
        self.desk.renew(&login).await;
        self.desk.me(&login, false).await;
        self.desk.logout(&login).await;
        self.desk.me(&login, true).await;
        self.desk.http.close(&login.line);
    }

    /// Threads and a room, called as everybody's are.
    async fn plant(&self) {
        for title in Plan::TITLES {
            self.create_thread(title).await;
            self.deeds(&[Deed::Post, Deed::Find, Deed::List]).await;
        }
        let name = Request::new(Action::CreateRoom).with(Slot::Name, "general");
        let room = self
            .ask(name)
            .await
            .and_then(|mut answer| answer.values.take(Slot::Room));
        if let Some(room) = room {
            *self.room.borrow_mut() = Some(room.clone());
            self.ask(Request::new(Action::SubscribeRoom).with(Slot::Room, room))
                .await;
        }
        self.deeds(&[Deed::ListRooms, Deed::Snapshot]).await;
    }

    async fn create_thread(&self, title: &str) {
        let request = Request::new(Action::CreateThread).with(Slot::Title, title);
        let thread = self
            .ask(request)
            .await
            .and_then(|mut answer| answer.values.take(Slot::Thread));
        if let Some(thread) = thread {
            self.threads.borrow_mut().push(thread.clone());
            self.ask(Request::new(Action::SubscribeThread).with(Slot::Thread, thread))
                .await;
        }
    }

    async fn round(&self, round: Round) {
        self.deeds(&[Deed::Snapshot]).await;
        self.create_thread(&Plan::round_title(round)).await;
        let deeds = self.worker.plan.deeds(self.plan.script, round);
        self.deeds(&deeds).await;
    }

    async fn deeds(&self, deeds: &[Deed]) {
        for deed in deeds {
            if let Some(request) = self.request(*deed) {
                self.ask(request).await;
            }
        }
    }

    /// What a deed is on the wire; `None` if what it is about was never made.
    fn request(&self, deed: Deed) -> Option<Request> {
        let thread = || self.threads.borrow().last().cloned();
        let room = || self.room.borrow().clone();
        let read = |thread: String| {
            Request::new(Action::ReadThread)
                .with(Slot::Thread, thread)
                .with(Slot::After, "0")
        };
        Some(match deed {
            Deed::Post => {
                let body = self.text("message");
                Request::new(Action::Post)
                    .with(Slot::Thread, thread()?)
                    .with(Slot::Nonce, format!("nonce of {body}"))
                    .with(Slot::Body, body)
            }
            Deed::PostNothing => Request::new(Action::Post)
                .with(Slot::Thread, thread()?)
                .with(Slot::Nonce, "nothing")
                .with(Slot::Body, ""),
            Deed::Snapshot => Request::new(Action::Snapshot),
            Deed::List => Request::new(Action::ListThreads),
            Deed::Find => Request::new(Action::FindThread).with(Slot::Title, Plan::TITLES[0]),
            Deed::FindNothing => Request::new(Action::FindThread).with(Slot::Title, "what nobody wrote"),
            Deed::Read => read(thread()?),
            Deed::ReadNothing => read(NOTHING.to_owned()),
            Deed::WhoAmI => Request::new(Action::WhoAmI),
            Deed::ListRooms => Request::new(Action::ListRooms),
            Deed::PostRoom => Request::new(Action::PostRoom)
                .with(Slot::Room, room()?)
                .with(Slot::Body, self.text("room message"))
                .with(Slot::Note, self.text("note")),
            Deed::ReadRoom => Request::new(Action::ReadRoom)
                .with(Slot::Room, room()?)
                .with(Slot::After, "0"),
            Deed::Presence => Request::new(Action::Presence).with(Slot::Status, self.text("here")),
            Deed::Typing => Request::new(Action::Typing).with(Slot::Room, room()?),
            Deed::LookUpOneself => Request::new(Action::LookUp).with(Slot::User, self.user_id()?),
            Deed::LookUpNobody => Request::new(Action::LookUp).with(Slot::User, NOTHING),
            Deed::CancelNothing => Request::new(Action::Cancel).with(Slot::Request, NO_REQUEST),
        })
    }

    /// Drops its connection, when nothing is on its way to it.
    async fn drop_connection(&self) {
        self.settle().await;
        if let Some(socket) = self.any_socket() {
            socket.drop_stream();
        }
    }

    /// Connects again, and has all replayed that it was ever told of.
    async fn resume(&self) {
        let resume = self.any_socket().and_then(|old| old.resume_token());
        self.connect().await;
        if let Some(resume) = resume {
            let request = Request::new(Action::Resume)
                .with(Slot::Resume, resume)
                .with(Slot::After, "0");
            self.ask(request).await;
        }
        self.deeds(&[Deed::List]).await;
    }

    /// Reads everything of its own.
    async fn read_all(&self) {
        self.deeds(&[
            Deed::WhoAmI,
            Deed::List,
            Deed::Snapshot,
            Deed::ListRooms,
            Deed::ReadRoom,
        ])
        .await;
        let threads = self.threads.borrow().clone();
        for thread in threads {
            let request = Request::new(Action::ReadThread)
                .with(Slot::Thread, thread)
                .with(Slot::After, "0");
            self.ask(request).await;
        }
    }
}
