//! What people read of gates: errors with their place, outcomes, loosened floors.

mod common;

use common::{header, measure, op, phase};
use history::Outcome;
use insta::assert_snapshot;
use perf::{Gate, GateSet, Performance, Sheet};

fn error(expression: &str) -> String {
    Gate::parse(expression).expect_err("it is wrong").to_string()
}

#[test]
fn errors_point_at_the_place() {
    let wrong = [
        "latncy_p99 < 250ms",
        "speed > 3",
        "latency_p99 250ms",
        "latency_p99 =< 250ms",
        "latency_p99 < fast",
        "latency_p99 < 250",
        "latency_p99 < 1.2.3ms",
        "latency_p99 < 250 parsecs",
        "throughput > 2ms",
        "fairness > -0.7",
        "lost_acks == 0.5",
        "db_success >= 80%%",
        "latenz\u{e4}\n < 3ms",
        "total < 3\n\u{7}",
    ];
    assert_snapshot!(wrong.map(error).join("\n"), @"
    unknown figure `latncy_p99`, did you mean `latency_p99`?
      latncy_p99 < 250ms
      ^^^^^^^^^^
    unknown figure `speed`
      speed > 3
      ^^^^^
    expected one of < <= > >= == after the name
      latency_p99 250ms
                  ^
    expected one of < <= > >= == after the name
      latency_p99 =< 250ms
                  ^
    expected a number from 0, such as 250 or 0.7
      latency_p99 < fast
                    ^
    `latency_p99` needs a unit: us, ms, s or m
      latency_p99 < 250
                       ^
    expected a number from 0, such as 250 or 0.7
      latency_p99 < 1.2.3ms
                    ^^^^^
    `parsecs` is no unit of `latency_p99`: use us, ms, s or m
      latency_p99 < 250 parsecs
                        ^^^^^^^
    `ms` is no unit of `throughput`: use /s or none
      throughput > 2ms
                    ^^
    expected a number from 0, such as 250 or 0.7
      fairness > -0.7
                 ^
    `lost_acks` counts whole things
      lost_acks == 0.5
                   ^^^
    `%%` is no unit of `db_success`: use % or none
      db_success >= 80%%
                      ^^
    unknown figure `latenzä`, did you mean `latency_p50`?
      latenzä� < 3ms
      ^^^^^^^
    `�` is no unit of `total`: use us, ms, s or m
      total < 3��
                ^
    ");
}

#[test]
fn an_empty_gate_says_how_to_write_one() {
    let message = error("  ");
    assert!(
        message.starts_with("the gate is empty: write NAME OP NUMBER[UNIT], as in `latency_p99 < 250ms`\n")
    );
}

#[test]
fn a_long_expression_is_not_repeated_whole() {
    let message = error(&format!("latency_p99 < {}ms", "9".repeat(100_000)));
    assert!(message.starts_with("the gate has 100016 bytes, the limit is 200\n  latency_p99 < 999"));
    assert!(message.len() < 300);
}

fn set(user: &[&str]) -> Result<String, String> {
    let gates: Vec<Gate> = user
        .iter()
        .map(|gate| gate.parse().expect("it is right"))
        .collect();
    let set = GateSet::with(&gates).map_err(|error| error.to_string())?;
    let lines = set.gates().iter().map(ToString::to_string);
    Ok(lines
        .chain(set.loosened().iter().map(ToString::to_string))
        .collect::<Vec<_>>()
        .join("\n"))
}

#[test]
fn the_floors() {
    assert_snapshot!(set(&[]).unwrap(), @"
    violations == 0
    lost_acks == 0
    latency_mean < 5s
    throughput > 2/s
    fairness > 0.7
    round_spread < 75%
    users_without_success == 0
    db_success >= 80%
    total < 30s
    ");
    assert_eq!(GateSet::with(&[]).unwrap(), GateSet::floors());
}

#[test]
fn tightening_replaces_silently_and_others_are_added() {
    let user = [
        "total < 8s",
        "fairness >= 95%",
        "latency_p99 < 250ms",
        "throughput < 900/s",
        "lost_acks < 1",
    ];
    assert_snapshot!(set(&user).unwrap(), @"
    violations == 0
    lost_acks < 1
    latency_mean < 5s
    throughput > 2/s
    fairness >= 95%
    round_spread < 75%
    users_without_success == 0
    db_success >= 80%
    total < 8s
    latency_p99 < 250ms
    throughput < 900/s
    ");
}

#[test]
fn loosening_is_named() {
    assert_snapshot!(set(&["total < 120s", "lost_acks <= 5", "total < 2m", "db_success >= 0.5"]).unwrap(), @"
    violations == 0
    lost_acks <= 5
    latency_mean < 5s
    throughput > 2/s
    fairness > 0.7
    round_spread < 75%
    users_without_success == 0
    db_success >= 0.5
    total < 120s
    total < 2m
    loosened: lost_acks <= 5 (floor == 0)
    loosened: db_success >= 0.5 (floor 80%)
    loosened: total < 120s (floor 30s)
    ");
}

#[test]
fn a_floor_that_another_gate_still_implies_is_not_loosened() {
    let lines = set(&["total < 120s", "total < 10s"]).unwrap();
    assert!(!lines.contains("loosened"), "{lines}");
}

#[test]
fn violations_are_never_loosened() {
    assert_snapshot!(set(&["violations <= 3"]).unwrap_err(), @"`violations <= 3` would loosen `violations == 0`, which is never loosened");
    assert!(set(&["violations == 1"]).is_err());
    assert!(set(&["violations == 0", "violations < 9"]).is_err());
    assert!(set(&["violations < 1"]).is_ok(), "the same in other words");
    let contradiction = set(&["violations > 0"]).unwrap();
    assert!(
        contradiction.contains("violations == 0"),
        "the floor stays: {contradiction}"
    );
}

fn judged(performance: &Performance, violations: Option<u64>, lost_acks: Option<u64>) -> String {
    let sheet = Sheet {
        performance,
        violations,
        lost_acks,
    };
    GateSet::floors()
        .judge(&sheet)
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_data_is_never_met() {
    assert_snapshot!(judged(&Performance::default(), None, None), @"
    violations == 0: unknown: there was no judgement
    lost_acks == 0: unknown: there was no complete audit
    latency_mean < 5s: unknown: no op of a measured phase was attempted
    throughput > 2/s: unknown: there was no measured phase
    fairness > 0.7: unknown: no op of a measured phase was acknowledged
    round_spread < 75%: unknown: there was no measured phase
    users_without_success == 0: unknown: there was no measured phase
    db_success >= 80%: unknown: no pool was put under stress
    total < 30s: unknown: the run's stages were not all recorded
    ");
}

#[test]
fn planes_decide_which_gates_apply() {
    let performance = measure(&[header(1, 1, &["isolation"])]);
    assert_snapshot!(judged(&performance, Some(0), Some(0)), @"
    violations == 0: met: 0
    lost_acks == 0: met: 0
    latency_mean < 5s: not run: the plane performance was not selected
    throughput > 2/s: not run: the plane performance was not selected
    fairness > 0.7: not run: the plane performance was not selected
    round_spread < 75%: not run: the plane performance was not selected
    users_without_success == 0: not run: the plane performance was not selected
    db_success >= 80%: not run: the plane dbpool was not selected
    total < 30s: unknown: the run's stages were not all recorded
    ");
}

#[test]
fn met_and_missed() {
    let mut events = vec![header(2, 2, &["performance"])];
    events.extend(phase(1, "steady", 1, 0..1_000));
    events.extend(phase(2, "steady", 2, 1_000..2_000));
    for post in 0..5 {
        events.extend(op(post, 0, 1, 0..7, Outcome::Ok));
        events.extend(op(post + 5, 0, 2, 1_000..1_007, Outcome::Ok));
    }
    events.extend(op(20, 1, 1, 0..7, Outcome::Fail("busy".into())));
    events.push(common::stage("drive", 0..31_000));
    assert_snapshot!(judged(&measure(&events), Some(2), Some(0)), @"
    violations == 0: missed: 2
    lost_acks == 0: met: 0
    latency_mean < 5s: met: 7.00ms
    throughput > 2/s: met: 5.00/s
    fairness > 0.7: missed: 0.500
    round_spread < 75%: met: 0%
    users_without_success == 0: missed: 1
    db_success >= 80%: not run: the plane dbpool was not selected
    total < 30s: missed: 31.0s
    ");
}
