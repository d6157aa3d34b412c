//! `e2e`: runs, judged and reported, as often as asked.

use anyhow::{Context as _, Result, bail};
use chrono::Utc;
use rand::RngExt as _;

use crate::binaries::{Binaries, Build};
use crate::cli::{E2eArgs, usage};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::judge::Judged;
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::run_dir::{self, RunDir};
use crate::screen::{self, Paint};
use crate::settings::Settings;
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
    let mut first = Some(Ticket::first(args)?);
    let progress = Progress::new(args.quiet || args.json);
    let interrupt = Interrupt::listen()?;
    let binaries = services(&settings, built, &progress, &interrupt);
    if let Some(signal) = interrupt.seen() {
        progress.clear();
        screen::complain(&anyhow::anyhow!("interrupted before anything was started"));
        return Ok(Exit::Interrupted(signal));
    }
    let binaries = binaries?;
    let mut worst = Exit::Done;
    for number in 1..=args.repeat {
        let ticket = first.take().map_or_else(|| Ticket::draw(args, number), Ok)?;
        if args.repeat > 1 {
            progress.note(&format!("run {number} of {}, seed {}", args.repeat, ticket.seed));
        }
        let trial = Trial {
            settings: &settings,
            seed: ticket.seed,
            run: ticket.run,
            binaries: binaries.as_ref(),
            run_dir: &ticket.dir,
            progress: &progress,
            interrupt: &interrupt,
            trace: None,
        };
        let outcome = trial.run().await;
        progress.clear();
        worst = worst.and(conclude(outcome?, &trial, args.json)?);
        if args.out.is_none()
            && let Err(error) = run_dir::prune(&workspace::runs(), args.keep as usize)
        {
            // somebody else's, perhaps: no reason to doubt this run
            progress.note(&format!("{error:#}"));
        }
        if interrupt.seen().is_some() {
            break;
        }
    }
    Ok(worst)
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

/// The services, built unless they are `built` already or no users are driven. Only those with the planted leaks know the
/// leaks' names.
fn services(
    settings: &Settings,
    built: Option<Binaries>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Option<Binaries>> {
    if !settings.builds() {
        return Ok(None);
    }
    let build = match settings.mutant {
        None => Build::Plain,
        Some(_) => Build::Mutants,
    };
    let binaries = match built {
        Some(built) => built,
        None => Binaries::build(build, settings.offline, progress, Some(interrupt))?,
    };
    let Some(mutant) = &settings.mutant else {
        return Ok(Some(binaries));
    };
    let names: Vec<String> = binaries
        .mutants()?
        .into_iter()
        .map(|mutant| mutant.name)
        .collect();
    let name = mutant.split(':').next().unwrap_or_default();
    if !names.iter().any(|known| known == name) {
        progress.clear();
        let what = format!("--mutant: there is no `{name}`; there are {}", names.join(", "));
        bail!(usage(what));
    }
    Ok(Some(binaries))
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
            screen::complain(&anyhow::anyhow!("interrupted while the services were starting"));
            Ok(Exit::Interrupted(signal))
        }
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
