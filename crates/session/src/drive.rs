//! Runs a plan against a target.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use history::SegmentSeal;
use isolation::Judge;
use isolation::canary::{Mint, MintError};
use perf::Meter;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};

use crate::board::Board;
use crate::clock::Clock;
use crate::conductor::{Arrival, Conductor, Cue, Progress, STOP_LIMIT};
use crate::cue::Prompter;
use crate::limits::Limits;
use crate::login::Desk;
use crate::plan::{Phase, PhaseKind, Plan};
use crate::recorder::{RecordError, Recorded, Recorder};
use crate::user::VirtualUser;
use crate::worker::{Run, Target, Worker};

/// Number of the worker that leads; those that drive users come after it. Worker 0 is the caller's.
pub const LEADER: u16 = 1;

/// A run to drive.
#[derive(Debug)]
pub struct Drive {
    /// What happens.
    pub plan: Plan,
    /// To whom.
    pub target: Target,
    /// Where the run is kept; the history goes into its folder `history`.
    pub run_dir: PathBuf,
    /// Number of the run, 25 bits.
    pub run: u32,
    /// The instant that is [`history::At::START`].
    pub epoch: Instant,
    /// What bounds the waits.
    pub limits: Limits,
    /// Where the progress goes.
    pub progress: watch::Sender<Progress>,
    /// Raised by whoever wants the run to stop.
    pub interrupt: watch::Receiver<bool>,
}

/// What a run leaves behind: the parts of all workers, merged but not finished.
#[derive(Debug)]
pub struct Driven {
    /// The judge of all that was seen.
    pub judge: Judge,
    /// The meter of all that was seen.
    pub meter: Meter,
    /// Seals of the history's segments, in order of their workers.
    pub seals: Vec<SegmentSeal>,
    /// Whether the history lacks events that the judge has seen.
    pub history_cut: bool,
    /// Whether the run was stopped before its plan was done.
    pub interrupted: bool,
}

/// Why a run could not be driven. What a service does is no such reason.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The target has no gateway.
    #[error("the target has no gateway, at least one is needed")]
    NoGateway,
    /// The plan was made for more gateways or dialects than the target has.
    #[error("the plan is for {planned} {what}, the target has {there}")]
    Mismatch {
        /// Gateways or dialects.
        what: &'static str,
        /// In the plan.
        planned: usize,
        /// In the target.
        there: usize,
    },
    /// The history could not be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A number does not fit a canary.
    #[error("cannot mint canaries")]
    Mint(#[from] MintError),
    /// A thread or its runtime could not be started.
    #[error("cannot start worker {worker}")]
    Start {
        /// Which.
        worker: u16,
        /// Why.
        source: io::Error,
    },
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client")]
    Http(#[from] reqwest::Error),
    /// A worker broke: a bug of the harness.
    #[error("worker {worker} panicked; its part of the evidence is lost")]
    Panicked {
        /// Which.
        worker: u16,
    },
}

/// Drives a run from log-in to close, on threads of its own, and blocks until it is over. However the services behave, it
/// ends: every wait is bounded.
///
/// # Errors
///
/// [`DriveError`] if the harness could not do its work.
pub fn drive(drive: Drive) -> Result<Driven, DriveError> {
    check(&drive.plan, &drive.target)?;
    let (run_dir, interrupt, progress) = (drive.run_dir, drive.interrupt, drive.progress);
    let plan = Arc::new(drive.plan);
    let run = Run {
        run: drive.run,
        clock: Clock::new(drive.epoch),
        board: Arc::new(Board::new(&plan)),
        plan: Arc::clone(&plan),
        target: Arc::new(drive.target),
        limits: drive.limits,
    };
    let (cues, cue) = watch::channel(Cue::Wait);
    let (sender, arrivals) = mpsc::channel(plan.people.len());
    let recorder = Recorder::create(&run_dir, run.run, LEADER)?;
    let mut crew = Vec::new();
    for index in 0..plan.scale.workers {
        let number = LEADER + 1 + index;
        let recorder = Recorder::create(&run_dir, run.run, number)?;
        let hand = Hand {
            number,
            index,
            run: run.clone(),
            cue: cue.clone(),
            arrivals: sender.clone(),
        };
        crew.push((number, hand.start(recorder)?));
    }
    drop((sender, cue));
    let conductor = Conductor {
        plan,
        clock: run.clock,
        recorder,
        cues,
        arrivals,
        progress,
        interrupt,
    };
    let (leader, interrupted) = runtime(LEADER)?.block_on(conductor.lead());
    let mut parts = vec![leader.finish()?];
    for (worker, thread) in crew {
        parts.push(thread.join().map_err(|_| DriveError::Panicked { worker })??);
    }
    Ok(merge(run.run, parts, interrupted))
}

fn check(plan: &Plan, target: &Target) -> Result<(), DriveError> {
    let pairs = [
        (
            "gateways",
            usize::from(plan.scale.replicas),
            target.gateways.len(),
        ),
        (
            "dialects",
            usize::from(plan.scale.dialects),
            target.profile.dialects.len(),
        ),
    ];
    if target.gateways.is_empty() {
        return Err(DriveError::NoGateway);
    }
    match pairs.into_iter().find(|(_, planned, there)| planned > there) {
        Some((what, planned, there)) => Err(DriveError::Mismatch { what, planned, there }),
        None => Ok(()),
    }
}

fn runtime(worker: u16) -> Result<LocalRuntime, DriveError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    runtime.map_err(|source| DriveError::Start { worker, source })
}

fn merge(run: u32, parts: Vec<Recorded>, interrupted: bool) -> Driven {
    let mut driven = Driven {
        judge: Judge::new(run),
        meter: Meter::new(),
        seals: Vec::new(),
        history_cut: false,
        interrupted,
    };
    for Recorded {
        seal,
        limit_hit,
        judge,
        meter,
    } in parts
    {
        driven.seals.push(seal);
        driven.history_cut |= limit_hit;
        driven.judge = driven.judge.merge(judge);
        driven.meter = driven.meter.merge(meter);
    }
    driven
}

/// A thread that drives users.
struct Hand {
    number: u16,
    index: u16,
    run: Run,
    cue: watch::Receiver<Cue>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Hand {
    fn start(self, recorder: Recorder) -> Result<JoinHandle<Result<Recorded, DriveError>>, DriveError> {
        let worker = self.number;
        let thread = thread::Builder::new()
            .name(format!("users-{worker}"))
            .spawn(move || self.work(recorder));
        thread.map_err(|source| DriveError::Start { worker, source })
    }

    fn work(self, recorder: Recorder) -> Result<Recorded, DriveError> {
        let runtime = runtime(self.number)?;
        let worker = Rc::new(Worker::new(self.number, self.run, recorder));
        let desk = Rc::new(Desk::new(&worker)?);
        let ours = worker
            .plan
            .people
            .iter()
            .filter(|person| person.worker == self.index);
        let prompter = Rc::new(Prompter::new());
        let mut lives = Vec::new();
        for person in ours {
            let mint = Mint::new(person.user, worker.run)?;
            let user = VirtualUser::new(&worker, &desk, person.clone(), mint);
            lives.push(runtime.spawn_local(live(user, Rc::clone(&prompter), self.arrivals.clone())));
        }
        drop((desk, self.arrivals));
        let cues = self.cue;
        runtime.spawn_local(async move { prompter.listen(cues).await });
        let joined = runtime.block_on(futures_util::future::join_all(lives));
        if joined.iter().any(Result::is_err) {
            return Err(DriveError::Panicked { worker: self.number });
        }
        // the tasks that still read go, and with them the last references to the worker
        drop(runtime);
        let worker = Rc::into_inner(worker).expect("whoever shared the worker is gone");
        Ok(worker.into_recorder().finish()?)
    }
}

/// A user's life: each phase when its cue comes, until there is none.
async fn live(user: VirtualUser, prompter: Rc<Prompter>, arrivals: mpsc::Sender<Arrival>) {
    let mut next = 0;
    loop {
        let Cue::Play { phase, from } = prompter.wait_for(|cue| is_next(cue, next)).await else {
            break;
        };
        play(
            &user,
            &user.worker.plan.phases[usize::from(phase)],
            from,
            &prompter,
        )
        .await;
        let arrival = Arrival {
            user: user.person.user,
            phase,
            fit: user.is_fit(),
        };
        if arrivals.send(arrival).await.is_err() {
            break;
        }
        next = phase + 1;
        if usize::from(next) == user.worker.plan.phases.len() {
            return;
        }
    }
    let close = Phase {
        kind: PhaseKind::Close,
        ..user.worker.plan.phases[0].clone()
    };
    // whoever does not answer a close is left
    let _ = tokio::time::timeout(STOP_LIMIT, user.play(&close, user.worker.clock.now())).await;
}

/// Plays a phase until its end, or until the others go on without this user.
async fn play(user: &VirtualUser, phase: &Phase, from: history::At, prompter: &Prompter) {
    user.worker.enter(phase);
    tokio::select! {
        biased;
        () = user.play(phase, from) => {}
        _ = prompter.wait_for(|cue| is_next(cue, phase.number + 1)) => {}
    }
}

fn is_next(cue: Cue, next: u16) -> bool {
    match cue {
        Cue::Wait => false,
        Cue::Play { phase, .. } => phase >= next,
        Cue::Stop => true,
    }
}
