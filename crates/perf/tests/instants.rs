//! Percentiles and throughput against instants worked out by hand: a constant delay, a tail, a stall.

mod common;

use common::{MS, at, measure, phase};
use history::{At, Event, Fact, Op, Outcome};
use perf::{Performance, Spread};

const OPS: u64 = 10_000;
const SERVICE_MS: u64 = 10;

/// One op a millisecond for ten seconds; `end_ms` says when the op meant for an instant is answered.
fn open_load(end_ms: impl Fn(u64) -> u64) -> (Performance, Vec<u64>) {
    let mut events: Vec<Event<'static>> = phase(0, "steady", 1, 0..OPS).into();
    let mut latencies_us = Vec::new();
    for ms in 0..OPS {
        let end = end_ms(ms);
        events.extend(common::op(ms, (ms % 12) as u32, 0, ms..end, Outcome::Ok));
        latencies_us.push((end - ms) * 1_000);
    }
    latencies_us.sort_unstable();
    (measure(&events), latencies_us)
}

#[track_caller]
fn check(spread: &Spread, sorted_us: &[u64]) {
    let rank = |quantile: f64| sorted_us[(quantile * sorted_us.len() as f64).ceil() as usize - 1];
    let near = |name: &str, is: u64, exact: u64| {
        let off = (is as f64 - exact as f64).abs() / exact as f64;
        assert!(off <= 0.02, "{name} is {is}, exact {exact}");
    };
    near("median", spread.median, rank(0.5));
    near("p90", spread.p90, rank(0.9));
    near("p95", spread.p95, rank(0.95));
    near("p99", spread.p99, rank(0.99));
    near("p99.9", spread.p999, rank(0.999));
    assert_eq!(
        (spread.min, spread.max),
        (sorted_us[0], sorted_us[sorted_us.len() - 1])
    );
    let mean = sorted_us.iter().sum::<u64>() as f64 / sorted_us.len() as f64;
    assert!(
        (spread.mean - mean).abs() < 1e-6,
        "mean is {}, exact {mean}",
        spread.mean
    );
}

#[test]
fn a_constant_delay_is_every_percentile() {
    let (performance, exact) = open_load(|ms| ms + SERVICE_MS);
    let spread = performance.latency_us.unwrap();
    check(&spread, &exact);
    assert_eq!(
        (spread.min, spread.median, spread.p999, spread.max),
        (10_000, 10_000, 10_000, 10_000)
    );
}

#[test]
fn a_tail_of_one_in_a_hundred_shows_from_there_on() {
    let (performance, exact) = open_load(|ms| ms + if ms % 100 == 0 { 500 } else { SERVICE_MS });
    let spread = performance.latency_us.unwrap();
    check(&spread, &exact);
    assert!(spread.p99 < 11_000, "99 % are fast");
    assert!(spread.p999 >= 490_000);
}

/// Nothing is answered from second 3 to second 4; what was meant for it is answered after.
fn stalled(ms: u64) -> u64 {
    if (3_000..4_000).contains(&ms) {
        4_000 + SERVICE_MS
    } else {
        ms + SERVICE_MS
    }
}

#[test]
fn an_open_load_shows_a_stall() {
    let (performance, exact) = open_load(stalled);
    let spread = performance.latency_us.unwrap();
    check(&spread, &exact);
    assert!(
        spread.p95 > 400_000,
        "a tenth of the ops were meant for the stall"
    );
    assert_eq!(spread.max, 1_010_000);
}

/// Senders that take one op after the other, twelve of them, each meaning to begin one every 20 ms, against a service
/// that stalls for a second: the ops' intended and real begins and their ends, in ms.
fn queued() -> Vec<(u64, u64, u64)> {
    let mut ops = Vec::new();
    for sender in 0..12 {
        let mut free_ms = 0;
        for intended in (sender..OPS).step_by(20) {
            let begin = free_ms.max(intended);
            free_ms = stalled(begin);
            ops.push((intended, begin, free_ms));
        }
    }
    ops
}

/// The intended start counts even if the op began late. From the real starts on, as in a closed loop, the same stall
/// shows in twelve ops of six thousand.
#[test]
fn an_open_load_shows_what_a_closed_one_hides() {
    let mut events: Vec<Event<'static>> = phase(0, "steady", 1, 0..OPS).into();
    for (op, &(intended, begin, end)) in (0..).zip(&queued()) {
        let sender = (op % 12) as u32;
        events.push(at(begin, Fact::Invoked(common::post(op, sender, 0, intended))));
        events.push(common::completed(op, end, Outcome::Ok));
    }
    let open = measure(&events);
    let closed: Vec<_> = events.into_iter().map(from_real_start).collect();
    let closed = measure(&closed).latency_us.unwrap();
    let latencies_us = |from: fn(&(u64, u64, u64)) -> u64| {
        let mut latencies_us: Vec<_> = queued().iter().map(|op| (op.2 - from(op)) * 1_000).collect();
        latencies_us.sort_unstable();
        latencies_us
    };
    check(&open.latency_us.unwrap(), &latencies_us(|op| op.0));
    check(&closed, &latencies_us(|op| op.1));
    assert!(
        open.latency_us.unwrap().p90 > 300_000,
        "the stall, and what queued up behind it"
    );
    assert!(closed.p99 < 11_000, "a closed load hides it");
    assert!(open.start_lag_us_max > Some(900_000));
}

fn from_real_start(event: Event<'static>) -> Event<'static> {
    match event.fact {
        Fact::Invoked(mut invoked) => {
            invoked.intended = event.at;
            Event {
                at: event.at,
                fact: Fact::Invoked(invoked),
            }
        }
        fact => Event { at: event.at, fact },
    }
}

#[test]
fn in_flight_is_what_the_client_had_open() {
    let (performance, _) = open_load(|ms| ms + SERVICE_MS);
    assert_eq!(performance.in_flight_max, Some(10));
    let (performance, _) = open_load(stalled);
    assert!((1_000..=1_010).contains(&performance.in_flight_max.unwrap()));
}

/// An hour in slices is coarser, and still right.
#[test]
fn in_flight_survives_a_long_run() {
    let hour = 3_600_000;
    let mut events: Vec<Event<'static>> = phase(0, "steady", 1, 0..2 * hour).into();
    for op in 0..7 {
        events.extend(common::op(op, 0, 0, op * 50..10_000, Outcome::Ok));
    }
    events.extend(common::op(8, 0, 0, hour..2 * hour, Outcome::Ok));
    assert_eq!(measure(&events).in_flight_max, Some(7));
}

#[test]
fn nanoseconds_become_microseconds() {
    let mut events: Vec<Event<'static>> = phase(0, "steady", 1, 0..1).into();
    events.push(common::invoked(1, 0, 0, 0));
    events.push(Event {
        at: At(MS / 2),
        fact: Fact::Completed {
            op: Op(1),
            outcome: Outcome::Ok,
        },
    });
    assert_eq!(measure(&events).latency_us.unwrap().max, 500);
}
