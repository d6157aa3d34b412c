//! The report as JUnit XML: one suite for the checks, one for the gates.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use isolation::{NON_INTERFERENCE, State};

use super::model::{CheckReport, Company, Finding, Gate, GateState, Report};
use super::terminal::{remark, user};

/// The whole file.
pub(crate) fn render(report: &Report) -> Result<String> {
    let mut junit = quick_junit::Report::new("crosstalk");
    if let Some(us) = report.performance.total_us {
        junit.set_time(Duration::from_micros(us));
    }
    let started = i64::try_from(report.run.started_unix_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    if let Some(started) = started {
        junit.set_timestamp(started);
    }
    let mut checks = TestSuite::new("isolation");
    for (name, value) in [
        ("seed", report.run.seed.to_string()),
        ("repeat", report.run.repeat.clone()),
    ] {
        checks.add_property(Property::new(name, value));
    }
    let findings = &report.isolation.findings;
    checks.add_test_cases(report.isolation.checks.iter().map(|one| check(one, findings)));
    checks.add_test_cases(report.isolation.non_interference.iter().map(company));
    let mut gates = TestSuite::new("gates");
    gates.add_test_cases(report.gates.iter().map(gate));
    junit.add_test_suites([checks, gates]);
    junit.to_string().context("cannot write JUnit XML")
}

/// Violated is a failure; unknown is an error, since nothing was shown.
fn check(check: &CheckReport, findings: &[Finding]) -> TestCase {
    let status = status(check.verdict.state, &check.text);
    let mut case = TestCase::new(format!("{} {}", check.letter, check.verdict.check.name()), status);
    case.set_classname("isolation");
    let mut lines = vec![check.text.clone()];
    let found = findings
        .iter()
        .filter(|finding| finding.check == check.verdict.check);
    lines.extend(found.map(|finding| {
        let (observer, victim) = (user(Some(finding.observer)), user(finding.victim));
        format!(
            "{}: {}; observer {observer}, victim {victim}",
            finding.kind, finding.detail
        )
    }));
    case.set_system_out(lines.join("\n"));
    case
}

fn company(company: &Company) -> TestCase {
    let name = format!("{} {NON_INTERFERENCE}", company.letter);
    let mut case = TestCase::new(name, status(company.state, &company.text));
    case.set_classname("isolation");
    let mut lines = vec![company.text.clone()];
    lines.extend(company.differences.iter().map(|found| {
        let (observer, victim) = (user(Some(found.observer)), user(found.victim));
        format!(
            "{}: {} at \"{}\": alone {}, in company {}; observer {observer}, victim {victim}",
            found.kind, found.step, found.pointer, found.alone, found.together
        )
    }));
    case.set_system_out(lines.join("\n"));
    case
}

fn status(state: State, text: &str) -> TestCaseStatus {
    match state {
        State::Valid => TestCaseStatus::success(),
        State::NotApplicable => skipped(text),
        State::Violated => failed(NonSuccessKind::Failure, "violated", text),
        State::Unknown => failed(NonSuccessKind::Error, "unknown", text),
    }
}

fn gate(gate: &Gate) -> TestCase {
    let remark = remark(gate);
    let status = match gate.outcome {
        GateState::Met => TestCaseStatus::success(),
        GateState::NotRun => skipped(&remark),
        GateState::Missed => failed(NonSuccessKind::Failure, "breach", &remark),
        GateState::Unknown => failed(NonSuccessKind::Error, "unknown", &remark),
    };
    let mut case = TestCase::new(&gate.gate, status);
    case.set_classname("gates").set_system_out(remark);
    case
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

fn failed(kind: NonSuccessKind, class: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(class).set_message(message);
    status
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn suites_and_cases() {
        let xml = render(&sample::report(&sample::violated())).unwrap();
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="crosstalk" tests="16" skipped="0" failures="5" errors="1" timestamp="2026-01-02T03:04:05.000+00:00" time="4.310">
            <testsuite name="isolation" tests="6" skipped="0" errors="1" failures="1">
                <properties>
                    <property name="seed" value="42"/>
                    <property name="repeat" value="cargo xtask e2e --seed 42"/>
                </properties>
                <testcase name="T thread conflict" classname="isolation">
                    <system-out>T valid: 0 violations in 48,210 overlapping creates and foreign-thread probes, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing.</system-out>
                </testcase>
                <testcase name="K token isolation" classname="isolation">
                    <system-out>K valid: 0 violations in 48,210 identities read back, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing.</system-out>
                </testcase>
                <testcase name="S secret contamination" classname="isolation">
                    <failure message="S violated: 1 violation in 48,210 frames, 612 units (connection x phase x round). 26 of 26 denied paths refused. Not covered: timing." type="violated"/>
                    <system-out>S violated: 1 violation in 48,210 frames, 612 units (connection x phase x round). 26 of 26 denied paths refused. Not covered: timing.
        foreign secret: a message&apos;s body, told to nobody but its owner; observer user 3, victim user 7</system-out>
                </testcase>
                <testcase name="R response crossing" classname="isolation">
                    <error message="R unknown: the required situation cancelled_reply never occurred. 0 violations in 0 nonce-checked replies, 0 units (connection x phase x round). 26 of 26 denied paths refused. Weakest required situation: cancelled_reply, 118 times, below 2.5 %. Not covered: timing." type="unknown"/>
                    <system-out>R unknown: the required situation cancelled_reply never occurred. 0 violations in 0 nonce-checked replies, 0 units (connection x phase x round). 26 of 26 denied paths refused. Weakest required situation: cancelled_reply, 118 times, below 2.5 %. Not covered: timing.</system-out>
                </testcase>
                <testcase name="U user-id leakage" classname="isolation">
                    <system-out>U valid: 0 violations in 48,210 frames, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing.</system-out>
                </testcase>
                <testcase name="B session boundary" classname="isolation">
                    <system-out>B valid: 0 violations in 48,210 opportunities after the end, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Not covered: timing.</system-out>
                </testcase>
            </testsuite>
            <testsuite name="gates" tests="10" skipped="0" errors="0" failures="4">
                <testcase name="violations == 0" classname="gates">
                    <failure message="2" type="breach"/>
                    <system-out>2</system-out>
                </testcase>
                <testcase name="lost_acks == 0" classname="gates">
                    <failure message="1" type="breach"/>
                    <system-out>1</system-out>
                </testcase>
                <testcase name="latency_mean &lt; 5s" classname="gates">
                    <system-out>4.12ms</system-out>
                </testcase>
                <testcase name="throughput &gt; 2/s" classname="gates">
                    <system-out>402/s</system-out>
                </testcase>
                <testcase name="fairness &gt; 0.7" classname="gates">
                    <system-out>0.984</system-out>
                </testcase>
                <testcase name="round_spread &lt; 75%" classname="gates">
                    <system-out>1.90%</system-out>
                </testcase>
                <testcase name="users_without_success == 0" classname="gates">
                    <failure message="1" type="breach"/>
                    <system-out>1</system-out>
                </testcase>
                <testcase name="db_success &gt;= 80%" classname="gates">
                    <system-out>100%</system-out>
                </testcase>
                <testcase name="total &lt; 30s" classname="gates">
                    <system-out>4.31s</system-out>
                </testcase>
                <testcase name="latency_p99 &lt; 5ms" classname="gates">
                    <failure message="22.0ms" type="breach"/>
                    <system-out>22.0ms</system-out>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn it_is_read_back_as_written() {
        for judged in [
            sample::valid(),
            sample::violated(),
            sample::interfered(),
            sample::empty(),
        ] {
            let report = sample::report(&judged);
            let read = quick_junit::Report::deserialize_from_str(&render(&report).unwrap()).unwrap();
            assert_eq!(read.test_suites.len(), 2);
            let seventh = usize::from(report.isolation.non_interference.is_some());
            let checks = report.isolation.checks.len() + seventh;
            assert_eq!(read.tests, checks + report.gates.len());
        }
    }
}
