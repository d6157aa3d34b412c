//! Servers that the predecessor of this tool passed: a run against each ends in bounded time and proves nothing.

mod servers;

use std::time::{Duration, Instant};

use history::{Audience, Check, Fact, RunHeader};
use isolation::{Judgement, State};
use servers::{Manner, Servers};
use session::plan::{Plan, Scale};
use session::profile::Profile;
use session::{Clock, Drive, DriveError, Limits, Progress, Recorder, Target, drive};
use tokio::sync::watch;

/// Far above what a run may take, far below what an unbounded wait would.
const BOUND: Duration = Duration::from_secs(60);
const RUN: u32 = 77;

struct Run {
    judgement: Judgement,
    interrupted: bool,
}

/// Drives twelve users against what is there, and judges.
fn run(auth: String, gateway: String, duration: Duration, interrupt: watch::Receiver<bool>) -> Run {
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    let scale = Scale {
        seed: 1,
        rounds: 1,
        duration,
        ..Scale::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let mut composer = Recorder::create(folder.path(), RUN, 0).expect("a history");
    let clock = Clock::new(began);
    composer.record(clock.now(), Fact::Run(Box::new(header(&profile))));
    let driven = drive(Drive {
        plan: Plan::new(scale).expect("a plan"),
        target: Target {
            auth,
            gateways: vec![gateway],
            profile,
        },
        run_dir: folder.path().to_owned(),
        run: RUN,
        epoch: began,
        limits: quick(),
        progress: watch::channel(Progress::default()).0,
        interrupt,
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

fn quick() -> Limits {
    Limits {
        op: Duration::from_millis(500),
        op_min: Duration::from_millis(500),
        op_silent: Duration::from_millis(50),
        connect: Duration::from_millis(500),
        drain_quiet: Duration::from_millis(50),
        ..Limits::default()
    }
}

fn header(profile: &Profile) -> RunHeader {
    RunHeader {
        version: 1,
        run: RUN,
        seed: 1,
        started_unix_ms: 0,
        target: profile.name.clone(),
        users: 12,
        tenants: 3,
        rounds: 1,
        planes: vec!["isolation".to_owned()],
        gates: Vec::new(),
        not_applicable: Vec::new(),
        revocation_grace_ms: 1_000,
        text_channels: true,
        identity_audience: Audience::OwnTenant,
        repeat: String::new(),
        notes: Vec::new(),
    }
}

fn against(manner: Manner) -> Judgement {
    let servers = Servers::start(manner);
    let (_raise, interrupt) = watch::channel(false);
    run(
        servers.auth.clone(),
        servers.gateway.clone(),
        Duration::from_millis(50),
        interrupt,
    )
    .judgement
}

/// No verdict is valid, and each says why; all reasons together hold `reason`.
#[track_caller]
fn proves_nothing(judgement: &Judgement, reason: &str) {
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

#[test]
fn nothing_listens() {
    let nowhere = Servers::nowhere();
    let (_raise, interrupt) = watch::channel(false);
    let run = run(
        format!("http://{nowhere}"),
        nowhere.to_string(),
        Duration::from_millis(50),
        interrupt,
    );
    proves_nothing(&run.judgement, "start barrier: 12 users");
}

#[test]
fn silent() {
    proves_nothing(&against(Manner::Silent), "start barrier: 12 users");
}

#[test]
fn closes() {
    proves_nothing(&against(Manner::Closes), "start barrier: 12 users");
}

#[test]
fn errors() {
    proves_nothing(&against(Manner::Errors), "start barrier: 12 users");
}

#[test]
fn same_for_all() {
    let judgement = against(Manner::SameForAll);
    proves_nothing(&judgement, "");
    assert_eq!(judgement.overall(), State::Violated);
    assert_eq!(judgement.verdict(Check::Thread).state, State::Violated);
}

#[test]
fn one_by_one() {
    proves_nothing(&against(Manner::OneByOne), "start barrier: 11 users");
}

#[test]
fn dies_in_mid_run() {
    let servers = Servers::start(Manner::SameForAll);
    let (_raise, interrupt) = watch::channel(false);
    let (auth, gateway) = (servers.auth.clone(), servers.gateway.clone());
    let driving = std::thread::spawn(move || run(auth, gateway, Duration::from_secs(2), interrupt));
    servers.wait_for_posts(100);
    drop(servers);
    let run = driving.join().expect("no panic");
    proves_nothing(&run.judgement, "");
}

/// A person of a tenant that the plan does not have breaks the task that plays it.
#[test]
fn a_panic_ends_the_run_and_what_was_seen_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Servers::start(Manner::SameForAll);
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    let mut plan = Plan::new(Scale::default()).expect("a plan");
    plan.people[3].tenant = history::Tenant(99);
    let broken = plan.people[3].worker + session::LEADER + 1;
    let workers = usize::from(plan.scale.workers);
    let (progress, reached) = watch::channel(Progress::default());
    let driven = drive(Drive {
        plan,
        target: Target {
            auth: servers.auth.clone(),
            gateways: vec![servers.gateway.clone()],
            profile,
        },
        run_dir: folder.path().to_owned(),
        run: RUN,
        epoch: Instant::now(),
        limits: quick(),
        progress,
        interrupt: watch::channel(false).1,
    })
    .expect("it began");
    let [DriveError::Panicked { worker }] = driven.broken[..] else {
        panic!("{:?}", driven.broken)
    };
    assert_eq!(worker, broken);
    assert_eq!(driven.seals.len(), workers + 1, "every history is whole");
    assert_eq!(reached.borrow().phase, "login", "no phase is begun after that");
    assert!(!driven.interrupted);
}

#[test]
fn an_interrupt_ends_it_in_order() {
    let servers = Servers::start(Manner::SameForAll);
    let (raise, interrupt) = watch::channel(false);
    let (auth, gateway) = (servers.auth.clone(), servers.gateway.clone());
    let began = Instant::now();
    let driving = std::thread::spawn(move || run(auth, gateway, BOUND, interrupt));
    servers.wait_for_posts(100);
    raise.send_replace(true);
    let run = driving.join().expect("no panic");
    assert!(run.interrupted);
    assert!(began.elapsed() < BOUND, "the round was not waited for");
}

#[test]
fn what_a_dying_connection_had_begun_to_say_is_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Servers::start(Manner::CutsOff);
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    let scale = Scale {
        users: 1,
        tenants: 1,
        rounds: 1,
        workers: 1,
        duration: Duration::from_millis(1),
        ..Scale::default()
    };
    let drive_it = Drive {
        plan: Plan::new(scale).expect("a plan"),
        target: Target {
            auth: servers.auth.clone(),
            gateways: vec![servers.gateway.clone()],
            profile,
        },
        run_dir: folder.path().to_owned(),
        run: RUN,
        epoch: Instant::now(),
        limits: quick(),
        progress: watch::channel(Progress::default()).0,
        interrupt: watch::channel(false).1,
    };
    drive(drive_it).expect("the harness did its work");
    let file = std::fs::File::open(folder.path().join("history/worker-2.events")).expect("a history");
    let mut reader = history::SegmentReader::open(file).expect("a segment");
    let mut partial = None;
    while let Some((_, event)) = reader.next().expect("an event") {
        if let Fact::Inbound(inbound) = event.fact
            && inbound.source == history::Source::Partial
        {
            partial = Some(inbound.bytes.into_owned());
        }
    }
    assert_eq!(partial.as_deref(), Some(&br#"{"ev":"cut o"#[..]));
}
