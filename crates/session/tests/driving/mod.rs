//! Runs against servers that are not what they should be, and what must come of them.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::time::{Duration, Instant};

use history::{Fact, RunHeader};
use isolation::{Judgement, State};
use session::plan::{Plan, Scale};
use session::profile::Profile;
use session::{Clock, Drive, Limits, Progress, Recorder, Target, Tls, drive};
use tokio::sync::watch;

use crate::servers::{Manner, Servers};

/// Who drive, unless a test says otherwise.
const USERS: u32 = 12;
/// Far above what a run may take, far below what an unbounded wait would.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
pub(crate) const RUN: u32 = 77;

pub(crate) struct Run {
    pub(crate) judgement: Judgement,
    pub(crate) interrupted: bool,
}

/// Drives users against what is there, and judges.
pub(crate) fn run(
    auth: String,
    gateway: String,
    duration: Duration,
    interrupt: watch::Receiver<bool>,
) -> Run {
    run_as(USERS, quick(), auth, gateway, duration, interrupt)
}

/// As [`run`], with so many users and within these limits.
fn run_as(
    users: u32,
    limits: Limits,
    auth: String,
    gateway: String,
    duration: Duration,
    interrupt: watch::Receiver<bool>,
) -> Run {
    let scale = Scale {
        seed: 1,
        users,
        rounds: 1,
        workers: 1,
        duration,
        ..Scale::default()
    };
    run_on(reference(), scale, limits, (auth, gateway), interrupt)
}

/// Drives users of a target of one's own, and judges.
pub(crate) fn run_on(
    profile: Profile,
    scale: Scale,
    limits: Limits,
    (auth, gateway): (String, String),
    interrupt: watch::Receiver<bool>,
) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let mut composer = Recorder::create(folder.path(), RUN, 0).expect("a history");
    let clock = Clock::new(began);
    composer.record(clock.now(), Fact::Run(Box::new(header(&profile, &scale))));
    let plan = Plan::new(scale).expect("a plan");
    let driven = drive(Drive {
        epoch: began,
        limits,
        interrupt,
        ..one(plan, profile, (auth, gateway), folder.path())
    });
    assert!(began.elapsed() < BOUND, "took {:?}", began.elapsed());
    let driven = driven.expect("the harness did its work");
    composer.record(
        clock.now(),
        Fact::Ended {
            interrupted: driven.interrupted,
        },
    );
    assert!(driven.broken.is_empty(), "{:?}", driven.broken);
    let own = composer.finish();
    Run {
        judgement: driven.judge.merge(own.judge).finish(),
        interrupted: driven.interrupted,
    }
}

/// A drive of which nobody hears, and which nobody interrupts.
pub(crate) fn one(plan: Plan, profile: Profile, (auth, gateway): (String, String), run_dir: &Path) -> Drive {
    Drive {
        plan,
        target: Target {
            auth,
            gateways: vec![format!("ws://{gateway}")],
            tls: Tls::default(),
            profile,
            strangers: Vec::new(),
        },
        run_dir: run_dir.to_owned(),
        run: RUN,
        leader: session::LEADER,
        epoch: Instant::now(),
        limits: quick(),
        progress: watch::channel(Progress::default()).0,
        interrupt: watch::channel(false).1,
    }
}

/// The reference's profile, with the first of its dialects alone.
pub(crate) fn reference() -> Profile {
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    profile
}

pub(crate) fn quick() -> Limits {
    Limits {
        op: Duration::from_millis(500),
        op_min: Duration::from_millis(500),
        op_silent: Duration::from_millis(50),
        connect: Duration::from_millis(500),
        drain_quiet: Duration::from_millis(50),
        drain: Duration::from_millis(500),
        ..Limits::default()
    }
}

fn header(profile: &Profile, scale: &Scale) -> RunHeader {
    RunHeader {
        version: 1,
        run: RUN,
        seed: 1,
        started_unix_ms: 0,
        target: profile.name.clone(),
        users: scale.users,
        tenants: scale.tenants,
        rounds: 1,
        planes: vec!["isolation".to_owned()],
        gates: Vec::new(),
        not_applicable: profile.not_applicable.clone(),
        unseen: profile.unseen.clone(),
        revocation_grace_ms: 1_000,
        text_channels: true,
        identity_audience: profile.identity_audience,
        repeat: String::new(),
        notes: Vec::new(),
    }
}

pub(crate) fn against(manner: Manner) -> Judgement {
    against_as(USERS, quick(), manner)
}

/// As [`against`], with three users: for floods, which take time for each.
pub(crate) fn a_few_against(manner: Manner) -> Judgement {
    against_as(3, quick(), manner)
}

/// As [`a_few_against`], with waits that only end what nothing else does.
pub(crate) fn a_patient_few_against(manner: Manner) -> Judgement {
    against_as(3, patient(), manner)
}

/// As [`against`], with waits that only end what nothing else does.
pub(crate) fn patiently_against(manner: Manner) -> Judgement {
    against_as(USERS, patient(), manner)
}

fn patient() -> Limits {
    Limits {
        op: BOUND / 3,
        op_min: BOUND / 3,
        connect: BOUND / 3,
        ..quick()
    }
}

fn against_as(users: u32, limits: Limits, manner: Manner) -> Judgement {
    let servers = Servers::start(manner);
    let (_raise, interrupt) = watch::channel(false);
    let (auth, gateway) = (servers.auth.clone(), servers.gateway.clone());
    run_as(users, limits, auth, gateway, Duration::from_millis(50), interrupt).judgement
}

/// No verdict is valid, and each says why; all reasons together hold `reason`.
#[track_caller]
pub(crate) fn proves_nothing(judgement: &Judgement, reason: &str) {
    let mut said = judgement.problems.clone();
    for verdict in &judgement.verdicts {
        assert_ne!(verdict.state, State::Valid, "{verdict}");
        assert!(verdict.violations > 0 || !verdict.reasons.is_empty(), "{verdict}");
        said.extend(verdict.reasons.iter().cloned());
    }
    assert_ne!(judgement.overall(), State::Valid);
    assert!(
        said.iter().any(|said| said.contains(reason)),
        "no {reason:?} in {said:#?}"
    );
}
