//! The kill matrix: planted leak by check, and what the clean runs beside them said.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use isolation::NON_INTERFERENCE_LETTER;
use serde::Serialize;

use super::bout::Fought;
use crate::binaries::Mutant;
use crate::exit::Exit;
use crate::screen::Paint;

/// The checks' letters, in the order of reports, and that of the look beside them.
const CHECKS: [char; 7] = ['T', 'K', 'S', 'R', 'U', 'B', NON_INTERFERENCE_LETTER];
/// Opportunities times rate from which on a leak is to be caught: about 95 % of such runs have a firing.
const EXPECTED_FIRINGS_MIN: f64 = 3.0;

/// What came of a drill: the schema of `drill.json`, version 1.
#[derive(Debug, Serialize)]
pub(crate) struct Matrix {
    schema_version: u32,
    /// Share of its opportunities at which each leak fired.
    rate: f64,
    pub(crate) rows: Vec<Row>,
    clean: Clean,
}

/// One planted leak.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) mutant: String,
    /// Letters of the checks of which one at least must catch it.
    pub(crate) expected: String,
    pub(crate) outcome: Outcome,
    /// Letters of the checks that caught it, in any of its runs.
    caught_by: String,
    /// Runs in which it was caught by an expected check with the right people named.
    kills: usize,
    /// Of all its runs: how often something of one user reached another, of what the leak took of its opportunities.
    fired: u64,
    acted: u64,
    opportunities: u64,
    /// From the begin of the run to the first finding, the median of its kills.
    seconds_to_catch: Option<f64>,
    /// Exposing events of the expected check with most of them, the median of its kills.
    exposures: Option<u64>,
    runs: Vec<Fought>,
}

/// What a leak's runs come to: the worst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It had opportunities enough, and by chance took none: nothing is said, and it is drawn again.
    Undrawn,
    /// Caught by an expected check, with the people that its record names.
    Caught,
    /// Too few opportunities for its rate: nothing is said.
    TooFew,
    /// It never fired: the scenario does not make its situation.
    NeverFired,
    /// Caught, but for other people than the record names.
    WrongPeople,
    /// It fired and none of the checks that can catch it did.
    Missed,
    /// The run could not be made.
    Failed,
}

/// The clean runs.
#[derive(Debug, Serialize)]
struct Clean {
    /// Runs without a violation.
    silent: usize,
    /// Of those, runs in which every check was valid.
    valid: usize,
    /// Inbound messages that were scanned in full while something forbidden was about, in all runs.
    exposures: u64,
    runs: Vec<Fought>,
}

impl Matrix {
    /// Sorts runs into rows, in the order of `mutants`.
    pub(crate) fn of(mutants: &[Mutant], rate: f64, fought: Vec<Fought>) -> Self {
        let (clean, planted): (Vec<_>, Vec<_>) = fought.into_iter().partition(|run| run.mutant.is_none());
        let row = |mutant: &Mutant| {
            let of = |run: &&Fought| run.mutant.as_deref() == Some(&*mutant.name);
            let runs: Vec<_> = planted.iter().filter(of).cloned().collect();
            (!runs.is_empty()).then(|| Row::of(mutant, rate, runs))
        };
        Self {
            schema_version: 1,
            rate,
            rows: mutants.iter().filter_map(row).collect(),
            clean: Clean::of(clean),
        }
    }

    /// 10 for a false alarm, 1 for a leak that was not caught as it must be.
    pub(crate) fn exit(&self) -> Exit {
        let row_fails = |row: &Row| !matches!(row.outcome, Outcome::Caught | Outcome::TooFew);
        if self.clean.runs.iter().any(Fought::violated) {
            Exit::Violated
        } else if self.rows.iter().any(row_fails) || self.clean.silent < self.clean.runs.len() {
            Exit::Error
        } else {
            Exit::Done
        }
    }

    /// For a terminal.
    pub(crate) fn screen(&self, paint: Paint) -> String {
        let width = self.rows.iter().map(|row| row.mutant.len()).max().unwrap_or(0);
        let mut text = String::new();
        if !self.rows.is_empty() {
            let head = format!(
                "{:width$}  T K S R U B N   runs   fired   acted of opportunities   caught after",
                "mutant"
            );
            let _ = writeln!(text, "{}", paint.bold(&head));
        }
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line(width, paint));
        }
        for row in &self.rows {
            for why in row.complaints(self.rate) {
                let _ = writeln!(text, "{}: {why}", row.mutant);
            }
        }
        if !self.rows.is_empty() {
            let caught = self
                .rows
                .iter()
                .filter(|row| row.outcome == Outcome::Caught)
                .count();
            let _ = writeln!(text, "{caught} of {} caught", self.rows.len());
            let _ = writeln!(text, "o caught, + caught besides, . could catch it and did not");
        }
        text + &self.clean.line()
    }

    /// For a README.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            "| mutant | T | K | S | R | U | B | N | caught | fired | first caught after |\n".to_owned();
        text += "|---|---|---|---|---|---|---|---|---|---|---|\n";
        for row in &self.rows {
            let marks = row.marks().map(|mark| mark.to_string()).join(" | ");
            let after = row
                .seconds_to_catch
                .map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
            let (kills, runs) = (row.kills, row.runs.len());
            let _ = writeln!(
                text,
                "| `{}` | {marks} | {kills} of {runs} | {} | {after} |",
                row.mutant, row.fired
            );
        }
        format!("{text}\n{}", self.clean.line())
    }
}

impl Row {
    fn of(mutant: &Mutant, rate: f64, runs: Vec<Fought>) -> Self {
        let outcomes: Vec<Outcome> = runs
            .iter()
            .map(|run| Outcome::of(run, &mutant.checks, rate))
            .collect();
        let killed = || {
            let both = runs.iter().zip(&outcomes);
            both.filter(|(_, outcome)| **outcome == Outcome::Caught)
                .map(|(run, _)| run)
        };
        let caught: BTreeSet<char> = runs
            .iter()
            .filter_map(Fought::planted)
            .flat_map(|planted| planted.caught_by.iter().copied())
            .collect();
        let planted = || runs.iter().filter_map(Fought::planted);
        Self {
            mutant: mutant.name.clone(),
            expected: mutant.checks.clone(),
            // whatever it comes to weighs more than chance
            outcome: outcomes.iter().copied().max().unwrap_or(Outcome::Failed),
            caught_by: CHECKS.iter().filter(|check| caught.contains(check)).collect(),
            kills: killed().count(),
            fired: planted().map(|planted| planted.fired).sum(),
            acted: planted().filter_map(|planted| planted.acted).sum(),
            opportunities: planted().filter_map(|planted| planted.opportunities).sum(),
            seconds_to_catch: median(killed().filter_map(first_finding_s)),
            exposures: median(killed().filter_map(|run| exposures(run, &mutant.checks))),
            runs,
        }
    }

    /// A mark for each check: `o` caught and expected, `+` caught besides, `.` expected and silent.
    fn marks(&self) -> [char; 7] {
        CHECKS.map(
            |check| match (self.caught_by.contains(check), self.expected.contains(check)) {
                (true, true) => 'o',
                (true, false) => '+',
                (false, true) => '.',
                (false, false) => ' ',
            },
        )
    }

    fn line(&self, width: usize, paint: Paint) -> String {
        let marks = self.marks().map(|mark| mark.to_string()).join(" ");
        let after = self
            .seconds_to_catch
            .map_or("never".to_owned(), |seconds| format!("{seconds:.1} s"));
        let exposures = self
            .exposures
            .map_or(String::new(), |events| format!(", {events} exposures"));
        let kills = format!("{}/{}", self.kills, self.runs.len());
        let line = format!(
            "{:width$}  {marks}  {kills:>5}  {:>6}  {:>6} of {:<13}  {after}{exposures}",
            self.mutant, self.fired, self.acted, self.opportunities
        );
        match self.outcome {
            Outcome::Caught => paint.good(&line),
            Outcome::TooFew => paint.doubt(&line),
            _ => paint.bad(&line),
        }
    }

    /// What is wrong with it, a sentence for each kind; nothing if it was caught.
    fn complaints(&self, rate: f64) -> Vec<String> {
        let again = |run: &Fought| {
            let repeat = run
                .said
                .as_ref()
                .map(|said| format!("again: {}", said.run.repeat));
            repeat.or_else(|| run.complaint.clone()).unwrap_or_default()
        };
        let mut seen = BTreeSet::new();
        let of = |run| (Outcome::of(run, &self.expected, rate), run);
        self.runs
            .iter()
            .map(of)
            .filter(|(outcome, _)| *outcome != Outcome::Caught && seen.insert(*outcome))
            .map(|(outcome, run)| match outcome {
                Outcome::TooFew => {
                    let had = run.planted().and_then(|planted| planted.opportunities).unwrap_or(0);
                    let needs = EXPECTED_FIRINGS_MIN / rate;
                    let longer = needs / (had.max(1) as f64);
                    format!("{had} opportunities in a run, a rate of {rate} needs {needs:.0}: runs {longer:.1} times as long")
                }
                Outcome::Undrawn => {
                    let had = run.planted().and_then(|planted| planted.opportunities).unwrap_or(0);
                    let chance = (1.0 - rate).powf(had as f64) * 100.0;
                    format!("took none of {had} opportunities in a run, as {chance:.1} % of such runs do, and was drawn again")
                }
                Outcome::NeverFired => format!("never fired; {}", again(run)),
                Outcome::WrongPeople => format!("caught for other people than it names; {}", again(run)),
                Outcome::Missed => format!("missed; {}", again(run)),
                Outcome::Failed | Outcome::Caught => again(run),
            })
            .collect()
    }
}

impl Outcome {
    /// Of a run whose leak the checks of these letters are expected to catch.
    pub(super) fn of(run: &Fought, expected: &str, rate: f64) -> Self {
        let Some(planted) = run.planted() else {
            return Self::Failed;
        };
        let caught = planted.caught_by.iter().any(|check| expected.contains(*check));
        if caught && run.violated() {
            return if planted.matched {
                Self::Caught
            } else {
                Self::WrongPeople
            };
        }
        let opportunities = planted.opportunities.unwrap_or(0) as f64;
        match planted.fired {
            _ if rate < 1.0 && opportunities * rate < EXPECTED_FIRINGS_MIN => Self::TooFew,
            _ if rate < 1.0 && planted.acted == Some(0) => Self::Undrawn,
            0 => Self::NeverFired,
            _ => Self::Missed,
        }
    }
}

impl Clean {
    fn of(runs: Vec<Fought>) -> Self {
        let valid = |run: &&Fought| {
            let checks = run.said.as_ref().map(|said| &said.isolation.checks);
            checks.is_some_and(|checks| checks.iter().all(|check| check.state == "valid"))
        };
        Self {
            silent: runs.iter().filter(|run| run.is_silent()).count(),
            valid: runs.iter().filter(|run| run.is_silent()).filter(valid).count(),
            exposures: runs.iter().filter_map(|run| exposures(run, "S")).sum(),
            runs,
        }
    }

    fn line(&self) -> String {
        let Self {
            silent,
            valid,
            exposures,
            runs,
        } = self;
        let mut line = format!(
            "clean runs: {silent} of {} without a violation, {valid} valid in every check, {exposures} frames judged\n",
            runs.len()
        );
        for run in runs.iter().filter(|run| run.exit_code != Some(0)) {
            let repeat = run.said.as_ref().map(|said| said.run.repeat.as_str());
            let why = repeat.or(run.complaint.as_deref()).unwrap_or("no report");
            let _ = writeln!(
                line,
                "clean run ended with {}: {why}",
                run.exit_code.unwrap_or(-1)
            );
        }
        line
    }
}

fn first_finding_s(run: &Fought) -> Option<f64> {
    let isolation = &run.said.as_ref()?.isolation;
    let seventh = isolation.non_interference.iter();
    let differences = seventh.flat_map(|seventh| &seventh.differences);
    let all = isolation.findings.iter().chain(differences);
    let first = all.map(|finding| finding.at_us).min()?;
    Some(first as f64 / 1e6)
}

/// Exposing events of that one of the checks that has most.
fn exposures(run: &Fought, checks: &str) -> Option<u64> {
    let isolation = &run.said.as_ref()?.isolation;
    let seventh = isolation.non_interference.iter();
    let seventh = seventh.map(|seventh| (seventh.letter, seventh.exposed));
    let all = isolation.checks.iter().map(|check| (check.letter, check.events));
    let of = all.chain(seventh).filter(|(letter, _)| checks.contains(*letter));
    of.map(|(_, events)| events).max()
}

/// The upper one of two in the middle; `None` of nothing.
pub(super) fn median<T: PartialOrd>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let middle = values.len() / 2;
    values.into_iter().nth(middle)
}

#[cfg(test)]
mod tests;
