//! The guard, with real processes.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod support;

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, getpgid, kill_process};
use services::{Error, Exit, Leftover, Signal, StopStep};
use support::{Bench, PATIENCE, alive, eventually, number_in};

/// Ends on SIGTERM, and notes so.
fn polite(name: &str) -> String {
    format!("trap 'echo {name} >> order; exit 0' TERM; echo up; while :; do sleep 0.02; done")
}

const SHORT_GRACE: [StopStep; 1] = [StopStep {
    signal: Signal::Term,
    grace: Duration::from_millis(200),
}];

/// Waits until a script has said its `up`, so that its traps are set.
fn up(bench: &Bench, name: &str) {
    let log = bench.path(&format!("{name}.log"));
    eventually(&format!("{name} is up"), || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("up"))
    });
}

#[tokio::test]
async fn stopping_goes_tier_by_tier_and_leaves_nothing() {
    let bench = Bench::new().await;
    let mut pids = Vec::new();
    for (name, tier) in [("middle", 1), ("top", 2), ("bottom", 0)] {
        let launch = bench.script(name, &polite(name)).tier(tier);
        pids.push(bench.guard.spawn(launch).await.unwrap().pid());
        up(&bench, name);
    }
    let kept = bench.path("kept");
    fs::create_dir(&kept).unwrap();
    bench.guard.keep(Leftover::Path(kept.clone())).await.unwrap();
    let order = bench.path("order");

    let (farewell, _folder) = bench.stop().await;

    assert_eq!(farewell, services::Farewell::default());
    assert_eq!(fs::read_to_string(order).unwrap(), "top\nmiddle\nbottom\n");
    assert!(pids.into_iter().all(|pid| !alive(pid)));
    assert!(!kept.exists());
}

#[tokio::test]
async fn who_ignores_the_request_is_killed_with_its_group() {
    let bench = Bench::new().await;
    let script = "trap '' TERM; sleep 1000 & echo $! > grandchild; echo up; while :; do sleep 0.02; done";
    let launch = bench.script("deaf", script).stop(SHORT_GRACE);
    let deaf = bench.guard.spawn(launch).await.unwrap();
    up(&bench, "deaf");
    let grandchild = number_in(&bench.path("grandchild"));

    assert_eq!(deaf.stop().await.unwrap(), Exit::Signal(9));
    eventually("the grandchild is gone", || !alive(grandchild));
    let (farewell, _folder) = bench.stop().await;
    assert_eq!(farewell.forced, ["deaf"]);
}

#[tokio::test]
async fn what_a_process_leaves_in_its_group_ends_with_it() {
    let bench = Bench::new().await;
    let script = "sleep 1000 & echo $! > child; exit 0";
    let process = bench.run("parent", script).await;
    assert_eq!(process.exited().await, Exit::Code(0));
    let child = number_in(&bench.path("child"));
    eventually("the child is gone, before the guard ends", || !alive(child));
    bench.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn daemons_that_left_their_group_are_ended_too() {
    let bench = Bench::new().await;
    let script = "setsid sh -c 'echo $$ > daemon; exec sleep 1000' &
        while [ ! -s daemon ]; do sleep 0.02; done";
    let parent = bench.run("parent", script).await;
    assert_eq!(parent.exited().await, Exit::Code(0));
    let daemon = number_in(&bench.path("daemon"));
    assert!(alive(daemon));

    let (farewell, _folder) = bench.stop().await;
    assert_eq!(farewell.problems, Vec::<String>::new());
    assert!(!alive(daemon));
}

#[tokio::test]
async fn a_frozen_process_stops_all_the_same() {
    let bench = Bench::new().await;
    let process = bench.run("frozen", &polite("frozen")).await;
    up(&bench, "frozen");
    process.signal(Signal::Stop).await.unwrap();
    assert_eq!(process.stop().await.unwrap(), Exit::Code(0));
    bench.stop().await;
}

#[tokio::test]
async fn a_death_nobody_asked_for_is_noticed_and_one_asked_for_is_not() {
    let bench = Bench::new().await;
    let mut deaths = bench.guard.deaths();
    let asked = bench.run("asked", "sleep 1000").await;
    let unasked = bench.run("unasked", "sleep 1000").await;
    assert_eq!(asked.exit(), None);
    asked.signal(Signal::Kill).await.unwrap();
    assert_eq!(asked.exited().await, Exit::Signal(9));
    let task = bench.script("task", "exit 3").task();
    assert_eq!(
        bench.guard.spawn(task).await.unwrap().exited().await,
        Exit::Code(3)
    );

    kill_process(
        Pid::from_raw(unasked.pid()).unwrap(),
        rustix::process::Signal::SEGV,
    )
    .unwrap();
    let seen = tokio::time::timeout(PATIENCE, deaths.wait_for(|deaths| !deaths.is_empty())).await;
    let seen: Vec<String> = seen.unwrap().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["unasked was ended by signal 11"]);
    assert_eq!(unasked.stop().await.unwrap(), Exit::Signal(11));
    bench.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_freeze_takes_all_that_a_process_has_started_and_a_strike_is_a_death() {
    let bench = Bench::new().await;
    let deaths = bench.guard.deaths();
    let script = "setsid sh -c 'echo $$ > child; exec sleep 1000' & echo up; wait";
    let launch = bench.script("server", script).stop(SHORT_GRACE);
    let server = bench.guard.spawn(launch).await.unwrap();
    let child = number_in(&bench.path("child"));
    let frozen = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    server.strike(Signal::Stop).await.unwrap();
    eventually("both are frozen", || frozen(server.pid()) && frozen(child));
    server.strike(Signal::Cont).await.unwrap();
    eventually("both are thawed", || !frozen(server.pid()) && !frozen(child));
    assert_eq!(*deaths.borrow(), []);

    server.strike(Signal::Kill).await.unwrap();
    assert_eq!(server.exited().await, Exit::Signal(9));
    assert_eq!(deaths.borrow()[0].to_string(), "server was ended by SIGKILL");
    bench.stop().await;
    assert!(!alive(child), "it had left the group, and its parent is gone");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let bench = Bench::new().await;
    let missing = services::Launch::new("missing", "/nonexistent/program", bench.path("log"));
    let error = bench.guard.spawn(missing).await.unwrap_err();
    assert!(
        matches!(&error, Error::Spawn { name, .. } if name == "missing"),
        "{error}"
    );
    assert!(error.to_string().contains("No such file"), "{error}");

    bench.run("twin", "sleep 1000").await;
    let error = bench
        .guard
        .spawn(bench.script("twin", "sleep 1000"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a process of that name runs already"),
        "{error}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_process_inherits_no_variables_but_the_listed_ones() {
    let bench = Bench::new().await;
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some(),
        "the harness has it"
    );
    let launch = bench.script("env", "env").env("GIVEN", "yes");
    let process = bench.guard.spawn(launch).await.unwrap();
    process
        .finished("it had shown its variables", PATIENCE)
        .await
        .unwrap();
    let shown = fs::read_to_string(process.log()).unwrap();
    assert!(shown.contains("GIVEN=yes") && shown.contains("PATH="), "{shown}");
    assert!(!shown.contains("CARGO_MANIFEST_DIR"), "{shown}");
    bench.stop().await;
}

#[tokio::test]
async fn sigterm_makes_a_guard_stop_everything() {
    let bench = Bench::new().await;
    let process = bench.run("polite", &polite("polite")).await;
    up(&bench, "polite");
    let guard = i32::try_from(bench.guard.pid().unwrap()).unwrap();
    // Each leads a group of its own, which a terminal's signals do not reach.
    for pid in [guard, process.pid()].map(Pid::from_raw) {
        assert_eq!(getpgid(pid).unwrap(), pid.unwrap());
    }
    for ignored in [rustix::process::Signal::INT, rustix::process::Signal::HUP] {
        kill_process(Pid::from_raw(guard).unwrap(), ignored).unwrap();
    }
    // Ignored means that it still carries out orders.
    bench.run("later", "exit 0").await;

    kill_process(Pid::from_raw(guard).unwrap(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(process.exited().await, Exit::Code(0));
    let error = bench.guard.spawn(bench.script("too-late", "exit 0")).await;
    assert!(error.is_err());
    bench.stop().await;
}

#[tokio::test]
async fn a_killed_guard_is_noticed_and_its_work_done_by_the_harness() {
    let bench = Bench::new().await;
    let process = bench.run("orphan", "sleep 1000").await;
    let kept = bench.path("kept");
    fs::create_dir(&kept).unwrap();
    bench.guard.keep(Leftover::Path(kept.clone())).await.unwrap();
    let deaths = bench.guard.deaths();

    let guard = Pid::from_raw(i32::try_from(bench.guard.pid().unwrap()).unwrap()).unwrap();
    kill_process(guard, rustix::process::Signal::KILL).unwrap();

    assert_eq!(process.exited().await, Exit::Unseen);
    let error = bench.guard.stop().await.unwrap_err();
    assert!(matches!(error, Error::GuardLost { .. }), "{error}");
    eventually("the process is gone", || !alive(process.pid()));
    assert!(!kept.exists());
    assert_eq!(deaths.borrow()[0].name, "orphan");
}

#[tokio::test]
async fn a_dropped_guard_stops_everything() {
    let bench = Bench::new().await;
    let process = bench.run("polite", &polite("polite")).await;
    drop(bench.guard);
    assert!(matches!(process.exited().await, Exit::Code(0) | Exit::Signal(15)));
}
