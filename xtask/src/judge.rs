//! Judging a run: live from what the workers hold, or again from the files, through the same steps.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use history::{At, Event, Fact, Place, RunHeader, User};
use isolation::{Evidence, Explainer, Judge, Judgement};
use perf::{Meter, Performance};

use crate::archive::Archive;
use crate::cli::JudgeArgs;
use crate::exit::Exit;
use crate::report::{self, Report};
use crate::screen::{self, Paint};

/// A run that is over and judged.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) header: RunHeader,
    /// Whether a signal ended it before its plan was done.
    pub(crate) interrupted: bool,
    pub(crate) judgement: Judgement,
    /// For the findings, in their order.
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) performance: Performance,
    /// The service's ids of the users.
    pub(crate) users: BTreeMap<String, User>,
}

/// `judge`: reads the history of a run and prints the report again.
pub(crate) fn run(args: &JudgeArgs) -> Result<Exit> {
    let archive = Archive::open(&args.run_dir)?;
    let judged = again(&archive)?;
    let report = Report::of(&judged, &args.run_dir)?;
    let text = if args.json {
        report::json(&report)?
    } else {
        report::screen(&report, Paint::for_stdout())
    };
    screen::print(&text)?;
    Ok(report.exit)
}

/// Judges a run by its history alone.
pub(crate) fn again(archive: &Archive) -> Result<Judged> {
    let (mut judge, mut meter) = (Judge::new(archive.run()), Meter::new());
    archive.read(|place, event| {
        judge.observe(place, event);
        meter.observe(event);
    })?;
    for worker in archive.cut_by_limit() {
        let what = format!("the history of worker {worker} reached its limit");
        judge = lacking(judge, &what);
    }
    finish(judge, meter, archive)
}

/// The judge, told of something that the history itself cannot say.
pub(crate) fn lacking(mut judge: Judge, what: &str) -> Judge {
    let event = Event {
        at: At::NEVER,
        fact: Fact::LimitHit { what: what.into() },
    };
    let nowhere = Place {
        worker: u16::MAX,
        index: u64::MAX,
    };
    judge.observe(nowhere, &event);
    judge
}

/// Decides, then goes through the history once more for the header and for the evidence of findings.
pub(crate) fn finish(judge: Judge, meter: Meter, archive: &Archive) -> Result<Judged> {
    let (judgement, performance) = (judge.finish(), meter.finish());
    let mut explainer = Explainer::new(&judgement);
    let mut outline = Outline::default();
    archive.read(|place, event| {
        outline.observe(event);
        explainer.observe(place, event);
    })?;
    let Some(header) = outline.header else {
        bail!("the history has no header, so nobody knows which run it is; worker 0 writes it first");
    };
    Ok(Judged {
        header,
        interrupted: outline.interrupted,
        evidence: explainer.finish(),
        judgement,
        performance,
        users: outline.users,
    })
}

/// Decides by what was seen live, where the history could not be kept: there is no evidence to show then.
pub(crate) fn without_history(judge: Judge, meter: Meter, header: RunHeader, interrupted: bool) -> Judged {
    Judged {
        header,
        interrupted,
        evidence: Vec::new(),
        judgement: judge.finish(),
        performance: meter.finish(),
        users: BTreeMap::new(),
    }
}

/// The few facts that a report names as they are.
#[derive(Default)]
struct Outline {
    header: Option<RunHeader>,
    interrupted: bool,
    users: BTreeMap<String, User>,
}

impl Outline {
    fn observe(&mut self, event: &Event<'_>) {
        match &event.fact {
            Fact::Run(header) => self.header = Some((**header).clone()),
            Fact::Ended { interrupted } => self.interrupted = *interrupted,
            Fact::Account(account) => {
                self.users.insert(account.user_id.to_string(), account.user);
            }
            _ => {}
        }
    }
}
