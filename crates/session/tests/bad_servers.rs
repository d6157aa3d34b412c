//! Servers that the predecessor of this tool passed: a run against each ends in bounded time and proves nothing.

mod servers;

use std::time::{Duration, Instant};

use servers::{Manner, Servers};
use session::plan::{Plan, Scale};
use session::profile::Profile;
use session::{Drive, Driven, Limits, Progress, Target, drive};
use tokio::sync::watch;

/// Far above what a run may take, far below what an unbounded wait would.
const BOUND: Duration = Duration::from_secs(25);

fn run(auth: String, gateway: String, interrupt: &watch::Receiver<bool>) -> Driven {
    let mut profile = Profile::reference();
    profile.dialects.truncate(1);
    let scale = Scale {
        seed: 1,
        rounds: 1,
        duration: Duration::from_millis(50),
        ..Scale::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let driven = drive(Drive {
        plan: Plan::new(scale).unwrap(),
        target: Target {
            auth,
            gateways: vec![gateway],
            profile,
        },
        run_dir: folder.path().to_owned(),
        run: 77,
        epoch: began,
        limits: Limits {
            op: Duration::from_millis(500),
            op_min: Duration::from_millis(500),
            op_silent: Duration::from_millis(50),
            connect: Duration::from_millis(500),
            drain_quiet: Duration::from_millis(50),
            ..Limits::default()
        },
        progress: watch::channel(Progress::default()).0,
        interrupt: interrupt.clone(),
    });
    assert!(began.elapsed() < BOUND, "took {:?}", began.elapsed());
    driven.unwrap()
}

fn against(manner: Manner) -> Driven {
    let servers = Servers::start(manner);
    let (_raise, interrupt) = watch::channel(false);
    run(servers.auth.clone(), servers.gateway.clone(), &interrupt)
}

#[test]
fn nothing_listens() {
    let nowhere = Servers::nowhere();
    let (_raise, interrupt) = watch::channel(false);
    run(format!("http://{nowhere}"), nowhere.to_string(), &interrupt);
}

#[test]
fn silent() {
    against(Manner::Silent);
}

#[test]
fn closes() {
    against(Manner::Closes);
}

#[test]
fn errors() {
    against(Manner::Errors);
}

#[test]
fn same_for_all() {
    against(Manner::SameForAll);
}

#[test]
fn one_by_one() {
    against(Manner::OneByOne);
}
