//! The negative control: without the phases that make its situation, a planted leak is silent.

use std::fmt::Write as _;

use serde::Serialize;

use super::bout::{Bout, Fought};
use super::listed;
use crate::binaries::Mutant;
use crate::exit::Exit;
use crate::screen::Paint;

/// What came of it: the schema of `control.json`, version 1.
#[derive(Debug, Serialize)]
pub(super) struct Control {
    schema_version: u32,
    rows: Vec<Silence>,
    /// Leaks that ordinary load shows: there is nothing to leave out.
    ordinary: Vec<String>,
}

/// One planted leak, without what makes it act.
#[derive(Debug, Serialize)]
struct Silence {
    mutant: String,
    /// The phases that were left out.
    without: String,
    /// Of all runs.
    fired: u64,
    runs: Vec<Fought>,
}

/// A run for each leak that has something to leave out.
pub(super) fn bouts(mutants: &[Mutant], seeds: u32) -> Vec<Bout> {
    let turn = |number| {
        let silenced = mutants.iter().filter(|mutant| !mutant.traffic.is_empty());
        silenced.map(move |mutant| Bout::silenced(mutant, number))
    };
    (0..seeds).flat_map(turn).collect()
}

impl Control {
    pub(super) fn of(mutants: &[Mutant], fought: &[Fought]) -> Self {
        let (ordinary, silenced): (Vec<_>, Vec<_>) =
            mutants.iter().partition(|mutant| mutant.traffic.is_empty());
        let row = |mutant: &Mutant| {
            let of = |run: &&Fought| run.mutant.as_deref() == Some(&*mutant.name);
            let runs: Vec<_> = fought.iter().filter(of).cloned().collect();
            let fired = runs
                .iter()
                .filter_map(Fought::planted)
                .map(|planted| planted.fired);
            Silence {
                mutant: mutant.name.clone(),
                without: listed(&mutant.traffic),
                fired: fired.sum(),
                runs,
            }
        };
        Self {
            schema_version: 1,
            rows: silenced
                .into_iter()
                .map(row)
                .filter(|row| !row.runs.is_empty())
                .collect(),
            ordinary: ordinary.into_iter().map(|mutant| mutant.name.clone()).collect(),
        }
    }

    /// 0 only if every leak was silent in every run.
    pub(super) fn exit(&self) -> Exit {
        if self.rows.iter().all(Silence::holds) {
            Exit::Done
        } else {
            Exit::Error
        }
    }

    pub(super) fn screen(&self, paint: Paint) -> String {
        let width = self.rows.iter().map(|row| row.mutant.len()).max().unwrap_or(0);
        let mut text = String::new();
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line(width, paint));
        }
        let silent = self.rows.iter().filter(|row| row.holds()).count();
        let _ = writeln!(
            text,
            "{silent} of {} silent without their situation",
            self.rows.len()
        );
        if !self.ordinary.is_empty() {
            let _ = writeln!(text, "ordinary load shows {}", self.ordinary.join(", "));
        }
        text
    }
}

impl Silence {
    /// Every run was made, and it fired in none.
    fn holds(&self) -> bool {
        self.fired == 0
            && self
                .runs
                .iter()
                .all(|run| run.planted().is_some() && !run.violated())
    }

    fn line(&self, width: usize, paint: Paint) -> String {
        let Self { mutant, without, .. } = self;
        let Some(unmade) = self.runs.iter().find(|run| run.planted().is_none()) else {
            let line = match (self.fired, self.holds()) {
                (0, true) => return paint.good(&format!("{mutant:width$}  silent without {without}")),
                (0, false) => format!("{mutant:width$}  a violation without a firing, without {without}"),
                (fired, _) => format!("{mutant:width$}  fired {fired} times without {without}"),
            };
            return paint.bad(&line);
        };
        paint.bad(&format!("{mutant:width$}  {}", unmade.line()))
    }
}
