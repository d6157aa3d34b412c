//! The one screen at the end of a run.

mod company;
mod pool;

use std::fmt::Write as _;

use history::{PoolFigures, User};
use isolation::{LostAcks, State};
use perf::{Performance, Spread};

use super::model::{Finding, Gate, GateState, Report};
use super::units::{count, counted, rate, share, time_us, wrap};
use crate::exit::Exit;
use crate::screen::Paint;
use pool::pool;

/// Characters a line has at most, where words allow it.
const WIDTH: usize = 100;
/// Findings that the screen shows; report.json has more of them.
const FINDINGS_SHOWN: usize = 5;

/// The whole screen.
pub(crate) fn render(report: &Report, paint: Paint) -> String {
    let mut screen = Screen {
        text: String::new(),
        paint,
    };
    screen.headline(report);
    screen.checks(report);
    screen.findings(report);
    screen.performance(&report.performance);
    screen.pools(&report.performance.pools);
    screen.gates(&report.gates);
    screen.remarks(report);
    screen.end(report);
    screen.text
}

/// The first line: what came of it, in a few words.
pub(crate) fn headline(report: &Report) -> String {
    let mut parts = Vec::new();
    let checks = &report.isolation.checks;
    if !checks.is_empty() {
        let valid = checks
            .iter()
            .filter(|check| check.verdict.state == State::Valid)
            .count();
        let applicable = checks
            .iter()
            .filter(|check| check.verdict.state != State::NotApplicable)
            .count();
        parts.push(format!("{valid} of {applicable} checks valid"));
    }
    if let Some(company) = &report.isolation.non_interference {
        parts.push(format!("non-interference {}", company.state));
    }
    if report.isolation.violations > 0 {
        parts.push(counted(report.isolation.violations, "violation"));
    }
    let met = report
        .gates
        .iter()
        .filter(|gate| gate.outcome == GateState::Met)
        .count();
    let run = report
        .gates
        .iter()
        .filter(|gate| gate.outcome != GateState::NotRun)
        .count();
    parts.push(format!("{met} of {run} gates met"));
    parts.extend(report.performance.total_us.map(|us| time_us(us as f64)));
    if report.run.interrupted {
        parts.push("interrupted".to_owned());
    }
    parts.extend(report.gates.iter().filter_map(|gate| gate.loosened.clone()));
    format!("{}: {}", report.exit.word(), parts.join(", "))
}

struct Screen {
    text: String,
    paint: Paint,
}

impl Screen {
    fn headline(&mut self, report: &Report) {
        let headline = headline(report);
        let (word, rest) = headline.split_once(':').unwrap_or((&headline, ""));
        let painted = match report.exit {
            Exit::Done => self.paint.good(word),
            Exit::Unknown | Exit::Interrupted(_) => self.paint.doubt(word),
            _ => self.paint.bad(word),
        };
        self.line(&wrap(&format!("{word}:{rest}"), 2, WIDTH).replacen(word, &painted, 1));
        let run = &report.run;
        let asked = format!(
            "{} in {} on {}, {}, seed {}, run {:07x}",
            counted(run.users.into(), "user"),
            counted(run.tenants.into(), "tenant"),
            run.target,
            counted(run.rounds.into(), "round"),
            run.seed,
            run.number,
        );
        self.line(&wrap(&asked, 0, WIDTH));
    }

    fn checks(&mut self, report: &Report) {
        if report.isolation.checks.is_empty() {
            return;
        }
        self.heading("Isolation");
        for check in &report.isolation.checks {
            let state = check.verdict.state.to_string();
            let painted = match check.verdict.state {
                State::Valid => self.paint.good(&state),
                State::Violated => self.paint.bad(&state),
                State::Unknown | State::NotApplicable => self.paint.doubt(&state),
            };
            let text = wrap(&check.text, 4, WIDTH).replacen(&state, &painted, 1);
            self.line(&format!("  {text}"));
        }
        if let Some(company) = &report.isolation.non_interference {
            self.company(company);
        }
    }

    fn findings(&mut self, report: &Report) {
        let isolation = &report.isolation;
        if isolation.violations == 0 {
            return;
        }
        self.heading("Findings");
        for finding in &isolation.hygiene_findings {
            let finding = format!("- left on a pooled connection by its last borrower: {finding}");
            self.line(&format!("  {}", self.paint.bad(&wrap(&finding, 4, WIDTH))));
        }
        if let Some(company) = &isolation.non_interference {
            for found in company.differences.iter().take(FINDINGS_SHOWN) {
                self.difference(company.letter, found);
            }
        }
        for (index, finding) in isolation.findings.iter().take(FINDINGS_SHOWN).enumerate() {
            self.finding(index + 1, finding);
        }
        let kept = isolation.findings.len();
        if kept > FINDINGS_SHOWN {
            self.line(&format!(
                "  and {} more in report.json",
                count((kept - FINDINGS_SHOWN) as u64)
            ));
        }
    }

    /// Between whom it was, and what is known of it besides.
    fn seen<const N: usize>(
        &mut self,
        observer: User,
        victim: Option<User>,
        facts: [(&str, Option<String>); N],
    ) {
        let mut seen = format!("observer {}, victim {}", user(Some(observer)), user(victim));
        for (name, value) in facts {
            if let Some(value) = value {
                let _ = write!(seen, ", {name} {value}");
            }
        }
        self.line(&format!("     {}", wrap(&seen, 5, WIDTH)));
    }

    fn finding(&mut self, number: usize, finding: &Finding) {
        let what = format!(
            "{number}. {} {}: {}",
            finding.check.letter(),
            finding.kind,
            finding.detail
        );
        self.line(&format!("  {}", self.paint.bad(&wrap(&what, 5, WIDTH))));
        let facts = [
            ("op", finding.op.map(op)),
            (
                "connection",
                finding.connection.map(|connection| connection.to_string()),
            ),
            ("at", Some(time_us(finding.at_us as f64))),
            ("pointer", finding.pointer.clone()),
            ("encoding", Some(finding.encoding.clone())),
            ("seen", Some(counted(finding.count, "time"))),
            (
                "history",
                Some(format!("worker {} event {}", finding.worker, finding.event)),
            ),
        ];
        self.seen(finding.observer, finding.victim, facts);
        if let Some(excerpt) = &finding.excerpt {
            let mut text = excerpt.text.clone();
            if let Some(leak) = excerpt.highlight.clone() {
                let painted = self.paint.bad(&text[leak.clone()]);
                text.replace_range(leak, &painted);
            }
            self.line(&format!("     | {}", wrap(&text, 7, WIDTH)));
        }
        for (who, steps) in [
            ("observer", &finding.observer_steps),
            ("victim", &finding.victim_steps),
        ] {
            if !steps.is_empty() {
                self.line(&format!("     last steps of the {who}:"));
            }
            for step in steps {
                let step = format!("{:>8}  {}", time_us(step.at_us as f64), step.what);
                self.line(&format!("     {}", wrap(&step, 15, WIDTH)));
            }
        }
    }

    fn performance(&mut self, performance: &Performance) {
        if performance.users_without_success.is_none() && performance.connect_us.is_none() {
            return;
        }
        self.heading("Performance");
        let none = || "no sample".to_owned();
        let outcomes = &performance.outcomes;
        let ops = format!(
            "{} ok, {} failed, {} unanswered",
            count(outcomes.ok),
            count(outcomes.failed),
            count(outcomes.unanswered)
        );
        self.field("ops", &ops);
        self.field(
            "latency",
            &performance.latency_us.as_ref().map_or_else(none, spread),
        );
        self.field("throughput", &throughput(performance));
        self.field("fairness", &fairness(performance));
        self.field(
            "connect",
            &performance.connect_us.as_ref().map_or_else(none, spread),
        );
        if let Some(serialisation) = &performance.serialisation {
            let (ratio, posts) = (serialisation.ratio, serialisation.burst_posts);
            let makespan = time_us(serialisation.burst_makespan_us as f64);
            let text = format!(
                "{posts} posts at once took {makespan}, {ratio:.2} of one after the other (as seen from the client)"
            );
            self.field("burst", &text);
        }
    }

    fn pools(&mut self, pools: &[PoolFigures]) {
        if pools.is_empty() {
            return;
        }
        self.heading("Pools");
        let width = pools
            .iter()
            .map(|pool| pool.label.chars().count())
            .max()
            .unwrap_or(0);
        for one in pools {
            self.field(&format!("{:width$}", one.label), &pool(one));
        }
    }

    fn gates(&mut self, gates: &[Gate]) {
        self.heading("Gates");
        let width = gates
            .iter()
            .map(|gate| gate.gate.chars().count())
            .max()
            .unwrap_or(0);
        for gate in gates {
            let state = format!("{:7}", gate.outcome.name());
            let state = match gate.outcome {
                GateState::Met => self.paint.good(&state),
                GateState::Missed => self.paint.bad(&state),
                GateState::Unknown => self.paint.doubt(&state),
                GateState::NotRun => self.paint.faint(&state),
            };
            let remark = wrap(&remark(gate), 13 + width, WIDTH);
            self.line(format!("  {state}  {:width$}  {remark}", gate.gate).trim_end());
        }
    }

    fn remarks(&mut self, report: &Report) {
        if !report.problems.is_empty() {
            self.heading("Problems");
            for problem in &report.problems {
                self.line(&format!("  - {}", self.paint.doubt(&wrap(problem, 4, WIDTH))));
            }
        }
        self.heading("Besides");
        let stage = |stage: &perf::StageTime| format!("{} {}", stage.name, time_us(stage.us as f64));
        self.field(
            "time",
            &report
                .performance
                .stages
                .iter()
                .map(stage)
                .collect::<Vec<_>>()
                .join(", "),
        );
        if !report.isolation.checks.is_empty() {
            self.beside(report);
        }
        self.field("set-up", &report.notes.join("; "));
    }

    fn beside(&mut self, report: &Report) {
        let isolation = &report.isolation;
        let lost = isolation.lost_acks.as_ref().map_or("unknown".to_owned(), lost);
        let counted = format!(
            "lost acknowledged messages {lost}, canaries of earlier runs {}, opaque bytes {}, messages not understood {}",
            count(isolation.residue.count),
            count(isolation.opaque_bytes),
            count(isolation.undecodable)
        );
        self.field("counted", &counted);
        let situation = |one: &isolation::Situation| format!("{} {}", one.name, count(one.count));
        self.field(
            "situations",
            &isolation
                .situations
                .iter()
                .map(situation)
                .collect::<Vec<_>>()
                .join(", "),
        );
        self.field("outside", &format!("{} are not covered", isolation.not_covered));
    }

    fn end(&mut self, report: &Report) {
        self.text.push('\n');
        if let Some(drill) = &report.drill {
            self.line(&wrap(&drill.summary, 0, WIDTH));
        }
        self.line(&format!(
            "files: {} has {}",
            report.files.dir,
            report.files.names.join(", ")
        ));
        self.line(&format!("again: {}", report.run.repeat));
        self.line("       one seed is one workload, not one interleaving; --repeat N tries again");
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        let heading = self.paint.bold(text);
        self.line(&heading);
    }

    fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let indent = 2 + name.chars().count().max(11) + 1;
            self.line(&format!("  {name:11} {}", wrap(value, indent, WIDTH)));
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// `user 3`, or that nobody can tell.
pub(super) fn user(user: Option<User>) -> String {
    user.map_or("not known".to_owned(), |User(user)| format!("user {user}"))
}

/// An attempt's number, with its connection apart from its count.
fn op(op: u64) -> String {
    format!("{}.{}", op >> 32, op & u64::from(u32::MAX))
}

/// What was measured, or why it was not.
pub(super) fn remark(gate: &Gate) -> String {
    let mut parts: Vec<&str> = Vec::new();
    parts.extend(gate.figure.as_deref());
    parts.extend(gate.reason.as_deref());
    parts.extend(gate.loosened.as_deref());
    parts.join("; ")
}

fn spread(spread: &Spread) -> String {
    let at = |us: u64| time_us(us as f64);
    format!(
        "mean {}, median {}, min {}, max {}, p90 {}, p99 {}, p99.9 {} ({})",
        time_us(spread.mean),
        at(spread.median),
        at(spread.min),
        at(spread.max),
        at(spread.p90),
        at(spread.p99),
        at(spread.p999),
        counted(spread.count, "sample"),
    )
}

fn throughput(performance: &Performance) -> String {
    let sustained = performance.throughput_per_s;
    let mut text = sustained.map_or("no whole round".to_owned(), |per_s| {
        format!("{} sustained", rate(per_s))
    });
    let rounds = performance
        .rounds
        .iter()
        .filter_map(|round| round.throughput_per_s);
    let rounds: Vec<String> = rounds.map(rate).collect();
    if !rounds.is_empty() {
        let _ = write!(text, ", by round {}", rounds.join(", "));
    }
    if let Some(spread) = performance.round_spread {
        let _ = write!(text, ", spread {}", share(spread));
    }
    text
}

fn fairness(performance: &Performance) -> String {
    let mut text = performance.fairness.map_or("no sample".to_owned(), |fairness| {
        let (lower, throughput, latency) = (fairness.lower(), fairness.throughput, fairness.latency);
        format!("{lower:.3} (Jain's index: over throughput {throughput:.3}, over latency {latency:.3})")
    });
    let starved = performance.users_without_success.as_deref().unwrap_or_default();
    if !starved.is_empty() {
        let users: Vec<String> = starved
            .iter()
            .take(STARVED_SHOWN)
            .map(|User(user)| user.to_string())
            .collect();
        let more = if starved.len() > STARVED_SHOWN {
            " and more"
        } else {
            ""
        };
        let _ = write!(
            text,
            "; without a single success: user {}{more}",
            users.join(", ")
        );
    }
    text
}

/// Users without a success that are named.
const STARVED_SHOWN: usize = 12;

/// How many, and which by their attempts, as the history numbers them.
fn lost(lost: &LostAcks) -> String {
    if lost.count == 0 {
        return count(0);
    }
    let named: Vec<String> = lost
        .named
        .iter()
        .take(LOST_SHOWN)
        .map(|ack| format!("op {} of user {}", op(ack.op.0), ack.user.0))
        .collect();
    let more = if lost.count > named.len() as u64 {
        " and more"
    } else {
        ""
    };
    format!("{} ({}{more})", count(lost.count), named.join(", "))
}

/// Lost messages that are named.
const LOST_SHOWN: usize = 8;

#[cfg(test)]
mod tests;
