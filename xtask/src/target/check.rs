//! `target check`: two users, step by step.

mod probes;

use std::fmt::Write as _;
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context as _, Result};
use chrono::Utc;
use clap::Parser as _;
use history::Check;
use isolation::Judgement;
use rand::RngExt as _;
use session::plan::PhaseKind;
use session::{Traced, TracedStep};

use crate::cli::{Cli, Command, E2eArgs, TargetCheckArgs};
use crate::exit::Exit;
use crate::goal;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::screen;
use crate::settings::Settings;
use crate::trial::{Outcome, Trial};
use crate::workspace;

/// Users of a check, if the target takes as many.
const USERS: u32 = 2;
/// What they go through, beside what every run has.
const PHASES: [PhaseKind; 7] = [
    PhaseKind::Join,
    PhaseKind::Leave,
    PhaseKind::Probe,
    PhaseKind::Provoke,
    PhaseKind::Echo,
    PhaseKind::Boundary,
    PhaseKind::ReadAll,
];
/// Characters of a message that are shown.
const SHOWN_MAX: usize = 400;
/// Steps that are shown.
const STEPS_MAX: usize = 2_000;
/// Numbers of runs have 25 bits.
const RUNS: u32 = 1 << 25;

pub(super) async fn run(args: &TargetCheckArgs) -> Result<Exit> {
    let settings = settings(args)?;
    let (seed, run) = (rand::rng().random(), rand::rng().random_range(0..RUNS));
    let run_dir = RunDir::create_under(&workspace::runs(), Utc::now(), run)?;
    let (progress, interrupt) = (Progress::new(true), Interrupt::listen()?);
    let (sender, steps) = mpsc::channel();
    let outcome = {
        let trace = session::Trace::from(sender);
        let trial = Trial {
            settings: &settings,
            seed,
            run,
            binaries: None,
            run_dir: &run_dir,
            progress: &progress,
            interrupt: &interrupt,
            trace: Some(&trace),
        };
        trial.run().await?
    };
    match outcome {
        Outcome::Judged { judged, .. } => {
            let (transcript, unmatched) = transcript(&steps);
            let (summary, exit) = summary(&judged.judgement, unmatched, &settings.profile().unproven());
            screen::print(&format!("{transcript}\n{summary}"))?;
            Ok(match interrupt.seen() {
                Some(signal) => exit.and(Exit::Interrupted(signal)),
                None => exit,
            })
        }
        Outcome::Interrupted(signal) => Ok(Exit::Interrupted(signal)),
        Outcome::NotStarted(error) => {
            let logs = workspace::shown(&run_dir.logs());
            let what = format!("the services did not come up; their logs are in {logs}");
            screen::complain(&error.context(what));
            Ok(Exit::NotStarted)
        }
    }
}

/// What a run would be asked for that does no more than this.
fn settings(args: &TargetCheckArgs) -> Result<Settings> {
    let target = goal::read(&args.file)?;
    let users = target.profile.accounts.max().unwrap_or(USERS).min(USERS);
    let file = args.file.to_str().context("the name of the file is no UTF-8")?;
    let given = [
        "xtask",
        "e2e",
        "--only=isolation",
        "--rounds=1",
        "--duration=1ms",
        "--target",
        file,
    ];
    let mut words: Vec<String> = given.map(str::to_owned).into();
    words.push(format!("--users={users}"));
    let left_out = PhaseKind::optional().filter(|kind| !PHASES.contains(kind));
    words.extend(left_out.map(|kind| format!("--without={}", kind.name())));
    words.extend(args.allow_host.iter().map(|host| format!("--allow-host={host}")));
    let e2e: Box<E2eArgs> = match Cli::try_parse_from(words)?.command {
        Command::E2e(e2e) => e2e,
        other => unreachable!("{other:?}"),
    };
    Ok(Settings::check(&e2e)?)
}

/// All steps in their order, and how many messages nothing matched.
fn transcript(steps: &Receiver<Traced>) -> (String, usize) {
    let mut steps: Vec<Traced> = steps.try_iter().collect();
    steps.sort_by_key(|traced| traced.at);
    let mut text = String::new();
    let unmatched = |traced: &Traced| matches!(traced.step, TracedStep::Came { unmatched: true, .. });
    let (shown, others): (Vec<_>, Vec<_>) = steps
        .iter()
        .filter(|traced| !traced.tried || unmatched(traced))
        .partition(|traced| traced.user.0 == 0 || is_odd(&traced.step));
    for traced in shown.iter().take(STEPS_MAX) {
        write_step(&mut text, traced);
    }
    // writing to a string cannot fail
    if shown.len() > STEPS_MAX {
        let _ = writeln!(text, "and {} steps more", shown.len() - STEPS_MAX);
    }
    if !others.is_empty() {
        let _ = writeln!(text, "and of user 1, who does the same, {} steps", others.len());
    }
    text.push_str(&probes::told(&steps));
    (text, steps.iter().filter(|traced| unmatched(traced)).count())
}

/// Whether it has to be seen, whoever it happens to: it is not as it should be, or nobody asked for it.
fn is_odd(step: &TracedStep) -> bool {
    match step {
        TracedStep::Answered { status, sought, .. } => {
            let good = status.is_some_and(|status| status < 400);
            !good || sought.iter().any(|(_, _, found)| !found)
        }
        TracedStep::Came { asked, .. } => !asked,
        _ => false,
    }
}

/// A step, in a line or a few.
fn write_step(text: &mut String, traced: &Traced) {
    let seconds = traced.at.0 as f64 / 1e9;
    for (index, line) in in_words(&traced.step).into_iter().enumerate() {
        let begin = match index {
            0 => format!("{seconds:8.3}s  user {}  ", traced.user.0),
            _ => " ".repeat(19),
        };
        // writing to a string cannot fail
        let _ = writeln!(text, "{begin}{line}");
    }
}

fn in_words(step: &TracedStep) -> Vec<String> {
    match step {
        TracedStep::Asked(request) => vec![format!("asks  {}", cut(request))],
        TracedStep::Answered { status, body, sought } => {
            let status = status.map_or("no answer".to_owned(), |status| status.to_string());
            let mut lines = vec![format!("      {status} {}", cut(body))];
            lines.extend(sought.iter().map(|(name, at, found)| {
                let found = if *found { "found" } else { "NOT FOUND" };
                format!("        `{name}` {found} at \"{at}\"")
            }));
            lines
        }
        TracedStep::Opened(to) => vec![format!("is connected to {}", cut(to))],
        TracedStep::Refused(reason, to) => vec![format!("is not let in to {}: {}", cut(to), cut(reason))],
        TracedStep::Sent(message) => vec![format!("  ->  {}", cut(message))],
        TracedStep::Came { message, taken, .. } => {
            let mut lines = vec![format!("  <-  {}", cut(message))];
            lines.extend(taken.iter().map(|taken| format!("        {taken}")));
            lines
        }
        TracedStep::Closed(how) => vec![format!("is disconnected: {how}")],
        // those are told apart
        TracedStep::Tried(_) => Vec::new(),
    }
}

/// Fit for a line, control characters spelt out.
fn cut(text: &str) -> String {
    let spelt = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let line: String = text.chars().take(SHOWN_MAX).map(spelt).collect();
    match text.chars().nth(SHOWN_MAX) {
        Some(_) => format!("{line} ... ({} bytes)", text.len()),
        None => line,
    }
}

/// That a check would stay unknown in a run.
fn told(check: Check, what: &str) -> String {
    let letter = check.letter();
    format!("{letter} would be unknown: {what}; or say in `not-applicable` why it cannot apply")
}

/// What it comes to, and what is to be done.
fn summary(judgement: &Judgement, unmatched: usize, unproven: &[(Check, &str)]) -> (String, Exit) {
    let mut lines: Vec<(bool, String)> = judgement
        .problems
        .iter()
        .map(|problem| (false, problem.clone()))
        .collect();
    lines.push((
        unmatched == 0,
        format!("messages that nothing matched: {unmatched}"),
    ));
    let secret = judgement.verdict(Check::Secret);
    let lost = secret.reasons.iter().find(|reason| reason.contains("own secret"));
    lines.push(match lost {
        Some(reason) => (false, reason.clone()),
        None => (true, "every user saw its own secrets come back".to_owned()),
    });
    let reasons = judgement.verdicts.iter().flat_map(|verdict| &verdict.reasons);
    let mut never: Vec<&String> = reasons
        .filter(|reason| reason.contains(" ever succeeded") || reason.contains("without the nonce"))
        .collect();
    never.sort();
    never.dedup();
    lines.extend(never.into_iter().map(|reason| (false, reason.clone())));
    lines.extend(unproven.iter().map(|(check, what)| (false, told(*check, what))));
    for finding in &judgement.findings {
        let victim = finding.victim.map(|victim| format!(", victim user {}", victim.0));
        let (kind, observer, detail) = (&finding.kind, finding.observer.0, &finding.detail);
        let victim = victim.unwrap_or_default();
        lines.push((
            false,
            format!("{kind}: observer user {observer}{victim}; {detail}"),
        ));
    }
    let good = lines.iter().all(|(fine, _)| *fine);
    let exit = match (judgement.findings.is_empty(), good) {
        (false, _) => Exit::Violated,
        (true, true) => Exit::Done,
        (true, false) => Exit::Unknown,
    };
    let line = |(fine, what): &(bool, String)| format!("{}  {what}", if *fine { "ok   " } else { "wrong" });
    (lines.iter().map(line).collect::<Vec<_>>().join("\n"), exit)
}
