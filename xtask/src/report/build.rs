//! From a judged run to its report, and to what the process ends with.

use std::path::Path;

use history::{Check, Unseen};
use isolation::{
    CheckVerdict, Evidence, Judgement, LastStep, NON_INTERFERENCE_LETTER, NonInterference, State,
};
use perf::{GateOutcome, GateSet, Metric, Sheet};

use super::model::{
    CheckReport, Company, Difference, Files, Finding, Gate, GateState, Isolation, NOT_COVERED, Report, Run,
    SCHEMA_VERSION, Step,
};
use crate::cli::Plane;
use crate::exit::Exit;
use crate::judge::Judged;
use crate::workspace;

impl Report {
    /// The report of a judged run whose folder is `dir`.
    pub(crate) fn of(judged: &Judged, dir: &Path) -> anyhow::Result<Self> {
        let header = &judged.header;
        let selected = header.planes.iter().any(|plane| plane == Plane::Isolation.name());
        let isolation = isolation(&judged.judgement, &judged.evidence, selected);
        let overall = judged.judgement.overall();
        let verdict = (selected || overall == State::Violated).then_some(overall);
        let gates = gates(judged, verdict, isolation.violations)?;
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            crosstalk: env!("CARGO_PKG_VERSION"),
            exit: ending(verdict, &gates),
            verdict,
            gates,
            isolation,
            run: Run {
                number: header.run,
                seed: header.seed,
                started_unix_ms: header.started_unix_ms,
                interrupted: judged.interrupted,
                target: header.target.clone(),
                users: header.users,
                tenants: header.tenants,
                rounds: header.rounds,
                planes: header.planes.clone(),
                repeat: header.repeat.clone(),
            },
            performance: judged.performance.clone(),
            problems: judged.judgement.problems.clone(),
            notes: header.notes.clone(),
            drill: None,
            files: Files {
                dir: workspace::shown(dir),
                names: vec!["history/", "logs/"],
            },
        })
    }
}

fn isolation(judgement: &Judgement, evidence: &[Evidence], selected: bool) -> Isolation {
    let report = |verdict: &CheckVerdict| CheckReport {
        letter: verdict.check.letter(),
        text: in_words(verdict, &judgement.problems),
        verdict: verdict.clone(),
    };
    let of_checks: u64 = judgement.verdicts.iter().map(|verdict| verdict.violations).sum();
    let of_company = judgement
        .non_interference
        .as_ref()
        .map_or(0, |seventh| seventh.violations);
    let hygiene = &judgement.pool_hygiene;
    Isolation {
        checks: judgement
            .verdicts
            .iter()
            .filter(|_| selected)
            .map(report)
            .collect(),
        violations: of_checks + hygiene.findings.len() as u64 + of_company,
        non_interference: judgement
            .non_interference
            .as_ref()
            .map(|seventh| company(seventh, &judgement.problems)),
        findings: findings(judgement, evidence),
        lost_acks: judgement.lost_acks.clone(),
        residue: judgement.residue.clone(),
        opaque_bytes: judgement.opaque_bytes,
        undecodable: judgement.undecodable,
        situations: judgement.situations.clone(),
        probes: judgement.probes,
        hygiene_checked: hygiene.checked,
        hygiene_findings: hygiene.findings.clone(),
        not_covered: NOT_COVERED,
    }
}

fn company(seventh: &NonInterference, problems: &[String]) -> Company {
    let mut own = seventh.clone();
    without_problems(&mut own.reasons, problems);
    let text = own.to_string();
    Company {
        letter: NON_INTERFERENCE_LETTER,
        text,
        state: seventh.state,
        reasons: seventh.reasons.clone(),
        violations: seventh.violations,
        scripts: seventh.scripts,
        steps: seventh.steps,
        exposed: seventh.exposed,
        units: seventh.units,
        bound: seventh.bound,
        events: seventh.events,
        controls: seventh.controls,
        repeated: seventh.repeated,
        differences: seventh.differences.iter().map(difference).collect(),
        not_covered: seventh.not_covered.clone(),
    }
}

fn difference(found: &isolation::Difference) -> Difference {
    Difference {
        kind: found.kind.clone(),
        observer: found.observer,
        victim: found.victim,
        script: found.script,
        step: found.step.clone(),
        pointer: found.pointer.clone(),
        alone: found.alone.clone(),
        together: found.together.clone(),
        op: found.op.map(|op| op.0),
        connection: found.conn.map(|conn| conn.0),
        at_us: found.at.0 / 1_000,
        worker: found.place.worker,
        event: found.place.index,
        count: found.count,
    }
}

/// The verdict's own words, but for what is wrong with the whole run: that is said once, apart.
fn in_words(verdict: &CheckVerdict, problems: &[String]) -> String {
    let mut own = verdict.clone();
    without_problems(&mut own.reasons, problems);
    own.to_string()
}

fn without_problems(reasons: &mut Vec<String>, problems: &[String]) {
    let all = reasons.len();
    reasons.retain(|reason| !problems.contains(reason));
    if reasons.len() < all {
        reasons.push("the run as a whole has problems, see there".to_owned());
    }
}

/// In the order of the checks; within one, as they were found.
fn findings(judgement: &Judgement, evidence: &[Evidence]) -> Vec<Finding> {
    let with_evidence = |(index, found): (usize, &isolation::Finding)| {
        finding(found, evidence.iter().find(|evidence| evidence.finding == index))
    };
    let mut findings: Vec<Finding> = judgement.findings.iter().enumerate().map(with_evidence).collect();
    let order = |check: Check| Check::ALL.iter().position(|one| *one == check);
    findings.sort_by_key(|finding| (order(finding.check), finding.at_us));
    findings
}

fn finding(found: &isolation::Finding, evidence: Option<&Evidence>) -> Finding {
    Finding {
        check: found.check,
        kind: found.kind.clone(),
        detail: found.detail.clone(),
        observer: found.observer,
        victim: found.victim,
        op: found.op.map(|op| op.0),
        connection: found.conn.map(|conn| conn.0),
        at_us: found.at.0 / 1_000,
        worker: found.place.worker,
        event: found.place.index,
        encoding: found.encoding.clone(),
        count: found.count,
        pointer: evidence.and_then(|evidence| evidence.pointer.clone()),
        excerpt: evidence.and_then(|evidence| evidence.excerpt.clone()),
        observer_id: evidence.and_then(|evidence| evidence.observer_id.clone()),
        victim_id: evidence.and_then(|evidence| evidence.victim_id.clone()),
        observer_steps: evidence
            .map(|evidence| steps(&evidence.observer_steps))
            .unwrap_or_default(),
        victim_steps: evidence
            .map(|evidence| steps(&evidence.victim_steps))
            .unwrap_or_default(),
    }
}

fn steps(steps: &[LastStep]) -> Vec<Step> {
    steps
        .iter()
        .map(|step| Step {
            at_us: step.at.0 / 1_000,
            what: step.what.clone(),
        })
        .collect()
}

/// Every gate in force, held against what is known. Without evidence there is no count of violations.
fn gates(judged: &Judged, verdict: Option<State>, violations: u64) -> anyhow::Result<Vec<Gate>> {
    let asked: Vec<perf::Gate> = judged
        .header
        .gates
        .iter()
        .map(|gate| perf::Gate::parse(gate))
        .collect::<Result<_, _>>()?;
    let set = GateSet::with(&asked)?;
    let founded = matches!(verdict, Some(State::Valid | State::Violated));
    let sheet = Sheet {
        performance: &judged.performance,
        violations: founded.then_some(violations),
        lost_acks: judged.judgement.lost_acks.as_ref().map(|lost| lost.count),
    };
    let of_header = judged.header.unseen.iter();
    let unread = of_header
        .filter(|(what, _)| *what == Unseen::Database)
        .map(|(_, reason)| format!("no database is read: {reason}"))
        .next();
    let loosened = |gate: &perf::Gate| set.loosened().iter().find(|loosened| loosened.gate == *gate);
    let report = |judged: perf::Judged| {
        let mut gate = Gate {
            gate: judged.gate.to_string(),
            outcome: GateState::Met,
            figure: None,
            value: None,
            reason: None,
            loosened: loosened(&judged.gate).map(ToString::to_string),
        };
        match judged.outcome {
            GateOutcome::Met(quantity) => gate.measured(GateState::Met, quantity),
            GateOutcome::Missed(quantity) => gate.measured(GateState::Missed, quantity),
            GateOutcome::NotRun(reason) => gate.not_measured(GateState::NotRun, reason),
            GateOutcome::Unknown(_) if judged.gate.metric == Metric::LostAcks && unread.is_some() => {
                gate.not_measured(GateState::NotRun, unread.clone().unwrap_or_default());
            }
            GateOutcome::Unknown(_) if judged.gate.metric == Metric::Violations && verdict.is_some() => {
                gate.not_measured(GateState::Unknown, "the verdicts do not prove it".to_owned());
            }
            GateOutcome::Unknown(reason) => gate.not_measured(GateState::Unknown, reason),
        }
        gate
    };
    Ok(set.judge(&sheet).into_iter().map(report).collect())
}

impl Gate {
    fn measured(&mut self, outcome: GateState, quantity: perf::Quantity) {
        (self.outcome, self.figure, self.value) = (outcome, Some(quantity.to_string()), Some(quantity.value));
    }

    fn not_measured(&mut self, outcome: GateState, reason: String) {
        (self.outcome, self.reason) = (outcome, Some(reason));
    }
}

/// What verdicts and gates come to.
fn ending(verdict: Option<State>, gates: &[Gate]) -> Exit {
    let of_verdict = match verdict {
        Some(State::Violated) => Exit::Violated,
        Some(State::Unknown | State::NotApplicable) => Exit::Unknown,
        Some(State::Valid) | None => Exit::Done,
    };
    let of_gate = |gate: &Gate| match gate.outcome {
        GateState::Met | GateState::NotRun => Exit::Done,
        GateState::Missed => Exit::Breach,
        GateState::Unknown => Exit::Unknown,
    };
    gates.iter().map(of_gate).fold(of_verdict, Exit::and)
}
