//! Services that fork away from what starts them: however a run ends, nothing of them is left.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod driven;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use driven::{program, replaced, run, served_by};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// How long anything here may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tiny service's profile, where `forking.py` starts and stops it.
fn forking(manner: &str) -> String {
    let program = program("forking.py");
    let command = format!("command = [\"python3\", {program:?}, \"${{port:notes}}\"]");
    let commands = format!(
        "start = [\"python3\", {program:?}, \"start\", \"${{port:notes}}\"]\nstop = [\"python3\", {program:?}, \"stop\"]\nstop-within-ms = 2000"
    );
    let plain = served_by("forking.py", &format!("MANNER = {manner:?}"));
    replaced(&plain, &command, &commands)
}

/// Its stop command ran once, and nothing is left.
#[track_caller]
fn ended(folder: &Path) {
    assert_eq!(fs::read_to_string(folder.join("stopped")).unwrap(), "once\n");
    let pid = fs::read_to_string(folder.join("service.pid"));
    assert!(!pid.is_ok_and(|pid| alive(&pid)));
}

fn alive(pid: &str) -> bool {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    test_kill_process(pid).is_ok()
}

#[test]
fn it_is_proven_and_stopped() {
    let run = run(&forking("good"), &[], false);
    run.is_valid();
    ended(run.folder.path());
}

#[test]
fn it_is_stopped_after_a_violation_too() {
    let run = run(&forking("good"), &[], true);
    run.ends(10);
    ended(run.folder.path());
}

#[test]
fn a_start_that_fails_is_told_with_what_it_said() {
    let run = run(&forking("the start fails"), &[], false);
    run.ends(13);
    for part in [
        "the service notes",
        "exited with code 1 before it had started the service",
        "there is no room on the disk",
    ] {
        run.says(part);
    }
    // it may have begun something
    ended(run.folder.path());
}

#[test]
fn a_start_that_hangs_is_given_up() {
    let hanging =
        forking("the start hangs").replace("stop-within-ms", "ready-within-ms = 500\nstop-within-ms");
    let run = run(&hanging, &[], false);
    run.ends(13);
    run.says("waited 500ms until it had started the service");
    ended(run.folder.path());
}

/// A stop that does not do its work is told, and nothing is left.
#[track_caller]
fn told(manner: &str, why: &str) {
    let run = run(&forking(manner), &[], false);
    assert_ne!(run.code, 0, "{}", run.said);
    run.says(why);
    ended(run.folder.path());
}

#[test]
fn a_stop_that_fails_is_told_and_nothing_is_left() {
    told(
        "the stop fails",
        "the stop command of notes failed, exited with code 1: nobody knows how",
    );
}

#[test]
fn a_stop_that_hangs_is_given_up_and_nothing_is_left() {
    told(
        "the stop hangs",
        "the stop command of notes did not come to an end in time and was killed",
    );
}

/// A run whose service is up, and that goes on for long.
fn begun(folder: &Path) -> Child {
    let target = folder.join("target.toml");
    fs::write(&target, forking("good")).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "e2e",
            "--only",
            "isolation",
            "--users",
            "6",
            "--repeat",
            "100",
            "--target",
        ])
        .arg(&target)
        .arg("--out")
        .arg(folder.join("run"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let up = "driving";
    assert!(
        said.any(|said| said.unwrap().contains(up)),
        "it never said `{up}`"
    );
    std::thread::spawn(move || said.for_each(drop));
    assert!(alive(&fs::read_to_string(folder.join("service.pid")).unwrap()));
    run
}

#[test]
fn it_is_stopped_after_an_interrupt() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = begun(folder.path());
        kill_process(Pid::from_child(&run), signal).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(code));
        ended(folder.path());
    }
}

#[test]
fn it_is_stopped_where_the_harness_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = begun(folder.path());
    let pid = fs::read_to_string(folder.path().join("service.pid")).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let limit = Instant::now() + PATIENCE;
    while alive(&pid) {
        assert!(Instant::now() < limit, "still there after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    ended(folder.path());
}
