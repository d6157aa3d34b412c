//! What the figures of small histories are, and that empty data stays empty.

mod common;

use common::{at, completed, header, invoked, measure, op, opened, phase, stage};
use history::{At, ChannelKind, CloseCause, Conn, Event, Fact, Outcome, PoolFigures, Replica, Round, User};
use perf::{ANSWER_TIMEOUT_US, Figure, Figures, Metric, Performance, Sheet};

fn fail() -> Outcome {
    Outcome::Fail("busy".into())
}

fn info() -> Outcome {
    Outcome::Info("connection lost".into())
}

/// Two rounds of a second: user 0 gets three posts done in each, user 1 one, user 2 none.
fn uneven() -> Vec<Event<'static>> {
    let mut events = vec![header(3, 2, &["performance"])];
    events.extend(phase(1, "steady", 1, 1_000..2_000));
    events.extend(phase(2, "steady", 2, 2_000..4_000));
    for round in [1_u64, 2] {
        let from = round * 1_000;
        for post in 0..3 {
            events.extend(op(
                round * 10 + post,
                0,
                round as u16,
                from..from + 10,
                Outcome::Ok,
            ));
        }
        events.extend(op(round * 10 + 3, 1, round as u16, from..from + 30, Outcome::Ok));
    }
    events.extend(op(90, 1, 1, 1_000..1_020, fail()));
    events.extend(op(91, 2, 2, 2_000..2_001, info()));
    events
}

#[test]
fn nothing_observed_is_none_everywhere() {
    let performance = measure([]);
    assert_eq!(performance, Performance::default());
    for metric in Metric::all() {
        assert!(
            matches!(performance.figure(metric), Figure::NoData(_)),
            "{}",
            metric.name()
        );
    }
}

#[test]
fn throughput_is_that_of_the_worst_round() {
    let performance = measure(&uneven());
    let rates: Vec<_> = performance
        .rounds
        .iter()
        .map(|round| (round.round, round.throughput_per_s))
        .collect();
    assert_eq!(rates, [(Round(1), Some(4.0)), (Round(2), Some(2.0))]);
    assert_eq!(performance.throughput_per_s, Some(2.0));
    assert_eq!(performance.round_spread, Some(2.0 / 3.0));
}

#[test]
fn a_round_that_did_not_take_place_leaves_no_throughput() {
    let mut events = uneven();
    events[0] = header(3, 3, &["performance"]);
    let figure = measure(&events).figure(Metric::Throughput);
    assert_eq!(figure, Figure::NoData("2 of 3 rounds took place".into()));
}

#[test]
fn a_late_acknowledgement_stretches_its_round() {
    let mut events = uneven();
    events.extend(op(80, 0, 2, 3_000..5_000, Outcome::Ok));
    assert_eq!(measure(&events).throughput_per_s, Some(5.0 / 3.0));
}

#[test]
fn a_user_without_success_is_named_even_if_it_never_came() {
    assert_eq!(measure(&uneven()).users_without_success, Some(vec![User(2)]));
    let mut events = uneven();
    events[0] = header(5, 2, &["performance"]);
    assert_eq!(
        measure(&events).users_without_success,
        Some(vec![User(2), User(3), User(4)])
    );
}

#[test]
fn fairness_is_the_lower_of_two_indices() {
    let fairness = measure(&uneven()).fairness.unwrap();
    // Acknowledged: 6, 2, 0. Mean latency in ms: 10, (30 + 30 + 20) / 3, 5,000.
    let jain = |x: [f64; 3]| x.iter().sum::<f64>().powi(2) / (3.0 * x.iter().map(|x| x * x).sum::<f64>());
    assert!((fairness.throughput - jain([6.0, 2.0, 0.0])).abs() < 1e-12);
    assert!((fairness.latency - jain([10.0, 80.0 / 3.0, 5_000.0])).abs() < 1e-12);
    assert_eq!(fairness.lower(), fairness.latency);
}

#[test]
fn failed_and_unanswered_ops_count_for_latency() {
    let performance = measure(&uneven());
    let latency = performance.latency_us.unwrap();
    assert_eq!(latency.count, 10);
    assert_eq!(
        latency.max, ANSWER_TIMEOUT_US,
        "lost after a millisecond is not fast"
    );
    assert_eq!(
        (performance.outcomes.failed, performance.outcomes.unanswered),
        (1, 1)
    );
    assert_eq!(
        performance.errors,
        [("busy".to_owned(), 1), ("connection lost".to_owned(), 1)]
    );
}

#[test]
fn an_attempt_without_an_end_counts_as_unanswered() {
    let mut events: Vec<_> = phase(1, "steady", 1, 0..9_000).into();
    events.push(invoked(1, 0, 1, 1_000));
    let performance = measure(&events);
    assert_eq!(performance.outcomes.unanswered, 1);
    assert_eq!(performance.latency_us.unwrap().max, 8_000_000);
    assert_eq!(
        performance.throughput_per_s,
        Some(0.0),
        "measured, and nothing was acknowledged"
    );
    assert_eq!(performance.fairness, None);
}

#[test]
fn probes_and_unmeasured_phases_do_not_count() {
    let mut events = uneven();
    let before = measure(&events);
    events.extend(phase(7, "warm-up", 0, 0..500));
    events.extend(op(70, 0, 7, 0..400, fail()));
    let mut probe = common::post(71, 0, 1, 1_500);
    probe.probe = true;
    events.push(at(1_500, Fact::Invoked(probe)));
    events.push(completed(71, 1_900, fail()));
    assert_eq!(measure(&events), before);
}

#[test]
fn connecting_counts_web_sockets_with_a_session() {
    let ready = |conn, ms: u64| {
        at(
            0,
            Fact::Ready {
                conn: Conn(conn),
                total_ns: ms * 1_000_000,
            },
        )
    };
    let refused = |expected| {
        let (conn, user, replica) = (Conn(9), User(1), Replica(0));
        at(
            0,
            Fact::Refused {
                conn,
                user,
                replica,
                expected,
                reason: "503".into(),
            },
        )
    };
    let events = [
        opened(1, 0, ChannelKind::WebSocket),
        opened(2, 1, ChannelKind::WebSocket),
        opened(3, 1, ChannelKind::Http),
        ready(1, 4),
        ready(3, 900),
        refused(false),
        refused(true),
        at(
            5,
            Fact::Closed {
                conn: Conn(2),
                cause: CloseCause::Lost,
                code: None,
            },
        ),
    ];
    let performance = measure(&events);
    let connect = performance.connect_us.unwrap();
    assert_eq!((connect.count, connect.max), (1, 4_000));
    let counts = performance.connections;
    assert_eq!(
        (counts.opened, counts.ready, counts.refused, counts.lost),
        (2, 1, 1, 1)
    );
    assert_eq!(counts.refusals, [("503".to_owned(), 1)]);
}

/// Four users; alone, a post takes 10 ms; the burst's last answer comes after `last_ms`.
#[track_caller]
fn check_ratio(last_ms: u64, ratio: f64) {
    let mut events: Vec<_> = phase(1, "solo", 0, 0..50).into();
    events.extend(phase(2, "burst", 0, 100..200));
    for user in 0..4_u32 {
        let from = u64::from(user) * 10;
        events.extend(op(user.into(), user, 1, from..from + 10, Outcome::Ok));
        let end = 100 + last_ms * (u64::from(user) + 1) / 4;
        events.extend(op(u64::from(user) + 10, user, 2, 100..end, Outcome::Ok));
    }
    let serialisation = measure(&events).serialisation.expect("both phases took place");
    assert_eq!(
        (serialisation.solo_us_mean, serialisation.burst_posts),
        (10_000.0, 4)
    );
    assert!((serialisation.ratio - ratio).abs() < 1e-12, "{serialisation:?}");
}

#[test]
fn serving_one_after_the_other_shows_in_the_burst() {
    check_ratio(40, 1.0);
    check_ratio(12, 0.3);
}

#[test]
fn total_runs_from_the_first_begin_to_the_last_end() {
    let performance = measure(&[
        stage("stop", 900..1_000),
        stage("start", 0..300),
        stage("drive", 300..900),
    ]);
    let names: Vec<_> = performance
        .stages
        .iter()
        .map(|stage| (stage.name.as_str(), stage.us))
        .collect();
    assert_eq!(names, [("start", 300_000), ("drive", 600_000), ("stop", 100_000)]);
    assert_eq!(performance.total_us, Some(1_000_000));
}

fn pool(label: &str, stress: bool, ok: u64, in_flight_max: u32) -> Event<'static> {
    let figures = PoolFigures {
        label: label.into(),
        stress,
        size: 4,
        in_flight_max,
        ok,
        failed: 100 - ok,
        wait_us: Some([1, 2, ok]),
        used_us: 30,
        available_us: 40,
        ..PoolFigures::default()
    };
    at(0, Fact::Pool(Box::new(figures)))
}

#[test]
fn the_worst_stressed_pool_counts() {
    let events = [
        pool("sqlx", true, 70, 24),
        pool("gateway-0", false, 1, 1),
        pool("deadpool", true, 95, 20),
    ];
    let performance = measure(&events);
    let labels: Vec<_> = performance.pools.iter().map(|pool| pool.label.as_str()).collect();
    assert_eq!(labels, ["deadpool", "sqlx", "gateway-0"]);
    let database = performance.database.unwrap();
    assert_eq!((database.success, database.efficiency), (Some(0.7), Some(0.75)));
    assert_eq!((database.in_flight_max, database.wait_us), (20, Some([1, 2, 95])));
}

#[test]
fn a_success_rate_takes_fifteen_operations_at_once() {
    let figure = |at_once| measure(&[pool("sqlx", true, 99, at_once)]).figure(Metric::DbSuccess);
    assert!(matches!(figure(15), Figure::Value(_)));
    let Figure::NoData(reason) = figure(14) else {
        panic!("14 is too few")
    };
    assert_eq!(reason, "14 operations at once, it takes 15 to mean anything");
    assert!(matches!(
        measure(&[pool("g", false, 1, 99)]).figure(Metric::DbSuccess),
        Figure::NoData(_)
    ));
}

#[test]
fn the_judge_supplies_two_figures() {
    let performance = measure(&[header(1, 1, &["isolation"])]);
    let sheet = Sheet {
        performance: &performance,
        violations: Some(3),
        lost_acks: None,
    };
    assert_eq!(sheet.figure(Metric::Violations).to_string(), "3");
    assert_eq!(
        sheet.figure(Metric::LostAcks).to_string(),
        "no data: there was no complete audit"
    );
    assert_eq!(
        sheet.figure(Metric::DbSuccess).to_string(),
        "not run: the plane dbpool was not selected"
    );
}

#[test]
fn error_names_stay_bounded() {
    let mut events: Vec<_> = phase(1, "steady", 1, 0..9_000).into();
    for code in 0..500 {
        events.extend(op(
            code,
            0,
            1,
            0..1,
            Outcome::Fail(format!("{code:03}{}", "x".repeat(1_000))),
        ));
    }
    let errors = measure(&events).errors;
    assert_eq!(errors.len(), perf::NAMES_MAX + 1);
    assert_eq!(
        errors.last().unwrap(),
        &("(others)".to_owned(), 500 - perf::NAMES_MAX as u64)
    );
    assert!(
        errors
            .iter()
            .all(|(name, _)| name.chars().count() <= perf::NAME_CHARS_MAX)
    );
}

#[test]
fn figures_survive_json() {
    let performance = measure(&uneven());
    let json = serde_json::to_string(&performance).unwrap();
    assert_eq!(serde_json::from_str::<Performance>(&json).unwrap(), performance);
}

#[test]
fn an_op_meant_for_later_than_it_began_counts_from_its_begin() {
    let mut early = common::post(1, 0, 1, 700);
    early.intended = At(700 * common::MS);
    let mut events: Vec<_> = phase(1, "steady", 1, 0..1_000).into();
    events.push(at(500, Fact::Invoked(early)));
    events.push(completed(1, 600, Outcome::Ok));
    assert_eq!(measure(&events).latency_us.unwrap().max, 100_000);
}

#[test]
fn more_users_than_there_can_be_are_not_listed() {
    let performance = measure(&[header(u32::MAX, 1, &["performance"])]);
    assert_eq!(performance.users_planned, Some(history::USERS_MAX));
}
