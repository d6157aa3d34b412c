//! Laws: meters merge in any partition and order; Jain's index; gates; schedules.

mod common;

use history::{At, ChannelKind, Conn, Event, Fact, Outcome, PoolFigures};
use perf::{Gate, Histogram, Meter, Metric, Schedule, Spacing, jain};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Ok),
        1 => (0..200_u32).prop_map(|code| Outcome::Fail(code.to_string())),
        1 => Just(Outcome::Info("lost".into())),
    ]
}

/// Phases 0 to 3, the last one unmeasured, of up to a few seconds (one far out, for coarse slices).
fn attempt(op: u64) -> impl Strategy<Value = Vec<Event<'static>>> {
    let from = prop_oneof![20 => 0..5_000_u64, 1 => Just(500_000_u64)];
    (
        from,
        0..900_u64,
        0..9_u32,
        0..4_u16,
        outcome(),
        any::<bool>(),
        0..10_u8,
    )
        .prop_map(move |(from, took, user, phase, outcome, probe, ends)| {
            let mut post = common::post(op, user, phase, from.saturating_sub(took / 3));
            post.probe = probe && took % 5 == 0;
            let mut events = vec![common::at(from, Fact::Invoked(post))];
            if ends > 0 {
                events.push(common::completed(op, from + took, outcome));
            }
            events
        })
}

fn run() -> impl Strategy<Value = Vec<Event<'static>>> {
    let attempts = (0..60_u64).map(|op| attempt(op).boxed()).collect::<Vec<_>>();
    (attempts, 0..12_u32).prop_map(|(attempts, users)| {
        let mut events = vec![common::header(users, 2, &["performance", "dbpool"])];
        events.extend(common::phase(0, "steady", 1, 0..3_000));
        events.extend(common::phase(1, "steady", 2, 3_000..6_000));
        events.extend(common::phase(2, "burst", 2, 6_000..7_000));
        events.extend(common::phase(3, "solo", 0, 7_000..8_000));
        events.push(common::stage("start", 0..10));
        events.push(common::stage("drive", 10..9_000));
        for conn in 0..4 {
            events.push(common::opened(conn, conn, ChannelKind::WebSocket));
            let total_ns = 1_000_000 * (u64::from(conn) + 1);
            events.push(common::at(
                1,
                Fact::Ready {
                    conn: Conn(conn),
                    total_ns,
                },
            ));
        }
        for label in ["sqlx", "deadpool"] {
            let figures = PoolFigures {
                label: label.into(),
                stress: true,
                ok: 9,
                ..PoolFigures::default()
            };
            events.push(common::at(1, Fact::Pool(Box::new(figures))));
        }
        events.extend(attempts.into_iter().flatten());
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever meter sees an event, and in whatever order meters merge, the figures are the same.
    #[test]
    fn meters_merge_in_any_partition_and_order(
        events in run(),
        parts in prop::collection::vec(0..5_usize, 200),
        shuffle in any::<prop::sample::Index>(),
        left_first in any::<bool>(),
    ) {
        let whole = common::measure(&events);
        let mut meters = vec![Meter::new(); 5];
        for (event, part) in events.iter().zip(&parts) {
            meters[*part].observe(event);
        }
        let from = shuffle.index(meters.len());
        meters.rotate_left(from);
        let merged = if left_first {
            meters.into_iter().fold(Meter::new(), Meter::merge)
        } else {
            meters.into_iter().rev().fold(Meter::new(), |right, left| left.merge(right))
        };
        prop_assert_eq!(merged.finish(), whole);
    }

    #[test]
    fn jain_is_between_one_nth_and_one(shares in prop::collection::vec(0.0..1e9_f64, 1..50)) {
        let n = shares.len() as f64;
        match jain(shares.iter().copied()) {
            Some(index) => prop_assert!((1.0 / n..=1.0).contains(&index)),
            None => prop_assert!(shares.iter().all(|share| *share == 0.0)),
        }
    }

    #[test]
    fn jain_does_not_depend_on_the_unit(
        shares in prop::collection::vec(0.001..1e6_f64, 1..50),
        scale in 1e-200..1e200_f64,
    ) {
        let one = jain(shares.iter().copied()).unwrap();
        let other = jain(shares.iter().map(|share| share * scale)).unwrap();
        prop_assert!((one - other).abs() < 1e-9, "{} and {}", one, other);
    }

    #[test]
    fn jain_of_k_equal_shares_among_n_is_k_nths(k in 1..20_usize, starved in 0..20_usize, share in 0.1..1e6_f64) {
        let shares = std::iter::repeat_n(share, k).chain(std::iter::repeat_n(0.0, starved));
        let index = jain(shares).unwrap();
        prop_assert!((index - k as f64 / (k + starved) as f64).abs() < 1e-9);
    }

    #[test]
    fn histograms_merge(values in prop::collection::vec((0..10_000_000_u64, any::<bool>()), 0..300)) {
        let (mut whole, mut left, mut right) = (Histogram::new(), Histogram::new(), Histogram::new());
        for (us, to_left) in values {
            whole.record(us);
            if to_left { left.record(us) } else { right.record(us) }
        }
        right.merge(&left);
        prop_assert_eq!(right.spread(), whole.spread());
        if let Some(spread) = whole.spread() {
            let rising = [spread.min, spread.median, spread.p90, spread.p95, spread.p99, spread.p999, spread.max];
            prop_assert!(rising.is_sorted());
        }
    }

    #[test]
    fn a_printed_gate_reads_as_itself(gate in gate()) {
        prop_assert_eq!(Gate::parse(&gate.to_string()).unwrap(), gate);
    }

    /// Nothing that is written makes the reader panic, and every error prints in three lines.
    #[test]
    fn any_text_is_a_gate_or_a_clear_error(text in "\\PC{0,40}|(latency_p99|throughput)[ <>=0-9a-zé%/.\\n]{0,20}") {
        if let Err(error) = Gate::parse(&text) {
            prop_assert_eq!(error.to_string().lines().count(), 3);
        }
    }

    #[test]
    fn starts_rise_and_stay_in_the_window(
        seed in any::<u64>(),
        from in 0..1_000_000_u64,
        length in 0..2_000_000_000_u64,
        rate_per_s in 0.1..2_000.0_f64,
        poisson in any::<bool>(),
    ) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Uniform };
        let schedule = Schedule::Open { rate_per_s, spacing };
        let window = At(from)..At(from + length);
        let starts = |seed| -> Vec<At> {
            schedule.starts(window.start, window.end, ChaCha8Rng::seed_from_u64(seed)).collect()
        };
        let first = starts(seed);
        prop_assert!(first.is_sorted());
        prop_assert!(first.iter().all(|start| window.contains(start)));
        prop_assert_eq!(first, starts(seed));
    }
}

/// Every gate that can be written, by writing it: names, signs, bounds in every unit that fits.
fn gate() -> impl Strategy<Value = Gate> {
    let names: Vec<&str> = Metric::all().map(Metric::name).collect();
    let sign = prop::sample::select(vec!["<", "<=", ">", ">=", "=="]);
    let unit = prop::sample::select(vec!["us", "ms", "s", "m", "%", "/s", ""]);
    let number = prop_oneof![(0..100_000_u32).prop_map(f64::from), 0.0..1e12_f64];
    (prop::sample::select(names), sign, number, unit)
        .prop_filter_map("the unit fits", |(name, sign, number, unit)| {
            Gate::parse(&format!("{name}{sign}{number}{unit}")).ok()
        })
}

#[test]
fn poisson_starts_have_the_rate_and_the_spread_of_poisson() {
    let schedule = Schedule::Open {
        rate_per_s: 1_000.0,
        spacing: Spacing::Poisson,
    };
    let starts: Vec<At> = schedule
        .starts(At(0), At(60_000_000_000), ChaCha8Rng::seed_from_u64(7))
        .collect();
    let gaps: Vec<f64> = starts
        .windows(2)
        .map(|pair| pair[1].since(pair[0]) as f64)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // 60,000 arrivals: six standard deviations of the mean are 2.4 %; an exponential's deviation equals its mean.
    assert!((mean / 1e6 - 1.0).abs() < 0.024, "mean gap is {mean} ns");
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.05);
}

#[test]
fn a_schedule_that_asks_for_nothing_yields_nothing() {
    let starts = |rate_per_s| {
        let schedule = Schedule::Open {
            rate_per_s,
            spacing: Spacing::Poisson,
        };
        schedule
            .starts(At(0), At(1_000_000_000), ChaCha8Rng::seed_from_u64(1))
            .count()
    };
    assert_eq!([starts(0.0), starts(-1.0), starts(f64::NAN)], [0, 0, 0]);
    assert!((990_000..1_010_000).contains(&starts(f64::INFINITY)));
    let closed: Vec<At> = Schedule::Closed
        .starts(At(5), At(9), ChaCha8Rng::seed_from_u64(1))
        .collect();
    assert_eq!(closed, [At(5)]);
}
