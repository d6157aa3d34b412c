//! `drill`: every planted leak in runs of its own, and clean runs beside them; what the judge made of each.

mod bout;
mod choice;
mod matrix;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::Utc;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::binaries::{Binaries, Build};
use crate::cli::DrillArgs;
use crate::database::Database;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::screen::{self, Paint};
use crate::workspace;
use bout::{Bout, Fought};
use choice::chosen;
use matrix::Matrix;

/// Connections that one run opens at most, its own included.
const CONNECTIONS: u16 = 100;

/// Runs all that was asked for, then prints the matrix.
pub(crate) async fn run(args: &DrillArgs) -> Result<Exit> {
    let progress = Progress::new(args.quiet || args.json);
    let interrupt = Interrupt::listen()?;
    let known = Binaries::build(Build::Mutants, args.offline, &progress)?.mutants()?;
    let mutants = chosen(known, args).unwrap_or_else(|error| error.exit());
    Binaries::build(Build::Plain, args.offline, &progress)?;
    let folder = folder(args)?;
    let bouts = bouts(args, &mutants);
    let total = bouts.len();
    let room = CONNECTIONS.saturating_mul(args.jobs());
    let database = Database::start(args.postgres.clone(), args.offline, room).await?;
    let ring = Ring {
        folder: &folder,
        postgres: database.admin_url(),
        offline: args.offline,
        jobs: usize::from(args.jobs()),
        progress: &progress,
        interrupt: &interrupt,
    };
    let fought = ring.fight(bouts).await;
    database.stop().await?;
    progress.clear();
    let whole = fought.len() == total;
    let matrix = Matrix::of(&mutants, args.rate(), fought);
    matrix.write(&folder)?;
    screen::print(&if args.json {
        matrix.json()?
    } else {
        let files = workspace::shown(&folder);
        format!(
            "{}\nfiles in {files}: drill.json, matrix.md",
            matrix.screen(Paint::for_stdout())
        )
    })?;
    Ok(match interrupt.seen() {
        Some(signal) if !whole => Exit::Interrupted(signal),
        _ => matrix.exit(),
    })
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
fn bouts(args: &DrillArgs, mutants: &[crate::binaries::Mutant]) -> VecDeque<Bout> {
    if let Some(clean) = args.clean {
        return (0..clean).map(Bout::varied).collect();
    }
    let turn = |number| {
        let planted = mutants
            .iter()
            .map(move |mutant| Bout::planted(&mutant.name, args.rate, number));
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
    /// Fights until all is done or a signal comes; runs that have begun are ended in order.
    async fn fight(&self, mut bouts: VecDeque<Bout>) -> Vec<Fought> {
        let total = bouts.len() as u64;
        let mut fought = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < self.jobs
                && self.interrupt.seen().is_none()
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
