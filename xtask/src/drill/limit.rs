//! How small a leak may be and still be caught: rates on a fixed grid, beside the bound that a clean verdict claims.

use std::fmt::Write as _;

use serde::Serialize;

use super::Ring;
use super::bout::{Bout, Check, Fought};
use super::matrix::{Outcome, median};
use crate::binaries::Mutant;
use crate::exit::Exit;
use crate::screen::Paint;

/// Rates, each about a third of the one before.
const GRID: [f64; 7] = [1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001];
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
    /// The expected check that has the most exposures; its bound is the one compared with.
    check: char,
    /// In the order they were tried; the first rate that was not caught often enough ends it.
    tried: Vec<Tried>,
    /// The smallest rate caught in all runs but [`MISSES_MAX`]; `None` if there is none on the grid.
    smallest: Option<f64>,
    /// Firings in a unit of the check at that rate: rate x opportunities / units.
    per_unit: Option<f64>,
    /// What a clean verdict of so many units claims: it is below that, in a unit (95 %).
    claimed: Option<f64>,
}

/// One rate.
#[derive(Debug, Serialize)]
struct Tried {
    rate: f64,
    runs: usize,
    kills: usize,
    /// In a run, the median.
    opportunities: Option<u64>,
    /// Of the check in a run, the median.
    units: Option<u64>,
}

impl Limits {
    /// Goes down the grid with each of them.
    pub(super) async fn find(mutants: &[Mutant], ring: &Ring<'_>) -> Self {
        let mut rows = Vec::new();
        for mutant in mutants {
            rows.push(Limit::find(mutant, ring).await);
            if ring.interrupt.seen().is_some() {
                break;
            }
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
        let _ = writeln!(
            text,
            "caught in at least {} of {RUNS} runs",
            RUNS as usize - MISSES_MAX
        );
        text
    }
}

impl Limit {
    async fn find(mutant: &Mutant, ring: &Ring<'_>) -> Self {
        let mut limit = Self {
            mutant: mutant.name.clone(),
            check: ' ',
            tried: Vec::new(),
            smallest: None,
            per_unit: None,
            claimed: None,
        };
        for rate in GRID {
            let killed = |run: &Fought| Outcome::of(run, &mutant.checks, 1.0) == Outcome::Caught;
            let bouts = (0..RUNS)
                .map(|number| Bout::planted(mutant, Some(rate), number))
                .collect();
            let misses = |fought: &[Fought]| fought.iter().filter(|run| !killed(run)).count();
            let fought = ring.fight(bouts, |fought| misses(fought) > MISSES_MAX).await;
            limit.check = fought
                .iter()
                .find_map(|run| widest(run, mutant))
                .map_or(' ', |check| check.letter);
            let units = median(
                fought
                    .iter()
                    .filter_map(|run| widest(run, mutant))
                    .map(|check| check.units),
            );
            let opportunities = median(
                fought
                    .iter()
                    .filter_map(Fought::planted)
                    .filter_map(|said| said.opportunities),
            );
            let kills = fought.iter().filter(|run| killed(run)).count();
            let caught = fought.len() == RUNS as usize && misses(&fought) <= MISSES_MAX;
            limit.tried.push(Tried {
                rate,
                runs: fought.len(),
                kills,
                opportunities,
                units,
            });
            if !caught {
                break;
            }
            limit.smallest = Some(rate);
            limit.per_unit = opportunities
                .zip(units)
                .map(|(had, units)| rate * had as f64 / units.max(1) as f64);
            limit.claimed = units.and_then(isolation::upper_bound);
        }
        limit
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
}

/// The expected check with the most units.
fn widest<'a>(run: &'a Fought, mutant: &Mutant) -> Option<&'a Check> {
    let checks = &run.said.as_ref()?.isolation.checks;
    let expected = checks.iter().filter(|check| mutant.checks.contains(check.letter));
    expected.max_by_key(|check| check.units)
}
