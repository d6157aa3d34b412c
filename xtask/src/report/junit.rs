//! The report as JUnit XML: one suite for the checks, one for the gates.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::model::{Check, Finding, Gate, GateState, Report, State};
use super::terminal::remark;

/// The whole file.
pub(crate) fn render(report: &Report) -> Result<String> {
    let mut junit = quick_junit::Report::new("crosstalk");
    let total = report.run.total_ms.map(Duration::from_millis);
    if let Some(total) = total {
        junit.set_time(total);
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
    let findings = &report.findings.shown;
    checks.add_test_cases(report.checks.iter().map(|one| check(one, findings)));
    let mut gates = TestSuite::new("gates");
    gates.add_test_cases(report.gates.iter().map(gate));
    junit.add_test_suites([checks, gates]);
    junit.to_string().context("cannot write JUnit XML")
}

/// Violated is a failure; unknown is an error, since nothing was shown.
fn check(check: &Check, findings: &[Finding]) -> TestCase {
    let status = match check.state {
        State::Valid => TestCaseStatus::success(),
        State::NotApplicable => skipped(&check.verdict),
        State::Violated => failed(NonSuccessKind::Failure, "violated", &check.verdict),
        State::Unknown => failed(NonSuccessKind::Error, "unknown", &check.verdict),
    };
    let mut case = TestCase::new(format!("{} {}", check.letter, check.name), status);
    case.set_classname("isolation");
    let mut lines = vec![check.verdict.clone()];
    lines.extend(check.reasons.iter().cloned());
    lines.extend(
        findings
            .iter()
            .filter(|finding| finding.check == check.letter)
            .map(|finding| finding.what.clone()),
    );
    case.set_system_out(lines.join("\n"));
    case
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
