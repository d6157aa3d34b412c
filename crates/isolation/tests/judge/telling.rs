//! What a story can tell: the reference service, as seen by a harness.

use std::borrow::Cow;

use history::{
    Account, Audience, AuditRow, BoundaryKind, ChannelKind, Check, CloseCause, Conn, Fact, Fingerprint,
    Identified, Inbound, Interval, Invoked, Op, Outcome, Part, Probe, ProbeResult, Replica, Role, Room,
    RoomIssued, Round, RunHeader, Session, Source, Step, Tenant, ThreadIssued, Token, TokenKind, User,
};
use isolation::canary::{Canary, Datum};
use isolation::scan::ids;

use crate::story::{
    Ask, GRACE_MS, RUN, Story, ask, conn, ms, room_id, span, tenant_id, tenant_of, thread_id, token, user_id,
};

impl Story {
    pub(crate) fn begin(&mut self, users: u32) -> &mut Self {
        let header = RunHeader {
            version: 1,
            run: RUN,
            seed: 1,
            started_unix_ms: 0,
            target: "reference".into(),
            users,
            tenants: users.div_ceil(2),
            rounds: 1,
            planes: vec!["isolation".into()],
            gates: vec![],
            not_applicable: vec![],
            unseen: vec![],
            revocation_grace_ms: GRACE_MS,
            text_channels: true,
            identity_audience: Audience::OwnTenant,
            repeat: "cargo xtask e2e --seed 1".into(),
            notes: vec![],
        };
        self.tell(0, Fact::Run(Box::new(header)))
    }

    pub(crate) fn end(&mut self, at: u64) -> &mut Self {
        self.tell(at, Fact::Ended { interrupted: false })
    }

    pub(crate) fn account(&mut self, user: u32) -> &mut Self {
        let tenant = tenant_of(user);
        let email = self
            .mint(user, Audience::Tenant(Tenant(tenant)), Datum::Email)
            .short()
            + "@example.com";
        let account = Account {
            user: User(user),
            tenant: Tenant(tenant),
            user_id: user_id(user).into(),
            tenant_id: tenant_id(tenant).into(),
            email: email.into(),
        };
        self.tell(1, Fact::Account(account)).token(user, &token(user))
    }

    pub(crate) fn token(&mut self, user: u32, token: &str) -> &mut Self {
        let fact = Token {
            user: User(user),
            session: Session(user),
            kind: TokenKind::Access,
            whole: Fingerprint::of(token.as_bytes()),
            token_id: Some(Fingerprint::of(format!("jti of {token}").as_bytes())),
            pieces: ids::pieces_of_token(token),
            during: span(2, 3),
        };
        self.tell(3, Fact::Token(fact))
    }

    pub(crate) fn open(&mut self, at: u64, conn: Conn, user: u32, session: Option<u32>) -> &mut Self {
        self.tell(
            at,
            Fact::Opened {
                conn,
                user: User(user),
                session: session.map(Session),
                replica: Replica((user % 2) as u8),
                channel: ChannelKind::WebSocket,
                tcp_ns: 1,
                upgrade_ns: 1,
            },
        )
    }

    pub(crate) fn close(&mut self, at: u64, conn: Conn, cause: CloseCause) -> &mut Self {
        self.tell(
            at,
            Fact::Closed {
                conn,
                cause,
                code: None,
            },
        )
    }

    pub(crate) fn invoke(&mut self, at: u64, ask: Ask) -> Op {
        let op = Op(self.next_op);
        self.next_op += 1;
        let invoked = Invoked {
            op,
            conn: ask.conn,
            user: User(ask.user),
            role: ask.role,
            request: "r1".into(),
            intended: ms(at),
            phase: 1,
            round: Round(1),
            nonce: ask.nonce,
            stores: ask.stores,
            names: ask
                .names
                .iter()
                .flat_map(|name| isolation::fingerprints_of_name(name))
                .collect(),
            probe: ask.probe,
        };
        self.tell(at, Fact::Invoked(invoked));
        op
    }

    pub(crate) fn complete(&mut self, at: u64, op: Op, outcome: Outcome) -> &mut Self {
        self.tell(at, Fact::Completed { op, outcome })
    }

    pub(crate) fn inbound(
        &mut self,
        at: u64,
        conn: Conn,
        text: impl Into<String>,
        part: Part<'static>,
    ) -> &mut Self {
        self.raw(at, conn, Source::Text, text.into().into_bytes(), vec![part])
    }

    pub(crate) fn raw(
        &mut self,
        at: u64,
        conn: Conn,
        source: Source,
        bytes: Vec<u8>,
        parts: Vec<Part<'static>>,
    ) -> &mut Self {
        self.tell(
            at,
            Fact::Inbound(Inbound {
                conn,
                source,
                bytes: Cow::Owned(bytes),
                parts: parts.into(),
            }),
        )
    }

    /// An event with content.
    pub(crate) fn push(&mut self, at: u64, conn: Conn, data: &str) -> &mut Self {
        let part = Part::Event {
            kind: "room.message".into(),
            content: true,
        };
        self.inbound(
            at,
            conn,
            format!(r#"{{"ev":"room.message","cursor":1,"data":{data}}}"#),
            part,
        )
    }

    /// The last of an answer.
    pub(crate) fn done(&mut self, at: u64, conn: Conn, op: Op, data: &str) -> &mut Self {
        self.reply(at, conn, Some(op), Step::Done, data)
    }

    pub(crate) fn reply(&mut self, at: u64, conn: Conn, op: Option<Op>, step: Step, data: &str) -> &mut Self {
        let part = Part::Reply { op, step, text: None };
        self.inbound(at, conn, format!(r#"{{"re":"r1","ok":{data}}}"#), part)
    }

    /// A whole attempt: one answer and its end.
    pub(crate) fn exchange(&mut self, from: u64, to: u64, ask: Ask, data: &str) -> Op {
        let conn = ask.conn;
        let op = self.invoke(from, ask);
        self.done(to, conn, op, data).complete(to, op, Outcome::Ok);
        op
    }

    /// A piece of a streamed answer.
    pub(crate) fn delta(&mut self, at: u64, conn: Conn, op: Op, text: &str) -> &mut Self {
        let part = Part::Reply {
            op: Some(op),
            step: Step::Delta,
            text: Some(text.to_owned().into()),
        };
        self.inbound(
            at,
            conn,
            format!(r#"{{"re":"r1","delta":{{"n":0,"text":"{text}"}}}}"#),
            part,
        )
    }

    /// A post of a secret, whose streamed answer derives from `echoed`; returns the secret.
    pub(crate) fn post(&mut self, from: u64, user: u32) -> Canary {
        let nonce = self.mint(user, Audience::Owner, Datum::Nonce);
        self.post_echoing(from, user, nonce, nonce)
    }

    pub(crate) fn post_echoing(&mut self, from: u64, user: u32, nonce: Canary, echoed: Canary) -> Canary {
        let secret = self.secret(user);
        let asked = Ask {
            nonce: Some(nonce.serial),
            stores: Some(secret.serial),
            ..ask(user, Role::Post)
        };
        let op = self.invoke(from, asked);
        self.reply(from + 3, conn(user), Some(op), Step::Ack, r#"{"seq":1}"#);
        let text = format!("{} is message 1", echoed.long());
        for (at, piece) in text.as_bytes().chunks(17).enumerate() {
            self.delta(
                from + 4 + at as u64 / 3,
                conn(user),
                op,
                std::str::from_utf8(piece).unwrap(),
            );
        }
        self.done(from + 10, conn(user), op, r#"{"seq":2,"chars":100}"#)
            .complete(from + 10, op, Outcome::Ok);
        self.audit_row(user, user, &secret);
        secret
    }

    /// A row in the thread of `owner` whose words `author` wrote.
    pub(crate) fn audit_row(&mut self, owner: u32, author: u32, canary: &Canary) -> &mut Self {
        let row = AuditRow {
            table: "message".into(),
            container: thread_id(owner).into(),
            owner: Some(user_id(owner).into()),
            author: user_id(author).into(),
            tenant: tenant_id(tenant_of(author)).into(),
            derived: false,
            body: Cow::Owned(canary.long().into_bytes()),
        };
        self.tell(1500, Fact::AuditRow(row))
    }

    pub(crate) fn member(&mut self, room: u32, user: u32, joined: bool, during: Interval) -> &mut Self {
        self.tell(
            9,
            Fact::Membership {
                room: Room(room),
                user: User(user),
                joined,
                during,
            },
        )
    }

    /// A room post of `author`, told to `receivers` over their main connections.
    pub(crate) fn room_post(&mut self, from: u64, room: u32, author: u32, receivers: &[u32]) -> Canary {
        let body = self.mint(author, Audience::Room(Room(room)), Datum::RoomBody);
        let asked = Ask {
            stores: Some(body.serial),
            ..ask(author, Role::PostRoom)
        };
        self.exchange(from, from + 2, asked, r#"{"seq":1}"#);
        for &receiver in receivers {
            self.push(
                from + 1,
                conn(receiver),
                &format!(r#"{{"body":"{}"}}"#, body.long()),
            );
        }
        let row = AuditRow {
            table: "room message".into(),
            container: room_id(room).into(),
            owner: None,
            author: user_id(author).into(),
            tenant: tenant_id(tenant_of(author)).into(),
            derived: false,
            body: Cow::Owned(body.long().into_bytes()),
        };
        self.tell(1500, Fact::AuditRow(row));
        body
    }

    pub(crate) fn probe(&mut self, check: Check, result: ProbeResult) -> &mut Self {
        let probe = Probe {
            check,
            name: format!("{} probe", check.name()).into(),
            attacker: User(1),
            victim: Some(User(2)),
            replica: Replica(1),
            conn: Some(conn(1)),
            control_before: true,
            control_after: true,
            result,
            detail: "not_found".into(),
            during: span(1400, 1410),
        };
        self.tell(1410, Fact::Probe(probe))
    }

    pub(crate) fn logout(&mut self, session: u32, user: u32, during: Interval) -> &mut Self {
        let kind = BoundaryKind::Logout;
        self.tell(
            110,
            Fact::Boundary {
                session: Session(session),
                user: User(user),
                kind,
                during,
            },
        )
    }

    /// A run in which nothing leaks and everything is exercised. Users 0 and 2 talk to one process, 1 and 3 to the other; 0
    /// and 1 are of tenant 0 and in room 0, 2 and 3 of tenant 1 and in room 1.
    pub(crate) fn clean() -> Self {
        let mut story = Self::empty();
        story.begin(4).tell(
            5,
            Fact::PhaseBegan {
                phase: 1,
                name: "one".into(),
                round: Round(1),
                measured: true,
            },
        );
        for user in 0..4 {
            story
                .account(user)
                .open(10, conn(user), user, Some(user))
                .hello(11, conn(user), user)
                .identify(user);
            story.create_thread(20, user, user);
            story.post(30, user);
        }
        for room in 0..2 {
            story.room(room, 2 * room);
            story.member(room, 2 * room + 1, true, span(7, 8));
            story.room_post(60, room, 2 * room, &[2 * room, 2 * room + 1]);
        }
        for user in 0..4 {
            let secret = story.post(70, user);
            let read = format!(r#"{{"messages":[{{"body":"{}"}}]}}"#, secret.long());
            story.exchange(90, 95, ask(user, Role::ReadThread), &read);
        }
        story.open(15, Conn(20), 3, Some(13)).hello(16, Conn(20), 3);
        story
            .logout(13, 3, span(100, 101))
            .close(150, Conn(20), CloseCause::ByService);
        story.room_post(1300, 1, 2, &[2, 3]);
        for check in Check::ALL {
            story.probe(check, ProbeResult::Refused);
        }
        let required_by = vec![Check::Response];
        let name = "equal_request_id_in_flight".into();
        story.tell(
            1600,
            Fact::Situation {
                name,
                replica: Replica(0),
                count: 60,
                required_by,
            },
        );
        story
            .tell(
                1600,
                Fact::AuditEnd {
                    rows: 12,
                    complete: true,
                },
            )
            .end(1700);
        story
    }

    pub(crate) fn hello(&mut self, at: u64, conn: Conn, user: u32) -> &mut Self {
        let (user_id, tenant_id) = (user_id(user), tenant_id(tenant_of(user)));
        self.push(
            at,
            conn,
            &format!(r#"{{"user_id":"{user_id}","tenant_id":"{tenant_id}"}}"#),
        )
    }

    pub(crate) fn identify(&mut self, user: u32) -> &mut Self {
        let data = format!(r#"{{"user_id":"{}"}}"#, user_id(user));
        self.exchange(12, 14, ask(user, Role::WhoAmI), &data);
        self.identified(user, user)
    }

    pub(crate) fn identified(&mut self, user: u32, seen_as: u32) -> &mut Self {
        let identified = Identified {
            user: User(user),
            session: Session(user),
            conn: conn(user),
            replica: Replica((user % 2) as u8),
            seen: user_id(seen_as).into(),
            during: span(12, 14),
        };
        self.tell(14, Fact::Identified(identified))
    }

    pub(crate) fn create_thread(&mut self, from: u64, owner: u32, thread: u32) -> &mut Self {
        let title = self.mint(owner, Audience::Owner, Datum::Title);
        let data = format!(
            r#"{{"thread_id":"{}","title":"{}"}}"#,
            thread_id(thread),
            title.short()
        );
        let op = self.exchange(from, from + 5, ask(owner, Role::CreateThread), &data);
        let issued = ThreadIssued {
            op,
            conn: conn(owner),
            owner: User(owner),
            thread_id: thread_id(thread).into(),
            during: span(from, from + 5),
        };
        self.tell(from + 5, Fact::ThreadIssued(issued))
    }

    pub(crate) fn room(&mut self, room: u32, owner: u32) -> &mut Self {
        let tenant = Tenant(tenant_of(owner));
        let room_id = room_id(room).into();
        self.tell(
            6,
            Fact::RoomIssued(RoomIssued {
                room: Room(room),
                tenant,
                owner: User(owner),
                room_id,
            }),
        )
    }
}
