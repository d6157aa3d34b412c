//! The one screen at the end of a run.

use std::fmt::Write as _;

use super::model::{Finding, Gate, GateState, Latency, Pool, Report, State};
use super::units::{count, counted, time_ms, time_us, wrap};
use crate::screen::Paint;

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
    screen.performance(report);
    screen.pools(report);
    screen.gates(report);
    screen.remarks(report);
    screen.end(report);
    screen.text
}

/// The first line: what came of it, in a few words.
pub(crate) fn headline(report: &Report) -> String {
    let valid = report
        .checks
        .iter()
        .filter(|check| check.state == State::Valid)
        .count();
    let applicable = report
        .checks
        .iter()
        .filter(|check| check.state != State::NotApplicable)
        .count();
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
    let mut parts = Vec::new();
    if report.verdict.is_some() {
        parts.push(format!("{valid} of {applicable} checks valid"));
    }
    parts.push(format!("{met} of {run} gates met"));
    if report.findings.total > 0 {
        parts.push(counted(report.findings.total, "finding"));
    }
    parts.extend(report.run.total_ms.map(time_ms));
    if report.run.interrupted {
        parts.push("interrupted".to_owned());
    }
    let loosened = report
        .gates
        .iter()
        .filter(|gate| gate.loosened)
        .map(|gate| gate.gate.as_str());
    parts.extend(loosened.map(|gate| format!("loosened: {gate}")));
    format!("{}: {}", outcome(report), parts.join(", "))
}

/// One word for the exit code.
fn outcome(report: &Report) -> &'static str {
    match report.exit_code {
        0 => "VALID",
        10 => "VIOLATED",
        11 => "BREACH",
        12 => "UNKNOWN",
        13 => "NOT STARTED",
        130 | 143 => "INTERRUPTED",
        _ => "ERROR",
    }
}

struct Screen {
    text: String,
    paint: Paint,
}

impl Screen {
    fn headline(&mut self, report: &Report) {
        let headline = headline(report);
        let (word, rest) = headline.split_once(':').unwrap_or((&headline, ""));
        let word = match report.exit_code {
            0 => self.paint.good(word),
            12 | 130 | 143 => self.paint.doubt(word),
            _ => self.paint.bad(word),
        };
        let run = &report.run;
        self.line(&format!("{word}:{}", wrap(rest, 2, WIDTH)));
        let asked = format!(
            "{} in {} on {}, {}, seed {}, run {}",
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
        if report.checks.is_empty() {
            return;
        }
        self.heading("Isolation");
        for check in &report.checks {
            let state = match check.state {
                State::Valid => self.paint.good(check.state.name()),
                State::Violated => self.paint.bad(check.state.name()),
                State::Unknown | State::NotApplicable => self.paint.doubt(check.state.name()),
            };
            let prefix = format!("{} {}", check.letter, check.state.name());
            let rest = check.verdict.strip_prefix(&prefix).unwrap_or(&check.verdict);
            let wrapped = wrap(&format!("{prefix}{rest}"), 4, WIDTH);
            let painted = wrapped.replacen(&prefix, &format!("{} {state}", check.letter), 1);
            self.line(&format!("  {painted}"));
            for reason in &check.reasons {
                self.line(&format!("      - {}", wrap(reason, 8, WIDTH)));
            }
        }
    }

    fn findings(&mut self, report: &Report) {
        if report.findings.total == 0 {
            return;
        }
        self.heading("Findings");
        for (index, finding) in report.findings.shown.iter().take(FINDINGS_SHOWN).enumerate() {
            self.finding(index + 1, finding);
        }
        let shown = report.findings.shown.len().min(FINDINGS_SHOWN) as u64;
        if report.findings.total > shown {
            let more = count(report.findings.total - shown);
            self.line(&format!(
                "  and {more} more; report.json has the first {}",
                report.findings.shown.len()
            ));
        }
    }

    fn finding(&mut self, number: usize, finding: &Finding) {
        let user =
            |user: Option<u32>| user.map_or("nobody in particular".to_owned(), |user| format!("user {user}"));
        let what = format!("{number}. {} {}", finding.check, finding.what);
        self.line(&format!("  {}", self.paint.bad(&wrap(&what, 5, WIDTH))));
        let mut seen = format!(
            "observer {}, victim {}",
            user(finding.observer),
            user(finding.victim)
        );
        for (name, value) in [
            ("op", finding.op.clone()),
            (
                "connection",
                finding.connection.map(|connection| connection.to_string()),
            ),
            ("at", Some(time_us(finding.at_us as f64))),
            (
                "history",
                finding
                    .place
                    .map(|[worker, index]| format!("worker {worker} event {index}")),
            ),
            ("encoding", finding.encoding.clone()),
            ("pointer", finding.pointer.clone()),
        ] {
            if let Some(value) = value {
                let _ = write!(seen, ", {name} {value}");
            }
        }
        self.line(&format!("     {}", wrap(&seen, 5, WIDTH)));
        if let Some(excerpt) = &finding.excerpt {
            self.line(&format!("     | {}", wrap(excerpt, 7, WIDTH)));
        }
        for (who, steps) in [
            ("observer", &finding.observer_steps),
            ("victim", &finding.victim_steps),
        ] {
            if !steps.is_empty() {
                self.line(&format!("     last steps of the {who}:"));
            }
            for step in steps {
                self.line(&format!("       {}", wrap(step, 9, WIDTH)));
            }
        }
    }

    fn performance(&mut self, report: &Report) {
        let Some(performance) = &report.performance else {
            return;
        };
        self.heading("Performance");
        let none = || "no sample".to_owned();
        let ops = format!(
            "{} ok, {} not",
            counted(performance.ops_ok, "op"),
            count(performance.ops_not_ok)
        );
        self.field("ops", &ops);
        self.field(
            "latency",
            &performance.latency_us.as_ref().map_or_else(none, distribution),
        );
        let rounds: Vec<String> = performance
            .rounds_per_s
            .iter()
            .map(|rate| format!("{rate:.1}"))
            .collect();
        let mut throughput = performance
            .throughput_per_s
            .map_or_else(none, |rate| format!("{rate:.1} /s sustained"));
        if !rounds.is_empty() {
            let _ = write!(throughput, " (rounds {} /s)", rounds.join(", "));
        }
        if let Some(spread) = performance.round_spread_percent {
            let _ = write!(throughput, ", spread {spread:.1} %");
        }
        self.field("throughput", &throughput);
        let index = |value: Option<f64>| value.map_or("no sample".to_owned(), |value| format!("{value:.3}"));
        let mut fairness = format!(
            "{} (throughput {}, latency {})",
            index(performance.fairness),
            index(performance.fairness_throughput),
            index(performance.fairness_latency)
        );
        if !performance.starved.is_empty() {
            let starved: Vec<String> = performance.starved.iter().map(u32::to_string).collect();
            let _ = write!(
                fairness,
                "; without a single success: user {}",
                starved.join(", ")
            );
        }
        self.field("fairness", &fairness);
        self.field(
            "connect",
            &performance.connect_us.as_ref().map_or_else(none, distribution),
        );
        if let Some(serialisation) = performance.serialisation {
            self.field(
                "burst",
                &format!("{serialisation:.2} of one after the other, as seen from the client"),
            );
        }
    }

    fn pools(&mut self, report: &Report) {
        if report.pools.is_empty() {
            return;
        }
        self.heading("Pools");
        for one in &report.pools {
            self.field(&one.label, &pool(one));
            for finding in &one.hygiene_findings {
                let finding = format!("left by the last borrower: {finding}");
                self.line(&format!("      - {}", self.paint.bad(&wrap(&finding, 8, WIDTH))));
            }
        }
    }

    fn gates(&mut self, report: &Report) {
        self.heading("Gates");
        let width = report
            .gates
            .iter()
            .map(|gate| gate.gate.chars().count())
            .max()
            .unwrap_or(0);
        for gate in &report.gates {
            let state = format!("{:7}", gate.outcome.name());
            let state = match gate.outcome {
                GateState::Met => self.paint.good(&state),
                GateState::Missed => self.paint.bad(&state),
                GateState::Unknown => self.paint.doubt(&state),
                GateState::NotRun => self.paint.faint(&state),
            };
            let remark = remark(gate);
            let line = format!(
                "  {state}  {:width$}  {}",
                gate.gate,
                wrap(&remark, 13 + width, WIDTH)
            );
            self.line(line.trim_end());
        }
    }

    fn remarks(&mut self, report: &Report) {
        if !report.problems.is_empty() {
            self.heading("Problems");
            for problem in &report.problems {
                self.line(&format!("  - {}", self.paint.doubt(&wrap(problem, 4, WIDTH))));
            }
        }
        let stages: Vec<String> = report
            .stages
            .iter()
            .map(|stage| format!("{} {}", stage.name, time_ms(stage.took_ms)))
            .collect();
        let counts = &report.counts;
        let some = |number: Option<u64>| number.map_or("unknown".to_owned(), count);
        let situations: Vec<String> = report
            .situations
            .iter()
            .map(|one| format!("{} {}", one.name, count(one.count)))
            .collect();
        let beside = format!(
            "lost acknowledged messages {}, lost deliveries {}, canaries of earlier runs {}, opaque bytes {}",
            some(counts.lost_acks),
            some(counts.lost_deliveries),
            count(counts.residue),
            count(counts.opaque_bytes)
        );
        self.heading("Besides");
        self.field("time", &stages.join(", "));
        if report.verdict.is_some() {
            self.field("counted", &beside);
            self.field("situations", &situations.join(", "));
            self.field("outside", &report.not_covered.join(", "));
        }
        self.field("set-up", &report.notes.join("; "));
    }

    fn end(&mut self, report: &Report) {
        self.text.push('\n');
        if let Some(drill) = &report.drill {
            self.line(&wrap(&drill.summary, 0, WIDTH));
        }
        self.line(&format!(
            "files: {}: {}",
            report.files.dir,
            report.files.names.join(" ")
        ));
        self.line(&format!("again: {}", report.run.repeat));
        self.line("       (one seed is one workload, not one interleaving; --repeat N tries again)");
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

/// What was measured, or why it was not.
pub(super) fn remark(gate: &Gate) -> String {
    let mut parts: Vec<&str> = Vec::new();
    parts.extend(gate.figure.as_deref());
    parts.extend(gate.reason.as_deref());
    if gate.loosened {
        parts.push("looser than the floor, as asked");
    }
    parts.join("; ")
}

fn distribution(latency: &Latency) -> String {
    format!(
        "mean {}, median {}, min {}, max {}, p90 {}, p99 {}, p99.9 {} ({})",
        time_us(latency.mean),
        time_us(latency.median),
        time_us(latency.min),
        time_us(latency.max),
        time_us(latency.p90),
        time_us(latency.p99),
        time_us(latency.p999),
        counted(latency.count, "sample"),
    )
}

fn pool(pool: &Pool) -> String {
    let three = |figures: Option<[u64; 3]>| match figures {
        Some(figures) => {
            let [p50, p99, max] = figures.map(|us| time_us(us as f64));
            format!("p50 {p50}, p99 {p99}, max {max}")
        }
        None => "no sample".to_owned(),
    };
    let mut text = format!(
        "{} in flight at most over {}; ",
        pool.in_flight_max,
        counted(pool.size.into(), "connection")
    );
    let _ = write!(
        text,
        "{} ok, {} failed, {}; ",
        count(pool.ok),
        count(pool.failed),
        counted(pool.timeouts, "timeout")
    );
    let _ = write!(text, "wait {}; hold {}", three(pool.wait_us), three(pool.hold_us));
    if let Some(efficiency) = pool.efficiency_percent {
        let _ = write!(text, "; efficiency {efficiency:.1} %");
    }
    if pool.stress {
        let found = pool.hygiene_findings.len() as u64;
        let _ = write!(
            text,
            "; {} examined, {} left over",
            counted(pool.hygiene_checked, "checkout"),
            count(found)
        );
    } else {
        text.push_str("; the service's own, not gated");
    }
    text
}
