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

use crate::alarm::Alarm;
use crate::board::Board;
use crate::clock::Clock;
use crate::conductor::{Arrival, Conductor, Cue, Progress, STOP_LIMIT};
use crate::cue::Prompter;
use crate::limits::Limits;
use crate::login::Desk;
use crate::plan::{Phase, PhaseKind, Plan};
use crate::player::Player;
use crate::recorder::{RecordError, Recorded, Recorder};
use crate::subject::Subject;
use crate::trace::Trace;
use crate::user::VirtualUser;
use crate::worker::{Run, Target, Worker};

/// Number of the first worker that leads. Worker 0 is the caller's.
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
    /// Number of the worker that leads, [`LEADER`] unless others have driven in this run: those that drive users come
    /// after it.
    pub leader: u16,
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
    /// What the harness itself could not do; what was seen all the same is in the other fields.
    pub broken: Vec<DriveError>,
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
    /// A worker broke: a bug of the harness.
    #[error("worker {worker} panicked, which is a bug of the harness: a part of the evidence may be lost")]
    Panicked {
        /// Which.
        worker: u16,
    },
}

/// Drives a run from log-in to close, on threads of its own, and blocks until it is over. However the services behave, it
/// ends: every wait is bounded. It ends early, too, when nobody is served any more or the harness itself breaks.
///
/// # Errors
///
/// [`DriveError`] if the run could not begin; what breaks later is [`Driven::broken`].
pub fn drive(drive: Drive) -> Result<Driven, DriveError> {
    conduct(drive, None)
}

/// As [`drive`], and tells what was sent and what came.
///
/// # Errors
///
/// As [`drive`].
pub fn rehearse(drive: Drive, trace: Trace) -> Result<Driven, DriveError> {
    conduct(drive, Some(trace))
}

fn conduct(drive: Drive, trace: Option<Trace>) -> Result<Driven, DriveError> {
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
        trace,
    };
    let leader = drive.leader;
    let leading = runtime(leader)?;
    let (cues, cue) = watch::channel(Cue::Wait);
    let (raise, alarm) = watch::channel(false);
    let (sender, arrivals) = mpsc::channel(plan.users().count());
    let recorder = Recorder::create(&run_dir, run.run, leader)?;
    let mut crew = Vec::new();
    for index in 0..plan.scale.workers {
        let number = leader + 1 + index;
        let recorder = Recorder::create(&run_dir, run.run, number)?;
        let hand = Hand {
            number,
            index,
            run: run.clone(),
            cue: cue.clone(),
            arrivals: sender.clone(),
            alarm: Alarm::new(raise.clone()),
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
        alarm,
    };
    let (leader, interrupted) = leading.block_on(conductor.lead());
    let mut driven = Driven {
        judge: Judge::new(run.run),
        meter: Meter::new(),
        seals: Vec::new(),
        history_cut: false,
        interrupted,
        broken: Vec::new(),
    };
    driven = driven.with(leader.finish());
    for (worker, thread) in crew {
        match thread.join() {
            Ok(Ok((recorded, panicked))) => {
                driven = driven.with(recorded);
                driven
                    .broken
                    .extend(panicked.then_some(DriveError::Panicked { worker }));
            }
            Ok(Err(error)) => driven.broken.push(error),
            Err(_) => driven.broken.push(DriveError::Panicked { worker }),
        }
    }
    Ok(driven)
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

impl Driven {
    fn with(mut self, part: Recorded) -> Self {
        self.judge = self.judge.merge(part.judge);
        self.meter = self.meter.merge(part.meter);
        self.history_cut |= part.limit_hit;
        match part.seal {
            Ok(seal) => self.seals.push(seal),
            Err(error) => self.broken.push(error.into()),
        }
        self
    }
}

/// A thread that drives users.
struct Hand {
    number: u16,
    index: u16,
    run: Run,
    cue: watch::Receiver<Cue>,
    arrivals: mpsc::Sender<Arrival>,
    alarm: Alarm,
}

/// What a worker saw, and whether one of its tasks panicked.
type Part = (Recorded, bool);

impl Hand {
    fn start(self, recorder: Recorder) -> Result<JoinHandle<Result<Part, DriveError>>, DriveError> {
        let worker = self.number;
        let thread = thread::Builder::new()
            .name(format!("users-{worker}"))
            .spawn(move || {
                let alarm = self.alarm.clone();
                let _tripwire = alarm.tripwire();
                self.work(recorder).inspect_err(|_| alarm.raise())
            });
        thread.map_err(|source| DriveError::Start { worker, source })
    }

    fn work(self, recorder: Recorder) -> Result<Part, DriveError> {
        let runtime = runtime(self.number)?;
        let worker = Rc::new(Worker::new(self.number, self.run, recorder, self.alarm.clone()));
        let desk = Rc::new(Desk::new(&worker));
        let prompter = Rc::new(Prompter::new());
        let mut lives = Vec::new();
        for player in players(&worker, &desk, self.index)? {
            let life = live(player, Rc::clone(&prompter), self.arrivals.clone());
            lives.push(runtime.spawn_local(worker.watched(life)));
        }
        drop((desk, self.arrivals));
        let cues = self.cue;
        runtime.spawn_local(worker.watched(async move { prompter.listen(cues).await }));
        let clerk = Rc::clone(&worker);
        // it does for all what each would do by itself, and so does not stop where one should let others go on
        let clerk = tokio::task::unconstrained(async move { clerk.trays.serve().await });
        runtime.spawn_local(worker.watched(clerk));
        runtime.block_on(async {
            // of one that broke the alarm is told
            futures_util::future::join_all(lives).await;
            worker.trays.empty();
        });
        // the tasks that still read go, and with them the last references to the worker
        drop(runtime);
        let Some(worker) = Rc::into_inner(worker) else {
            return Err(DriveError::Panicked { worker: self.number });
        };
        Ok((worker.into_recorder().finish(), self.alarm.panicked()))
    }
}

/// Those whom the worker of that index drives.
fn players(worker: &Rc<Worker>, desk: &Rc<Desk>, index: u16) -> Result<Vec<Player>, MintError> {
    let mint = |user| Mint::new(user, worker.run);
    let people = worker.plan.people.iter().filter(|person| person.worker == index);
    let people = people.map(|person| {
        let user = VirtualUser::new(worker, desk, person.clone(), mint(person.user)?);
        Ok(Player::User(Box::new(user)))
    });
    let subjects = worker.plan.subjects.iter();
    let subjects = subjects
        .filter(|subject| subject.person.worker == index)
        .map(|plan| {
            let subject = Subject::new(worker, desk, plan.clone(), mint(plan.person.user)?);
            Ok(Player::Subject(Box::new(subject)))
        });
    people.chain(subjects).collect()
}

/// A user's life: each phase when its cue comes, until there is none.
async fn live(user: Player, prompter: Rc<Prompter>, arrivals: mpsc::Sender<Arrival>) {
    let worker = Rc::clone(user.worker());
    let plan = &worker.plan;
    let mut next = plan.first_phase();
    let end = next + u16::try_from(plan.phases.len()).unwrap_or(u16::MAX);
    loop {
        let Cue::Play { phase, from } = prompter.wait_for(|cue| is_next(cue, next)).await else {
            break;
        };
        play(&user, plan.phase(phase), from, &prompter).await;
        let arrival = Arrival {
            user: user.user(),
            phase,
            fit: user.is_fit(),
        };
        if arrivals.send(arrival).await.is_err() {
            break;
        }
        next = phase + 1;
        if next == end {
            return;
        }
    }
    let close = Phase {
        kind: PhaseKind::Close,
        ..plan.phases[0].clone()
    };
    // whoever does not answer a close is left
    let _ = tokio::time::timeout(STOP_LIMIT, user.play(&close, worker.clock.now())).await;
}

/// Plays a phase until its end, or until the others go on without this user.
async fn play(user: &Player, phase: &Phase, from: history::At, prompter: &Prompter) {
    user.worker().enter(phase);
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
