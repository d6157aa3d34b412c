//! What the clock costs: a duration recorded, an attempt metered, fairness over many users.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use history::{At, Conn, Event, Fact, Invoked, Op, Outcome, Role, Round, User};
use perf::{Histogram, Meter, jain};

fn histogram(c: &mut Criterion) {
    let mut group = c.benchmark_group("histogram");
    let mut histogram = Histogram::new();
    histogram.record(60_000_000);
    let mut us = 1;
    group.throughput(Throughput::Elements(1));
    group.bench_function("record", |b| {
        b.iter(|| {
            us = us * 7 % 50_000_017;
            histogram.record(black_box(us));
        });
    });
    group.bench_function("spread", |b| b.iter(|| black_box(&histogram).spread()));
    group.bench_function("merge", |b| {
        b.iter_batched_ref(
            Histogram::new,
            |into| into.merge(black_box(&histogram)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn attempt(op: u64) -> [Event<'static>; 2] {
    let user = (op % 12) as u32;
    let at = At(op * 1_000_000);
    let invoked = Invoked {
        op: Op(op),
        conn: Conn(user),
        user: User(user),
        role: Role::Post,
        request: "1".into(),
        intended: at,
        phase: 1,
        round: Round(1),
        nonce: None,
        stores: None,
        names: Vec::new(),
        probe: false,
    };
    let completed = Fact::Completed {
        op: Op(op),
        outcome: Outcome::Ok,
    };
    [
        Event {
            at,
            fact: Fact::Invoked(invoked),
        },
        Event {
            at: At(at.0 + 3_000_000),
            fact: completed,
        },
    ]
}

fn meter(c: &mut Criterion) {
    const ATTEMPTS: u64 = 1_000;
    let events: Vec<_> = (0..ATTEMPTS).flat_map(attempt).collect();
    let mut group = c.benchmark_group("meter");
    group.throughput(Throughput::Elements(ATTEMPTS));
    group.bench_function("attempts", |b| {
        b.iter_batched_ref(
            Meter::new,
            |meter| events.iter().for_each(|event| meter.observe(black_box(event))),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn fairness(c: &mut Criterion) {
    let mut group = c.benchmark_group("fairness");
    for users in [12_u64, 1_000, 100_000] {
        let shares: Vec<f64> = (0..users).map(|user| 1.0 + (user % 7) as f64).collect();
        group.throughput(Throughput::Elements(users));
        group.bench_function(format!("jain/{users}"), |b| {
            b.iter(|| jain(black_box(&shares).iter().copied()))
        });
    }
    group.finish();
}

criterion_group!(benches, histogram, meter, fairness);
criterion_main!(benches);
