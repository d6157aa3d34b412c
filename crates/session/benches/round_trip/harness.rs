//! The harness, as a run uses it: log-in, connect, a measured round of posts, all of it recorded, judged and metered.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use history::Check;
use serde::{Deserialize, Serialize};
use session::plan::{Mix, PhaseKind, Plan, Scale};
use session::{Drive, Limits, Progress, Target, Tls, drive};
use tokio::sync::watch;

use crate::cpu::{self, Mark, Spent};
use crate::echo::Echo;
use crate::target::Frame;

pub(crate) const ROLE: &str = "harness";
/// The server has the other one.
pub(crate) const CPU: usize = 1;
/// Number of the run, in its canaries.
pub(crate) const RUN: u32 = 4711;
/// In this order; the drain holds all connections open while memory is looked at.
const PHASES: [PhaseKind; 5] = [
    PhaseKind::Login,
    PhaseKind::Connect,
    PhaseKind::Round,
    PhaseKind::Drain,
    PhaseKind::Close,
];
/// Time to look at the memory.
const DRAIN: Duration = Duration::from_millis(500);

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) echo: Echo,
    pub(crate) users: u32,
    pub(crate) slice_ms: u64,
    pub(crate) frame: Frame,
    /// An empty folder for the history.
    pub(crate) folder: PathBuf,
}

/// What it did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Answered posts.
    pub(crate) round_trips: u64,
    /// In the round.
    pub(crate) spent: Spent,
    /// After it, all connections open.
    pub(crate) pss_kib: u64,
}

pub(crate) fn run(order: &Order) -> Result<Done> {
    cpu::stay_on(CPU)?;
    let (sender, progress) = watch::channel(Progress::default());
    let (_keep, interrupt) = watch::channel(false);
    let observer = thread::spawn(move || observe(progress));
    let driven = drive(Drive {
        plan: plan(order)?,
        target: Target {
            auth: order.echo.auth.clone(),
            gateways: vec![format!("ws://{}", order.echo.gateway)],
            tls: Tls::default(),
            profile: order.frame.profile()?,
            strangers: Vec::new(),
        },
        run_dir: order.folder.clone(),
        run: RUN,
        leader: session::LEADER,
        epoch: Instant::now(),
        limits: Limits {
            drain: DRAIN,
            drain_quiet: DRAIN,
            ..Limits::default()
        },
        progress: sender,
        interrupt,
    })?;
    let observed = observer.join().map_err(|_| anyhow!("the observer panicked"))??;
    let outcomes = driven.meter.finish().outcomes;
    let judgement = driven.judge.finish();
    let checked = judgement.verdict(Check::Response).events;
    ensure!(
        judgement.findings.is_empty(),
        "an echo leaks nothing: {:?}",
        judgement.findings
    );
    ensure!(
        outcomes.ok == outcomes.total() && checked * 10 >= outcomes.ok * 9,
        "of {} posts {} were answered and {checked} held against their nonce",
        outcomes.total(),
        outcomes.ok
    );
    Ok(Done {
        round_trips: outcomes.ok,
        ..observed
    })
}

fn plan(order: &Order) -> Result<Plan> {
    let mut plan = Plan::new(Scale {
        users: order.users,
        tenants: 1,
        rounds: 1,
        duration: Duration::from_millis(order.slice_ms),
        mix: Mix::Posts,
        workers: 1,
        ..Scale::default()
    })?;
    plan.phases.retain(|phase| PHASES.contains(&phase.kind));
    for (number, phase) in (0..).zip(&mut plan.phases) {
        phase.number = number;
    }
    Ok(plan)
}

/// CPU time of the round, and memory at its end.
#[tokio::main(flavor = "current_thread")]
async fn observe(mut progress: watch::Receiver<Progress>) -> Result<Done> {
    let mut reached = async |kind: PhaseKind| -> Result<()> {
        let there = progress.wait_for(|progress| progress.phase == kind.name()).await;
        there.with_context(|| format!("the phase {} did not come", kind.name()))?;
        Ok(())
    };
    reached(PhaseKind::Round).await?;
    let begin = Mark::now();
    reached(PhaseKind::Drain).await?;
    let spent = begin.until(Mark::now());
    let pss_kib = cpu::pss_kib()?;
    Ok(Done {
        round_trips: 0,
        spent,
        pss_kib,
    })
}
