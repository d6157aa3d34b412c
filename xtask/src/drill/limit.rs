//! How small a leak may be and still be caught: rates on a fixed grid, beside the bound that a clean verdict claims.

use std::fmt::Write as _;

use serde::Serialize;

use super::Ring;
use super::bout::{Bout, Fought};
use super::matrix::{Outcome, median};
use crate::binaries::Mutant;
use crate::exit::Exit;
use crate::screen::Paint;

/// Rates, each about half of the one before.
const GRID: [f64; 10] = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
/// Runs at each rate.
const RUNS: u32 = 20;
/// Of those, runs that may go without catching it.
const MISSES_MAX: usize = 1;
/// How far the smallest rate caught and the claimed bound may be apart before that needs a reason.
const FACTOR: f64 = 3.0;

/// The limits of some leaks: the schema of `limit.json`, version 1.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    schema_version: u32,
    pub(super) rows: Vec<Limit>,
}

/// The limit of one leak.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    mutant: String,
    /// The first of the checks that are expected to catch it; its bound is the one compared with.
    check: char,
    /// In the order they were tried: the grid is halved until the smallest rate is found, as if whatever is caught at a rate were
    /// caught at each above.
    tried: Vec<Tried>,
    /// The smallest rate caught in all runs but [`MISSES_MAX`]; `None` if there is none on the grid.
    smallest: Option<f64>,
    /// Opportunities taken in a unit of the check at that rate: rate x opportunities / units.
    per_unit: Option<f64>,
    /// What a clean verdict of so many units claims: it is below that, in a unit (95 %).
    claimed: Option<f64>,
}

/// One rate.
#[derive(Debug, Serialize)]
struct Tried {
    rate: f64,
    /// Fewer than [`RUNS`] if more than [`MISSES_MAX`] went without catching it: nothing could help then.
    runs: usize,
    kills: usize,
    misses: Misses,
    /// In a run, the median.
    opportunities: Option<u64>,
    /// Of the check in a run, the median.
    units: Option<u64>,
}

/// Runs that did not catch it, by how far it got.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Misses {
    /// It took none of its opportunities.
    idle: usize,
    /// It took some, and nothing of one user reached another.
    harmless: usize,
    /// Something reached another, and no check that is expected to catch it did.
    unseen: usize,
    /// The run could not be made.
    failed: usize,
}

impl Limits {
    /// Finds the limit of each of them.
    pub(super) async fn find(mutants: &[Mutant], ring: &Ring<'_>) -> Self {
        let mut rows = Vec::new();
        for mutant in mutants {
            let limit = Limit::find(mutant, ring).await;
            if ring.interrupt.seen().is_some() {
                break;
            }
            rows.push(limit);
        }
        Self {
            schema_version: 1,
            rows,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        if self.rows.iter().all(|row| row.smallest.is_some()) {
            Exit::Done
        } else {
            Exit::Error
        }
    }

    pub(super) fn screen(&self, paint: Paint) -> String {
        let width = self.rows.iter().map(|row| row.mutant.len()).max().unwrap_or(0);
        let head = format!(
            "{:width$}  check  smallest rate   in a unit   claimed bound   ratio",
            "mutant"
        );
        let mut text = format!("{}\n", paint.bold(&head));
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line(width, paint));
        }
        for row in &self.rows {
            let _ = writeln!(text, "{}: {}", row.mutant, row.why());
        }
        let _ = writeln!(
            text,
            "the smallest rate is that of the grid {} which was caught in at least {} of {RUNS} runs",
            GRID.map(|rate| rate.to_string()).join(", "),
            RUNS as usize - MISSES_MAX
        );
        let _ = writeln!(
            text,
            "in a unit: opportunities taken at that rate; the bound is what a clean verdict of so many units claims"
        );
        text
    }
}

impl Limit {
    async fn find(mutant: &Mutant, ring: &Ring<'_>) -> Self {
        let mut limit = Self {
            mutant: mutant.name.clone(),
            check: mutant.checks.chars().next().unwrap_or(' '),
            tried: Vec::new(),
            smallest: None,
            per_unit: None,
            claimed: None,
        };
        // all before `caught` are caught, none from `missed` on
        let (mut caught, mut missed) = (0, GRID.len());
        while caught < missed && ring.interrupt.seen().is_none() {
            let middle = usize::midpoint(caught, missed);
            if limit.holds(mutant, GRID[middle], ring).await {
                caught = middle + 1;
            } else {
                missed = middle;
            }
        }
        limit
    }

    /// Whether it is caught often enough at a rate.
    async fn holds(&mut self, mutant: &Mutant, rate: f64, ring: &Ring<'_>) -> bool {
        let killed = |run: &Fought| Outcome::of(run, &mutant.checks, 1.0) == Outcome::Caught;
        let bouts = (0..RUNS)
            .map(|number| Bout::planted(mutant, Some(rate), number))
            .collect();
        let missed = |fought: &[Fought]| fought.iter().filter(|run| !killed(run)).count();
        let fought = ring.fight(bouts, |fought| missed(fought) > MISSES_MAX).await;
        let tried = Tried::of(rate, mutant, self.check, &fought);
        let holds = fought.len() == RUNS as usize && missed(&fought) <= MISSES_MAX;
        if holds {
            self.smallest = Some(rate);
            let taken = |(had, units): (u64, u64)| rate * had as f64 / units.max(1) as f64;
            self.per_unit = tried.opportunities.zip(tried.units).map(taken);
            self.claimed = tried.units.and_then(isolation::upper_bound);
        }
        self.tried.push(tried);
        holds
    }

    fn line(&self, width: usize, paint: Paint) -> String {
        let Self {
            mutant,
            check,
            smallest,
            per_unit,
            claimed,
            ..
        } = self;
        let (Some(smallest), Some(per_unit), Some(claimed)) = (smallest, per_unit, claimed) else {
            return paint.bad(&format!(
                "{mutant:width$}  {check:>5}  not caught at any rate of the grid"
            ));
        };
        let ratio = per_unit / claimed;
        let line = format!(
            "{mutant:width$}  {check:>5}  {smallest:>13}   {:>7.2} %   {:>11.2} %   {ratio:>5.1}",
            per_unit * 100.0,
            claimed * 100.0
        );
        if (1.0 / FACTOR..=FACTOR).contains(&ratio) {
            paint.good(&line)
        } else {
            paint.doubt(&line)
        }
    }

    /// What a run is like at the smallest rate, and what kept the next one on the grid from being caught.
    fn why(&self) -> String {
        let of = |rate: f64| self.tried.iter().find(|tried| tried.rate == rate);
        let mut said = Vec::new();
        if let Some(tried) = self.smallest.and_then(of) {
            let had = tried.opportunities.unwrap_or(0);
            said.push(format!(
                "caught in {} of {} at {}, which takes {:.1} of {had} opportunities in a run",
                tried.kills,
                tried.runs,
                tried.rate,
                tried.rate * had as f64
            ));
        }
        let missed = self
            .tried
            .iter()
            .filter(|tried| Some(tried.rate) < self.smallest.or(Some(2.0)));
        if let Some(next) = missed.max_by(|one, other| one.rate.total_cmp(&other.rate)) {
            let missed = next.runs - next.kills;
            said.push(format!(
                "at {} {missed} of {} missed it: {}",
                next.rate,
                next.runs,
                next.misses.say()
            ));
        }
        said.join("; ")
    }
}

impl Tried {
    fn of(rate: f64, mutant: &Mutant, check: char, fought: &[Fought]) -> Self {
        let mut misses = Misses::default();
        let mut kills = 0;
        for run in fought {
            let planted = run.planted();
            match (Outcome::of(run, &mutant.checks, 1.0), planted) {
                (Outcome::Caught, _) => kills += 1,
                (_, None) => misses.failed += 1,
                (_, Some(planted)) if planted.acted == Some(0) => misses.idle += 1,
                (_, Some(planted)) if planted.fired == 0 => misses.harmless += 1,
                _ => misses.unseen += 1,
            }
        }
        let planted = fought.iter().filter_map(Fought::planted);
        Self {
            rate,
            runs: fought.len(),
            kills,
            misses,
            opportunities: median(planted.filter_map(|said| said.opportunities)),
            units: median(fought.iter().filter_map(|run| units(run, check))),
        }
    }
}

impl Misses {
    fn say(&self) -> String {
        let counts = [
            (self.idle, "took none of their opportunities"),
            (self.harmless, "took some to no effect"),
            (self.unseen, "had an effect that was not seen"),
            (self.failed, "could not be made"),
        ];
        let some = counts.into_iter().filter(|(count, _)| *count > 0);
        let said: Vec<_> = some.map(|(count, what)| format!("{count} {what}")).collect();
        said.join(", ")
    }
}

/// How many units a run had of a check.
fn units(run: &Fought, check: char) -> Option<u64> {
    let isolation = &run.said.as_ref()?.isolation;
    let six = isolation.checks.iter().map(|of| (of.letter, of.units));
    let seventh = isolation.non_interference.iter().map(|of| (of.letter, of.units));
    let found = six.chain(seventh).find(|(letter, _)| *letter == check)?;
    Some(found.1)
}

#[cfg(test)]
mod tests;
