//! `e2e`: runs, judged and reported, as often as asked.

use anyhow::{Context as _, Result, anyhow, bail};
use chrono::Utc;
use rand::RngExt as _;

use crate::binaries::{Binaries, NotBuilt};
use crate::cli::{E2eArgs, usage};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::judge::Judged;
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::run_dir::{self, RunDir};
use crate::screen::{self, Paint};
use crate::settings::Settings;
use crate::supply::Supply;
use crate::trial::{Outcome, Trial};
use crate::{descriptors, record, workspace};

/// Numbers of runs have 25 bits.
const RUNS: u32 = 1 << 25;

/// Checks what was asked for, builds, runs, reports.
pub(crate) async fn run(args: &E2eArgs) -> Result<Exit> {
    let settings = Settings::check(args)?;
    if settings.drives()
        && let Err(error) = descriptors::raise(settings.scale.users)
    {
        screen::complain(&error);
        return Ok(Exit::NotStarted);
    }
    let built = args.binaries.as_deref().map(Binaries::found).transpose();
    let built = built.map_err(|error| usage(format!("--binaries: {error:#}")))?;
    let first = Ticket::first(args)?;
    let progress = Progress::new(args.quiet || args.json);
    let interrupt = Interrupt::listen()?;
    let supply = match built {
        _ if !settings.builds() => None,
        Some(built) => Some(Supply::of(built)),
        None => Some(Supply::begin(
            settings.build(),
            settings.offline,
            &progress,
            &interrupt,
        )?),
    };
    if let (Some(mutant), Some(supply)) = (&settings.mutant, &supply) {
        let known = check_mutant(mutant, supply).await;
        if let Some(signal) = interrupt.seen() {
            progress.clear();
            screen::complain(&anyhow!("interrupted before anything was started"));
            return Ok(Exit::Interrupted(signal));
        }
        known.inspect_err(|_| progress.clear())?;
    }
    let command = Command {
        args,
        settings: &settings,
        binaries: supply.as_ref(),
        progress: &progress,
        interrupt: &interrupt,
    };
    let worst = command.runs(first).await;
    if let Some(supply) = supply {
        supply.end().await;
    }
    worst
}

/// What all runs of a command have in common.
struct Command<'a> {
    args: &'a E2eArgs,
    settings: &'a Settings,
    binaries: Option<&'a Supply>,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl Command<'_> {
    /// As many as were asked for: the worst that came of one.
    async fn runs(&self, first: Ticket) -> Result<Exit> {
        let (args, mut first) = (self.args, Some(first));
        let mut worst = Exit::Done;
        for number in 1..=args.repeat {
            let ticket = first.take().map_or_else(|| Ticket::draw(args, number), Ok)?;
            if args.repeat > 1 {
                self.progress
                    .note(&format!("run {number} of {}, seed {}", args.repeat, ticket.seed));
            }
            let trial = Trial {
                settings: self.settings,
                seed: ticket.seed,
                run: ticket.run,
                binaries: self.binaries,
                run_dir: &ticket.dir,
                progress: self.progress,
                interrupt: self.interrupt,
                trace: None,
            };
            let outcome = trial.run().await;
            self.progress.clear();
            worst = worst.and(conclude(outcome?, &trial, args.json)?);
            if args.out.is_none()
                && let Err(error) = run_dir::prune(&workspace::runs(), args.keep as usize)
            {
                // somebody else's, perhaps: no reason to doubt this run
                self.progress.note(&format!("{error:#}"));
            }
            if self.interrupt.seen().is_some() {
                break;
            }
        }
        Ok(worst)
    }
}

/// What tells one run of a command from the next.
struct Ticket {
    seed: u64,
    run: u32,
    dir: RunDir,
}

impl Ticket {
    /// Before anything is built: a folder that cannot be used is a mistake in the command.
    fn first(args: &E2eArgs) -> Result<Self> {
        match (Self::draw(args, 1), &args.out) {
            (Err(error), Some(_)) => bail!(usage(format!("--out: {error:#}"))),
            (drawn, _) => drawn,
        }
    }

    fn draw(args: &E2eArgs, number: u32) -> Result<Self> {
        let mut rng = rand::rng();
        let (seed, run) = (
            args.seed.unwrap_or_else(|| rng.random()),
            rng.random_range(0..RUNS),
        );
        let dir = match &args.out {
            None => RunDir::create_under(&workspace::runs(), Utc::now(), run)?,
            Some(out) if args.repeat == 1 => RunDir::create(out)?,
            Some(out) => RunDir::create(&out.join(number.to_string()))?,
        };
        Ok(Self { seed, run, dir })
    }
}

/// Whether the services can plant `mutant`: a name that they do not know is a mistake in the command.
async fn check_mutant(mutant: &str, supply: &Supply) -> Result<()> {
    let mutants = supply.get().await?.mutants()?;
    let names: Vec<_> = mutants.into_iter().map(|mutant| mutant.name).collect();
    let name = mutant.split(':').next().unwrap_or_default();
    if !names.iter().any(|known| known == name) {
        let what = format!("--mutant: there is no `{name}`; there are {}", names.join(", "));
        bail!(usage(what));
    }
    Ok(())
}

/// Says what came of a run, in its folder and on the screen.
fn conclude(outcome: Outcome, trial: &Trial<'_>, json: bool) -> Result<Exit> {
    match outcome {
        Outcome::Judged { judged, flawed } => {
            let mut report = reported(&judged, flawed, trial)?;
            // what cannot be kept, or shown, is still worth the other
            let kept = report::write(&mut report, trial.run_dir);
            let text = if json {
                report::json(&report)
            } else {
                Ok(report::screen(&report, Paint::for_stdout()))
            };
            let shown = text.and_then(|text| screen::print(&text));
            Ok([kept, shown]
                .into_iter()
                .fold(report.exit, |exit, done| match done {
                    Ok(()) => exit,
                    Err(error) => {
                        screen::complain(&error);
                        exit.and(Exit::Error)
                    }
                }))
        }
        Outcome::Interrupted(signal) => {
            screen::complain(&anyhow!("interrupted while the services were starting"));
            Ok(Exit::Interrupted(signal))
        }
        Outcome::NotStarted(error) if error.is::<NotBuilt>() => Err(error),
        Outcome::NotStarted(error) => {
            let logs = workspace::shown(&trial.run_dir.logs());
            let full = if trial.run_dir.is_full() {
                ", on a disk that is full"
            } else {
                ""
            };
            screen::complain(&error.context(format!(
                "the services did not come up; their logs are in {logs}{full}"
            )));
            Ok(Exit::NotStarted)
        }
    }
}

fn reported(judged: &Judged, flawed: bool, trial: &Trial<'_>) -> Result<Report> {
    let mut report = Report::of(judged, trial.run_dir.path())?;
    if let Some(signal) = trial.interrupt.seen() {
        report.exit = report.exit.and(Exit::Interrupted(signal));
    }
    if flawed {
        report.exit = report.exit.and(Exit::Error);
    }
    if let Some(mutant) = &trial.settings.mutant {
        let compared = record::compare(
            mutant,
            &trial.run_dir.mutants()?,
            &judged.users,
            &judged.judgement,
        );
        report.drill = Some(compared.context("cannot compare with the record of the planted leak")?);
    }
    Ok(report)
}
