//! Histories by hand.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use history::{
    At, ChannelKind, Conn, Event, Fact, Interval, Invoked, Op, Outcome, Replica, Role, Round, RunHeader,
    Session, User,
};
use perf::{Meter, Performance};

pub const MS: u64 = 1_000_000;

pub fn at(ms: u64, fact: Fact<'static>) -> Event<'static> {
    Event {
        at: At(ms * MS),
        fact,
    }
}

pub fn header(users: u32, rounds: u16, planes: &[&str]) -> Event<'static> {
    let header = RunHeader {
        version: 1,
        run: 1,
        seed: 1,
        started_unix_ms: 0,
        target: "test".into(),
        users,
        tenants: 1,
        rounds,
        planes: planes.iter().map(|plane| (*plane).to_owned()).collect(),
        gates: vec![],
        not_applicable: vec![],
        unseen: vec![],
        revocation_grace_ms: 0,
        text_channels: true,
        identity_audience: history::Audience::Owner,
        repeat: String::new(),
        notes: vec![],
    };
    at(0, Fact::Run(Box::new(header)))
}

pub fn phase(number: u16, name: &'static str, round: u16, ms: std::ops::Range<u64>) -> [Event<'static>; 2] {
    let measured = round > 0;
    [
        at(
            ms.start,
            Fact::PhaseBegan {
                phase: number,
                name: name.into(),
                round: Round(round),
                measured,
            },
        ),
        at(ms.end, Fact::PhaseEnded { phase: number }),
    ]
}

/// A post by `user` in `phase`, meant for and begun at `from_ms`.
pub fn invoked(op: u64, user: u32, phase: u16, from_ms: u64) -> Event<'static> {
    at(from_ms, Fact::Invoked(post(op, user, phase, from_ms)))
}

pub fn post(op: u64, user: u32, phase: u16, intended_ms: u64) -> Invoked<'static> {
    Invoked {
        op: Op(op),
        conn: Conn(user),
        user: User(user),
        role: Role::Post,
        request: "1".into(),
        intended: At(intended_ms * MS),
        phase,
        round: Round(0),
        nonce: None,
        stores: None,
        names: vec![],
        probe: false,
    }
}

pub fn completed(op: u64, ms: u64, outcome: Outcome) -> Event<'static> {
    at(ms, Fact::Completed { op: Op(op), outcome })
}

/// A post and its end.
pub fn op(op: u64, user: u32, phase: u16, ms: std::ops::Range<u64>, outcome: Outcome) -> [Event<'static>; 2] {
    [invoked(op, user, phase, ms.start), completed(op, ms.end, outcome)]
}

pub fn opened(conn: u32, user: u32, channel: ChannelKind) -> Event<'static> {
    let session = Some(Session(user));
    at(
        0,
        Fact::Opened {
            conn: Conn(conn),
            user: User(user),
            session,
            replica: Replica(0),
            channel,
            tcp_ns: 1,
            upgrade_ns: 1,
        },
    )
}

pub fn stage(name: &'static str, ms: std::ops::Range<u64>) -> Event<'static> {
    at(
        ms.end,
        Fact::Stage {
            name: name.into(),
            during: Interval {
                from: At(ms.start * MS),
                to: At(ms.end * MS),
            },
        },
    )
}

pub fn measure<'a>(events: impl IntoIterator<Item = &'a Event<'a>>) -> Performance {
    let mut meter = Meter::new();
    events.into_iter().for_each(|event| meter.observe(event));
    meter.finish()
}
