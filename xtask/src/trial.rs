//! One run: start, drive, audit, stress, stop; then judge.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use history::{At, Fact, Interval, RunHeader};
use services::Guard;
use session::plan::{Plan, Scale};
use session::profile::Profile;
use session::{Clock, Drive, Driven, Limits, Recorder, Target};
use tokio::sync::watch;

use crate::archive::Archive;
use crate::audit;
use crate::binaries::Binaries;
use crate::cli::Plane;
use crate::exit::Signal;
use crate::interrupt::Interrupt;
use crate::judge::{self, Judged};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::settings::Settings;
use crate::stack::{self, Chat, Order, Stack};

/// What a run is made of.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) settings: &'a Settings,
    /// Of the plan.
    pub(crate) seed: u64,
    /// 25 bits, in every canary.
    pub(crate) run: u32,
    /// `None` if no users are driven.
    pub(crate) binaries: Option<&'a Binaries>,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) progress: &'a Progress,
    pub(crate) interrupt: &'a Interrupt,
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

impl Trial<'_> {
    /// Runs and judges. Whatever happens, nothing is left running.
    pub(crate) async fn run(self) -> Result<Outcome> {
        let epoch = Instant::now();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let guard = match stack::guard(self.run_dir).await {
            Ok(guard) => guard,
            Err(error) => return Ok(Outcome::NotStarted(error)),
        };
        let order = Order {
            binaries: self.binaries,
            run_dir: self.run_dir,
            postgres: &self.settings.postgres,
            offline: self.settings.offline,
            mutant: self.settings.mutant.as_deref(),
        };
        let stack = tokio::select! {
            started = Stack::start(&guard, order, self.progress) => started.map_err(Outcome::NotStarted),
            signal = self.interrupt.came() => Err(Outcome::Interrupted(signal)),
        };
        let stack = match stack {
            Ok(stack) => stack,
            Err(outcome) => {
                guard.stop().await?;
                return Ok(outcome);
            }
        };
        let profile = Profile::reference();
        let header = self.header(&profile, u64::try_from(started.as_millis())?, &stack.notes);
        let mut log = Log::begin(self.run_dir, header, Clock::new(epoch))?;
        log.stage("start", At::START);
        self.covered(stack, guard, profile, epoch, log).await
    }

    /// From the first user to the last verdict.
    async fn covered(
        self,
        stack: Stack,
        guard: Guard,
        profile: Profile,
        epoch: Instant,
        mut log: Log,
    ) -> Result<Outcome> {
        let mut driven = None;
        if let Some(chat) = &stack.chat {
            let outcome = self.drive(chat, profile.clone(), epoch).await;
            driven = log.survive("driving the users", outcome);
            self.unless_interrupted(self.audit(chat, &profile, &mut log))
                .await;
        }
        if self.settings.selects(Plane::Dbpool) {
            self.unless_interrupted(self.stress(&stack, &mut log)).await;
        }
        for death in stack.deaths() {
            let fact = Fact::ServiceDied {
                name: death.name.into(),
                detail: death.exit.to_string().into(),
            };
            log.record(fact);
        }
        self.progress.stage("stopping the services");
        let from = log.clock.now();
        for problem in stack.stop(guard).await {
            log.trouble(format!("not all is stopped and removed: {problem}"));
        }
        log.stage("stop", from);
        self.progress.stage("judging");
        self.judged(log, driven)
    }

    async fn audit(self, chat: &Chat, profile: &Profile, log: &mut Log) {
        self.progress.stage("reading the database and the operator ports");
        let from = log.clock.now();
        audit::operators(chat, profile, log).await;
        audit::rows(chat, profile, log).await;
        log.stage("audit", from);
    }

    async fn stress(self, stack: &Stack, log: &mut Log) {
        self.progress.stage("stressing the connection pools");
        let from = log.clock.now();
        audit::pools(&stack.stress, log).await;
        log.stage("pools", from);
    }

    /// Works until it is done or a signal comes.
    async fn unless_interrupted(self, work: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            _ = self.interrupt.came() => {}
            () = work => {}
        }
    }

    fn judged(self, mut log: Log, driven: Option<Driven>) -> Result<Outcome> {
        log.record(Fact::Ended {
            interrupted: self.interrupt.seen().is_some(),
        });
        let Log { recorder, flawed, .. } = log;
        let own = recorder.finish()?;
        let (mut judge, mut meter, mut seals) = (own.judge, own.meter, vec![own.seal]);
        if let Some(driven) = driven {
            judge = judge.merge(driven.judge);
            meter = meter.merge(driven.meter);
            seals.extend(driven.seals);
        }
        let archive = Archive::seal(self.run_dir.path(), self.run, seals)?;
        let judged = Box::new(judge::finish(judge, meter, &archive)?);
        Ok(Outcome::Judged { judged, flawed })
    }

    /// Drives the users on threads of their own.
    async fn drive(self, chat: &Chat, profile: Profile, epoch: Instant) -> Result<Driven> {
        let dialects = u8::try_from(profile.dialects.len())?;
        let scale = Scale {
            seed: self.seed,
            dialects,
            ..self.settings.scale.clone()
        };
        let (sender, mut progress) = watch::channel(session::Progress::default());
        let drive = Drive {
            plan: Plan::new(scale)?,
            target: Target {
                auth: format!("http://{}", chat.auth),
                gateways: chat.gateways.iter().map(ToString::to_string).collect(),
                profile,
            },
            run_dir: self.run_dir.path().to_path_buf(),
            run: self.run,
            epoch,
            limits: Limits::default(),
            progress: sender,
            interrupt: self.interrupt.flag(),
        };
        let mut driving = tokio::task::spawn_blocking(move || session::drive(drive));
        loop {
            tokio::select! {
                driven = &mut driving => return Ok(driven.context("the drive broke")??),
                Ok(()) = progress.changed() => self.show(&progress.borrow_and_update()),
            }
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

    fn header(self, profile: &Profile, started_unix_ms: u64, notes: &[String]) -> Box<RunHeader> {
        let Settings {
            scale,
            planes,
            gates,
            repeat,
            ..
        } = self.settings;
        // a run that drives nobody expects nobody
        let driven = |number: u32| if self.settings.drives() { number } else { 0 };
        Box::new(RunHeader {
            version: history::VERSION,
            run: self.run,
            seed: self.seed,
            started_unix_ms,
            target: profile.name.clone(),
            users: driven(scale.users),
            tenants: driven(scale.tenants),
            rounds: if self.settings.drives() { scale.rounds } else { 0 },
            planes: planes.iter().map(|plane| plane.name().to_owned()).collect(),
            gates: gates.gates().iter().map(ToString::to_string).collect(),
            not_applicable: profile.not_applicable.clone(),
            revocation_grace_ms: u64::try_from(profile.revocation_grace.as_millis()).unwrap_or(u64::MAX),
            text_channels: profile.text_channels,
            identity_audience: profile.identity_audience,
            repeat: format!("{repeat} --seed {}", self.seed),
            notes: notes.to_vec(),
        })
    }
}

/// What worker 0 records, and what went wrong besides.
pub(crate) struct Log {
    pub(crate) clock: Clock,
    recorder: Recorder,
    flawed: bool,
}

impl Log {
    fn begin(run_dir: &RunDir, header: Box<RunHeader>, clock: Clock) -> Result<Self> {
        let mut recorder = Recorder::create(run_dir.path(), header.run, 0)?;
        recorder.record(At::START, Fact::Run(header));
        Ok(Self {
            clock,
            recorder,
            flawed: false,
        })
    }

    /// Records what happens now.
    pub(crate) fn record(&mut self, fact: Fact<'_>) {
        self.recorder.record(self.clock.now(), fact);
    }

    /// Records a stage that ends now.
    fn stage(&mut self, name: &str, from: At) {
        let to = self.clock.now();
        self.recorder.record(
            to,
            Fact::Stage {
                name: name.into(),
                during: Interval { from, to },
            },
        );
    }

    /// What the harness could not do: in the history too, so that no verdict is valid for want of it.
    pub(crate) fn trouble(&mut self, what: String) {
        self.record(Fact::LimitHit { what: what.into() });
        self.flawed = true;
    }

    /// The outcome, or trouble.
    pub(crate) fn survive<T>(&mut self, doing: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(done) => Some(done),
            Err(error) => {
                self.trouble(format!("{doing} failed: {error:#}"));
                None
            }
        }
    }
}
