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

use driven::{notes, run, states};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// How long anything here may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tiny service's profile, where `forking.py` starts and stops it.
fn forking(manner: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = format!("{:?}", here.join("tests/forking.py"));
    let folder = format!("folder = {:?}\n", here.join("targets/notes"));
    let command = r#"command = ["python3", "notes.py", "${port:notes}"]"#;
    let commands = format!(
        "start = [\"python3\", {program}, \"start\", \"${{port:notes}}\"]\nstop = [\"python3\", {program}, \"stop\"]\nstop-within-ms = 2000"
    );
    let environment = format!(
        "env = {{ LEAKY = \"${{env:LEAKY=0}}\", NOTES = {:?}, MANNER = {manner:?} }}",
        here.join("targets/notes")
    );
    let plain = notes();
    assert!(plain.contains(&folder) && plain.contains(command));
    plain
        .replace(&folder, "")
        .replace(command, &commands)
        .replace(r#"env = { LEAKY = "${env:LEAKY=0}" }"#, &environment)
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
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(
        states(&run).iter().all(|(_, state)| state == "valid"),
        "{}",
        run.said
    );
    ended(run.folder.path());
}

#[test]
fn it_is_stopped_after_a_violation_too() {
    let run = run(&forking("good"), &[], true);
    assert_eq!(run.code, 10, "{}", run.said);
    ended(run.folder.path());
}

#[test]
fn a_start_that_fails_is_told_with_what_it_said() {
    let run = run(&forking("the start fails"), &[], false);
    assert_eq!(run.code, 13, "{}", run.said);
    for part in [
        "the service notes",
        "exited with code 1 before it had started the service",
        "there is no room on the disk",
    ] {
        assert!(run.said.contains(part), "no {part} in {}", run.said);
    }
    // it may have begun something
    ended(run.folder.path());
}

#[test]
fn a_start_that_hangs_is_given_up() {
    let hanging =
        forking("the start hangs").replace("stop-within-ms", "ready-within-ms = 500\nstop-within-ms");
    let run = run(&hanging, &[], false);
    assert_eq!(run.code, 13, "{}", run.said);
    assert!(
        run.said.contains("waited 500ms until it had started the service"),
        "{}",
        run.said
    );
    ended(run.folder.path());
}

#[test]
fn a_stop_that_fails_is_told_and_nothing_is_left() {
    let run = run(&forking("the stop fails"), &[], false);
    assert_ne!(run.code, 0, "{}", run.said);
    let told = "the stop command of notes failed, exited with code 1: nobody knows how";
    assert!(run.said.contains(told), "{}", run.said);
    ended(run.folder.path());
}

#[test]
fn a_stop_that_hangs_is_given_up_and_nothing_is_left() {
    let run = run(&forking("the stop hangs"), &[], false);
    assert_ne!(run.code, 0, "{}", run.said);
    let told = "the stop command of notes did not come to an end in time and was killed";
    assert!(run.said.contains(told), "{}", run.said);
    ended(run.folder.path());
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
