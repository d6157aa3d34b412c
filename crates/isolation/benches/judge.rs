//! What judging one inbound message costs: the same for 12 users as for 100,000.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use history::{
    Account, At, ChannelKind, Conn, Event, Fact, Inbound, Invoked, Op, Part, Place, Replica, Role, Round,
    Session, Source, Step, Tenant, User,
};
use isolation::Judge;

const RUN: u32 = 4711;
const CONN: Conn = Conn(1);
const OP: Op = Op(1);
const USERS: [u32; 3] = [12, 1_000, 100_000];

fn id(kind: u32, n: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-{n:012x}")
}

/// A judge that knows the accounts of so many users, and one connection with a request in flight.
fn judge(users: u32) -> Judge {
    let mut judge = Judge::new(RUN);
    let mut tell = |index, fact| judge.observe(Place { worker: 0, index }, &Event { at: At(index), fact });
    for user in 0..users {
        let account = Account {
            user: User(user),
            tenant: Tenant(user / 4),
            user_id: id(1, user).into(),
            tenant_id: id(2, user / 4).into(),
            email: "nobody@example.com".into(),
        };
        tell(u64::from(user), Fact::Account(account));
    }
    let opened = Fact::Opened {
        conn: CONN,
        user: User(0),
        session: Some(Session(0)),
        replica: Replica(0),
        channel: ChannelKind::WebSocket,
        tcp_ns: 1,
        upgrade_ns: 1,
    };
    tell(200_000, opened);
    let invoked = Invoked {
        op: OP,
        conn: CONN,
        user: User(0),
        role: Role::ReadThread,
        request: "r1".into(),
        intended: At(0),
        phase: 1,
        round: Round(1),
        nonce: None,
        stores: None,
        names: vec![],
        probe: false,
    };
    tell(200_001, Fact::Invoked(invoked));
    judge
}

/// A clean reply of 200 bytes with two ids.
fn reply() -> Event<'static> {
    let head = format!(
        r#"{{"re":"r1","ok":{{"thread_id":"{}","author":"{}","body":""#,
        id(3, 7),
        id(1, 0)
    );
    let words =
        "the quick brown fox jumps over the lazy dog and looks back at it more than once before it goes";
    let tail = r#""}}"#;
    let text = format!("{head}{}{tail}", &words[..200 - head.len() - tail.len()]);
    assert_eq!(text.len(), 200);
    let part = Part::Reply {
        op: Some(OP),
        step: Step::Ack,
        text: None,
    };
    let bytes = Cow::Owned(text.into_bytes());
    Event {
        at: At(300_000),
        fact: Fact::Inbound(Inbound {
            conn: CONN,
            source: Source::Text,
            bytes,
            parts: part.into(),
        }),
    }
}

fn frame(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame judgement");
    let reply = reply();
    group.throughput(Throughput::Bytes(200));
    for users in USERS {
        let mut judge = judge(users);
        let mut index = 300_000;
        group.bench_function(BenchmarkId::from_parameter(users), |b| {
            b.iter(|| {
                index += 1;
                judge.observe(Place { worker: 0, index }, black_box(&reply));
            });
        });
    }
    group.finish();
}

/// Turns that are measured for a ratio; the fastest counts.
const TURNS: usize = 200;
const FRAMES: u64 = 200;

/// The shortest time of many turns over as many frames, for each number of users, taken in turns.
#[expect(clippy::print_stdout, reason = "this is what the bench is run for")]
fn ratios(_: &mut Criterion) {
    let reply = reply();
    let mut judges = USERS.map(judge);
    let (mut best, mut index) = (USERS.map(|_| Duration::MAX), 300_000);
    for _ in 0..TURNS {
        for (judge, best) in judges.iter_mut().zip(&mut best) {
            let begin = Instant::now();
            for _ in 0..FRAMES {
                index += 1;
                judge.observe(Place { worker: 0, index }, black_box(&reply));
            }
            *best = begin.elapsed().min(*best);
        }
    }
    for (users, time) in USERS.iter().zip(best).skip(1) {
        let ratio = time.as_secs_f64() / best[0].as_secs_f64();
        println!(
            "figure: frame judgement | {users} users known / {} | {ratio:.2} x | the same",
            USERS[0]
        );
    }
}

criterion_group!(benches, ratios, frame);
criterion_main!(benches);
