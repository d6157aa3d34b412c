//! `drill`: every planted leak in runs of its own, and clean runs beside them; what the judge made of each.

mod bout;
mod choice;
mod control;
mod limit;
mod matrix;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::Utc;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use session::plan::PhaseKind;

use crate::binaries::{Binaries, Build, Mutant};
use crate::cli::DrillArgs;
use crate::database::Database;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::screen::{self, Paint};
use crate::workspace;
use bout::{Bout, Fought};
use choice::chosen;
use control::Control;
use limit::Limits;
use matrix::{Matrix, Outcome};

/// Times that a leak is drawn again which took none of its opportunities: where three are expected, one of 20 runs is
/// such a run, and one of 160,000 such drills ends without a draw.
const DRAWS_MAX: u32 = 3;
/// Connections that one run opens at most, its own included.
const CONNECTIONS: u16 = 100;
/// Those of the drill itself.
const OWN_CONNECTIONS: u16 = 4;

/// Runs all that was asked for, then prints the matrix.
pub(crate) async fn run(args: &DrillArgs) -> Result<Exit> {
    let progress = Progress::new(args.quiet || args.json);
    let interrupt = Interrupt::listen()?;
    let known = Binaries::build(Build::Mutants, args.offline, &progress)?.mutants()?;
    let mutants = chosen(known, args)?;
    Binaries::build(Build::Plain, args.offline, &progress)?;
    let folder = folder(args)?;
    let room = CONNECTIONS
        .saturating_mul(args.jobs())
        .saturating_add(OWN_CONNECTIONS);
    let database = Database::start(args.postgres.clone(), args.offline, room).await?;
    let ring = Ring {
        folder: &folder,
        postgres: database.admin_url(),
        offline: args.offline,
        jobs: usize::from(args.jobs()),
        progress: &progress,
        interrupt: &interrupt,
    };
    let found = if args.limit {
        Found::Limits(Limits::find(&mutants, &ring).await)
    } else if args.control {
        let bouts = control::bouts(&mutants, args.seeds).into();
        Found::Control(Control::of(&mutants, &ring.fight(bouts, |_| false).await))
    } else {
        let fought = ring.fight(bouts(args, &mutants), |_| false).await;
        let fought = ring.draw_again(&mutants, args, fought).await;
        Found::Matrix(Matrix::of(&mutants, args.rate(), fought))
    };
    database.stop().await?;
    progress.clear();
    found.write(&folder)?;
    screen::print(&if args.json {
        found.json()?
    } else {
        let files = workspace::shown(&folder);
        format!("{}\nfiles in {files}", found.screen(Paint::for_stdout()))
    })?;
    Ok(interrupt.seen().map_or_else(|| found.exit(), Exit::Interrupted))
}

/// What a drill found out.
enum Found {
    Matrix(Matrix),
    Limits(Limits),
    Control(Control),
}

impl Found {
    fn exit(&self) -> Exit {
        match self {
            Self::Matrix(matrix) => matrix.exit(),
            Self::Limits(limits) => limits.exit(),
            Self::Control(control) => control.exit(),
        }
    }

    fn screen(&self, paint: Paint) -> String {
        match self {
            Self::Matrix(matrix) => matrix.screen(paint),
            Self::Limits(limits) => limits.screen(paint),
            Self::Control(control) => control.screen(paint),
        }
    }

    fn json(&self) -> Result<String> {
        let json = match self {
            Self::Matrix(matrix) => serde_json::to_string_pretty(matrix),
            Self::Limits(limits) => serde_json::to_string_pretty(limits),
            Self::Control(control) => serde_json::to_string_pretty(control),
        };
        json.context("cannot write what the drill found as JSON")
    }

    /// `drill.json` and `matrix.md`, or `limit.json`, or `control.json`.
    fn write(&self, folder: &Path) -> Result<()> {
        let files = match self {
            Self::Matrix(matrix) => vec![("drill.json", self.json()?), ("matrix.md", matrix.markdown())],
            Self::Limits(_) => vec![("limit.json", self.json()?)],
            Self::Control(_) => vec![("control.json", self.json()?)],
        };
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Names of phases, as a sentence has them.
fn listed(phases: &[PhaseKind]) -> String {
    let names: Vec<_> = phases.iter().map(|phase| phase.name()).collect();
    names.join(", ")
}

fn folder(args: &DrillArgs) -> Result<PathBuf> {
    let folder = args.out.clone().unwrap_or_else(|| {
        let stamp = Utc::now().format("%Y%m%d-%H%M%S").to_string();
        workspace::root().join(".crosstalk").join("drills").join(stamp)
    });
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Each mutant as often as asked, taken in turns, and after each turn a clean run; or clean runs alone.
fn bouts(args: &DrillArgs, mutants: &[Mutant]) -> VecDeque<Bout> {
    if let Some(clean) = args.clean {
        return (0..clean).map(Bout::varied).collect();
    }
    let turn = |number| {
        let planted = mutants
            .iter()
            .map(move |mutant| Bout::planted(mutant, args.rate, number));
        planted.chain([Bout::clean(number)])
    };
    (0..args.seeds).flat_map(turn).collect()
}

/// Where runs are made, so many at a time.
struct Ring<'a> {
    folder: &'a Path,
    /// One warm server: each run makes and drops a database of its own.
    postgres: String,
    offline: bool,
    jobs: usize,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl Ring<'_> {
    /// Fights again where a leak had opportunities enough and by chance took none of them.
    async fn draw_again(&self, mutants: &[Mutant], args: &DrillArgs, mut fought: Vec<Fought>) -> Vec<Fought> {
        let (mut new, mut numbers) = (0, args.seeds..);
        for _ in 0..DRAWS_MAX {
            let drawn = fought[new..].iter();
            let undrawn = drawn.filter_map(|run| {
                let mutant = mutants
                    .iter()
                    .find(|mutant| Some(&mutant.name) == run.mutant.as_ref())?;
                let outcome = Outcome::of(run, &mutant.checks, args.rate());
                (outcome == Outcome::Undrawn).then_some(mutant)
            });
            let bouts = undrawn.zip(&mut numbers);
            let bouts = bouts.map(|(mutant, number)| Bout::planted(mutant, args.rate, number));
            let bouts: VecDeque<_> = bouts.collect();
            new = fought.len();
            if bouts.is_empty() {
                break;
            }
            fought.extend(self.fight(bouts, |_| false).await);
        }
        fought
    }

    /// Fights until all is done, it is `enough`, or a signal comes; runs that have begun are ended in order.
    async fn fight(&self, mut bouts: VecDeque<Bout>, enough: impl Fn(&[Fought]) -> bool) -> Vec<Fought> {
        let total = bouts.len() as u64;
        let mut fought = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < self.jobs
                && self.interrupt.seen().is_none()
                && !enough(&fought)
                && let Some(bout) = bouts.pop_front()
            {
                running.push(bout.fight(self.folder, &self.postgres, self.offline, self.interrupt));
            }
            let Some(done) = running.next().await else {
                return fought;
            };
            if let Some(done) = done {
                fought.push(done);
                let last = fought.last().map(Fought::line).unwrap_or_default();
                self.progress
                    .note(&format!("{} of {total}: {last}", fought.len()));
                self.progress.step("drilling", fought.len() as u64, total);
            }
        }
    }
}
