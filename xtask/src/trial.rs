//! One run: start, drive, audit, stress, stop; then judge.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use history::{At, Fact, RunHeader};
use isolation::NON_INTERFERENCE;
use services::Guard;
use session::plan::{PhaseKind, Plan, Scale};
use session::profile::Profile;
use session::{Clock, Drive, Driven, LEADER, Limits, Target, Trace};
use tokio::sync::watch;

use crate::alone::Bench;
use crate::archive::Archive;
use crate::audit;
use crate::cli::Plane;
use crate::exit::Signal;
use crate::fault::{Fault, Moment};
use crate::interrupt::Interrupt;
use crate::judge::{self, Judged};
use crate::log::Log;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::settings::Settings;
use crate::stack::{self, Chat, Order, POSTGRES, Stack};
use crate::supply::Supply;
use crate::vigil::Vigil;

/// The last phases: users wait until their sessions have expired, and listen. Nothing is measured by then.
const LEISURE: [PhaseKind; 2] = [PhaseKind::Boundary, PhaseKind::Drain];

/// What a run is made of.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) settings: &'a Settings,
    /// Of the plan.
    pub(crate) seed: u64,
    /// 25 bits, in every canary.
    pub(crate) run: u32,
    /// `None` if no users are driven.
    pub(crate) binaries: Option<&'a Supply>,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) progress: &'a Progress,
    pub(crate) interrupt: &'a Interrupt,
    /// Where each step is told; `None` if nobody wants to know.
    pub(crate) trace: Option<&'a Trace>,
}

/// What came of a run.
pub(crate) enum Outcome {
    /// It went as far as it went, and is judged.
    Judged {
        judged: Box<Judged>,
        /// Whether there was something that the harness could not do; the judge's problems say what.
        flawed: bool,
    },
    /// A signal came while the services were starting.
    Interrupted(Signal),
    /// The services did not come up.
    NotStarted(anyhow::Error),
}

impl<'a> Trial<'a> {
    /// Runs and judges. Whatever happens, nothing is left running.
    pub(crate) async fn run(self) -> Result<Outcome> {
        let began = Instant::now();
        let guard = match stack::guard(self.run_dir).await {
            Ok(guard) => guard,
            Err(error) => return Ok(Outcome::NotStarted(error)),
        };
        let order = self.wanted();
        let half_way = self.strike(Moment::Start, None, &guard, None);
        let stack = tokio::select! {
            biased;
            // it ends a build, too, which is no failure then
            signal = self.interrupt.came() => Err(Outcome::Interrupted(signal)),
            started = Stack::start(&guard, order, self.progress, half_way) => started.map_err(Outcome::NotStarted),
        };
        let stack = match stack {
            Ok(stack) => stack,
            Err(outcome) => {
                for problem in guard.stop().await?.problems {
                    self.progress
                        .note(&format!("not all is stopped and removed: {problem}"));
                }
                return Ok(outcome);
            }
        };
        // what had to be compiled when all else was there is no part of the run
        let epoch = began + stack.idle;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = now.saturating_sub(epoch.elapsed());
        let profile = self.settings.profile();
        let notes = self.notes(&profile, &stack.notes);
        let header = self.header(&profile, u64::try_from(started.as_millis())?, notes);
        let mut log = match Log::begin(self.run_dir, &header, Clock::new(epoch)) {
            Ok(log) => log,
            Err(error) => {
                stack.stop(guard).await;
                return Err(error);
            }
        };
        log.stage("start", At::START);
        let driven = self.covered(&stack, &guard, profile, epoch, &mut log).await;
        self.strike(Moment::Stop, Some(&stack), &guard, Some(&mut log))
            .await;
        self.progress.stage("stopping the services");
        let from = log.clock.now();
        for problem in stack.stop(guard).await {
            log.trouble(format!("not all is stopped and removed: {problem}"));
        }
        log.stage("stop", from);
        self.progress.stage("judging");
        self.judged(log, driven, header)
    }

    /// What the services are made from.
    pub(crate) fn wanted(self) -> Order<'a> {
        Order {
            binaries: self.binaries,
            target: self.settings.target.as_ref(),
            run_dir: self.run_dir,
            postgres: &self.settings.postgres,
            offline: self.settings.offline,
            mutant: self.settings.mutant.as_deref(),
        }
    }

    /// From the first user to the last look at the services.
    async fn covered(
        self,
        stack: &Stack,
        guard: &Guard,
        profile: Profile,
        epoch: Instant,
        log: &mut Log,
    ) -> Vec<Driven> {
        let mut vigil = Vigil::new(stack, log.clock);
        let mut driven = Vec::new();
        let mut pools = stack.stress.as_ref().map(audit::Pools::new);
        if let Some(chat) = &stack.chat {
            let bench = Bench {
                stack,
                guard,
                profile: &profile,
                epoch,
            };
            driven = self.alone(bench, log).await;
            let field = Field {
                stack,
                guard,
                chat,
                epoch,
            };
            let outcome = self
                .drive(field, profile.clone(), pools.as_mut(), &mut vigil, log)
                .await;
            driven.extend(log.survive("driving the users", outcome));
            for error in driven.iter_mut().flat_map(|driven| driven.broken.drain(..)) {
                log.trouble(format!(
                    "driving the users failed: {:#}",
                    anyhow::Error::new(error)
                ));
            }
            self.strike(Moment::Audit, Some(stack), guard, Some(log)).await;
            self.audit(stack, chat, &profile, &mut vigil, log).await;
        }
        if self.settings.selects(Plane::Dbpool) {
            self.strike(Moment::Pools, Some(stack), guard, Some(log)).await;
            self.stress(pools, &mut vigil, log).await;
        }
        vigil.roll_call(log.blamed()).await;
        log.note(&mut vigil);
        log.settle(&vigil);
        driven
    }

    async fn audit(
        self,
        stack: &Stack,
        chat: &Chat,
        profile: &Profile,
        vigil: &mut Vigil<'_>,
        log: &mut Log,
    ) {
        self.progress.stage("reading the database and the operator ports");
        let from = log.clock.now();
        vigil.roll_call(log.blamed()).await;
        log.note(vigil);
        if vigil.lacks(POSTGRES) {
            log.record(Fact::AuditEnd {
                rows: 0,
                complete: false,
            });
        } else {
            self.unless_called_off(vigil, audit::rows(chat, profile, log))
                .await;
        }
        tokio::select! {
            biased;
            _ = self.interrupt.came() => {}
            () = audit::operators(stack, chat, vigil, profile, log) => {}
        }
        log.stage("audit", from);
    }

    /// Whether the pools can be stressed while the users [wait or listen](LEISURE).
    fn stresses_early(self) -> bool {
        let own_moment = |fault: &Fault| fault.moment == Moment::Pools;
        self.settings.selects(Plane::Dbpool) && !self.settings.faults.iter().any(own_moment)
    }

    async fn stress(self, pools: Option<audit::Pools>, vigil: &mut Vigil<'_>, log: &mut Log) {
        let Some(mut pools) = pools.filter(|_| !vigil.lacks(POSTGRES)) else {
            return;
        };
        self.progress.stage("stressing the connection pools");
        let from = log.clock.now();
        self.unless_called_off(vigil, pools.end(log)).await;
        log.note(vigil);
        log.stage("pools", from);
    }

    /// Works with the database until it is done, a signal comes or the database is lost.
    async fn unless_called_off(self, vigil: &mut Vigil<'_>, work: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            _ = self.interrupt.came() => {}
            () = vigil.only(POSTGRES) => {}
            () = work => {}
        }
    }

    fn judged(self, mut log: Log, driven: Vec<Driven>, header: RunHeader) -> Result<Outcome> {
        let interrupted = self.interrupt.seen().is_some();
        log.record(Fact::Ended { interrupted });
        let (own, mut flawed) = log.finish();
        let (mut judge, mut meter) = (own.judge, own.meter);
        let mut seals = own.seal.map(|seal| vec![seal]).map_err(anyhow::Error::new);
        for driven in driven {
            judge = judge.merge(driven.judge);
            meter = meter.merge(driven.meter);
            seals = seals.map(|own| own.into_iter().chain(driven.seals).collect());
        }
        let archive = seals.and_then(|seals| Archive::seal(self.run_dir.path(), self.run, seals));
        let judged = match archive {
            Ok(archive) => judge::finish(judge, meter, &archive)?,
            Err(error) => {
                flawed = true;
                let judge = judge::lacking(judge, &format!("the history is not whole: {error:#}"));
                judge::without_history(judge, meter, header, interrupted)
            }
        };
        Ok(Outcome::Judged {
            judged: Box::new(judged),
            flawed,
        })
    }

    /// Drives the users on threads of their own, watches the services, and strikes when it is time.
    async fn drive(
        self,
        field: Field<'_>,
        profile: Profile,
        mut pools: Option<&mut audit::Pools>,
        vigil: &mut Vigil<'_>,
        log: &mut Log,
    ) -> Result<Driven> {
        let (sender, mut progress) = watch::channel(session::Progress::default());
        let (call_off, interrupt) = watch::channel(false);
        let (plan, target) = (self.plan(&profile)?, field.chat.target(profile));
        let drive = self.drive_of(plan, target, LEADER, field.epoch, (sender, interrupt));
        let mut due = self.due(&drive.plan);
        let trace = self.trace.cloned();
        let mut driving = tokio::task::spawn_blocking(move || match trace {
            Some(trace) => session::rehearse(drive, trace),
            None => session::drive(drive),
        });
        let (mut raised, mut lost) = (self.interrupt.flag(), false);
        let mut watching = Box::pin(vigil.any());
        let driven = loop {
            tokio::select! {
                driven = &mut driving => break driven,
                Ok(()) = progress.changed() => {
                    let progress = progress.borrow_and_update().clone();
                    self.show(&progress);
                    if LEISURE.iter().any(|kind| progress.phase == kind.name()) && self.stresses_early() {
                        pools.iter_mut().for_each(|pools| pools.begin());
                    }
                    while let Some((_, fault)) = due.pop_if(|(phase, _)| *phase <= progress.done) {
                        self.inflict(fault, Some(field.stack), field.guard, Some(log)).await;
                    }
                }
                Ok(_) = raised.wait_for(|raised| *raised), if !*call_off.borrow() => {
                    call_off.send_replace(true);
                }
                () = &mut watching, if !lost => {
                    lost = true;
                    call_off.send_replace(true);
                }
            }
        };
        drop(watching);
        log.note(vigil);
        if lost {
            log.record(Fact::LimitHit {
                what: "the run was called off, as it had lost a service".into(),
            });
        }
        for (_, fault) in due {
            log.trouble(format!("{fault} never came to pass: that phase was not reached"));
        }
        Ok(driven.context("the drive broke")??)
    }

    /// Who does what, for this target.
    pub(crate) fn plan(self, profile: &Profile) -> Result<Plan> {
        let dialects = u8::try_from(profile.dialects.len())?;
        Ok(Plan::new(Scale {
            seed: self.seed,
            dialects,
            ..self.settings.scale.clone()
        })?)
    }

    pub(crate) fn drive_of(
        self,
        plan: Plan,
        target: Target,
        leader: u16,
        epoch: Instant,
        (progress, interrupt): (watch::Sender<session::Progress>, watch::Receiver<bool>),
    ) -> Drive {
        Drive {
            plan,
            target,
            run_dir: self.run_dir.path().to_path_buf(),
            run: self.run,
            leader,
            epoch,
            limits: Limits::default(),
            progress,
            interrupt,
        }
    }

    /// The faults that come in phases, the first one last.
    fn due(self, plan: &Plan) -> Vec<(u16, &'a Fault)> {
        let faults = self.settings.faults.iter();
        let mut due: Vec<_> = faults
            .filter_map(|fault| Some((fault.phase(plan)?, fault)))
            .collect();
        due.reverse();
        due.sort_by_key(|(phase, _)| std::cmp::Reverse(*phase));
        due
    }

    /// Inflicts the faults that come now.
    async fn strike(self, moment: Moment, stack: Option<&Stack>, guard: &Guard, mut log: Option<&mut Log>) {
        for fault in self.settings.faults.iter().filter(|fault| fault.moment == moment) {
            self.inflict(fault, stack, guard, log.as_deref_mut()).await;
        }
    }

    async fn inflict(self, fault: &Fault, stack: Option<&Stack>, guard: &Guard, log: Option<&mut Log>) {
        let inflicted = fault.inflict(stack, guard, self.interrupt).await;
        let Some(log) = log else { return };
        match inflicted {
            Ok(true) => log.record(Fact::FaultInjected {
                what: fault.to_string().into(),
            }),
            Ok(false) => {}
            Err(error) => log.trouble(format!("{fault} never came to pass: {error:#}")),
        }
    }

    fn show(self, progress: &session::Progress) {
        let users = u64::from(self.settings.scale.users);
        let round = if progress.round > 0 {
            format!(" {}", progress.round)
        } else {
            String::new()
        };
        let what = format!("driving {users} users: {}{round}", progress.phase);
        if progress.arrived == 0 {
            self.progress.stage(&what);
        }
        self.progress.step(&what, progress.arrived.into(), users);
    }

    /// What the report must say of the set-up and of the target.
    fn notes(self, profile: &Profile, of_stack: &[String]) -> Vec<String> {
        let absent = profile.absent.iter();
        let absent = absent.map(|(what, reason)| format!("not there: {what}, {reason}"));
        let own = self.settings.notes.iter().chain(of_stack).cloned();
        own.chain(absent).collect()
    }

    fn header(self, profile: &Profile, started_unix_ms: u64, notes: Vec<String>) -> RunHeader {
        let Settings {
            scale,
            planes,
            gates,
            repeat,
            differential,
            ..
        } = self.settings;
        // a run that drives nobody expects nobody
        let driven = |number: u32| if self.settings.drives() { number } else { 0 };
        RunHeader {
            version: history::VERSION,
            run: self.run,
            seed: self.seed,
            started_unix_ms,
            target: profile.name.clone(),
            users: driven(scale.users),
            tenants: driven(scale.tenants),
            rounds: if self.settings.drives() { scale.rounds } else { 0 },
            planes: planes
                .iter()
                .map(|plane| plane.name())
                .chain(differential.then_some(NON_INTERFERENCE))
                .map(str::to_owned)
                .collect(),
            gates: gates.gates().iter().map(ToString::to_string).collect(),
            not_applicable: profile.not_applicable.clone(),
            unseen: profile.unseen.clone(),
            revocation_grace_ms: u64::try_from(profile.revocation_grace.as_millis()).unwrap_or(u64::MAX),
            text_channels: profile.text_channels,
            identity_audience: profile.identity_audience,
            repeat: format!("{repeat} --seed {}", self.seed),
            notes,
        }
    }
}

/// What the users are let loose on.
#[derive(Clone, Copy)]
struct Field<'a> {
    stack: &'a Stack,
    guard: &'a Guard,
    chat: &'a Chat,
    epoch: Instant,
}
