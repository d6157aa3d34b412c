//! Runs of the one plane that needs PostgreSQL alone; runs of all planes are steps of `ci`.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn e2e(arguments: &[&str], out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["e2e", "--only", "dbpool"])
        .args(arguments)
        .arg("--out")
        .arg(out);
    command.stdin(Stdio::null());
    command
}

#[test]
fn pools_alone_are_judged_by_their_own_gates() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let output = e2e(&["--json", "--gate", "total < 10m", "--seed", "7"], &out)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "", "--json prints nothing but the report");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], Value::Null);
    assert_eq!(report["run"]["planes"], serde_json::json!(["dbpool"]));
    assert_eq!(report["problems"], serde_json::json!([]));
    let gate = |name: &str| {
        let gates = report["gates"].as_array().unwrap();
        gates
            .iter()
            .find(|gate| gate["gate"].as_str().unwrap().starts_with(name))
            .unwrap()
            .clone()
    };
    assert_eq!(gate("db_success")["outcome"], "met");
    assert_eq!(gate("latency_mean")["outcome"], "not_run");
    assert_eq!(gate("violations")["outcome"], "not_run");
    assert_eq!(gate("total")["loosened"], "loosened: total < 10m (floor 30s)");
    let repeat = "cargo xtask e2e --only dbpool --gate 'total < 10m' --seed 7";
    assert_eq!(report["run"]["repeat"], repeat);

    let mode = |file: &str| fs::metadata(out.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(""), mode("history"), mode("report.json")),
        (0o700, 0o700, 0o600)
    );
    for file in [
        "report.json",
        "junit.xml",
        "summary.md",
        "history/seal.json",
        "logs/postgres.log",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    check_judged_again(&out, &report);
}

/// The history alone gives the same verdicts, gates and figures.
#[track_caller]
fn check_judged_again(out: &Path, report: &Value) {
    fs::remove_file(out.join("report.json")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["judge", "--json"])
        .arg(out)
        .output()
        .unwrap();
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    for part in [
        "exit_code",
        "verdict",
        "run",
        "isolation",
        "performance",
        "gates",
        "problems",
        "notes",
    ] {
        assert_eq!(again[part], report[part], "{part}");
    }
}

#[test]
fn a_missed_gate_is_a_breach() {
    let dir = tempfile::tempdir().unwrap();
    let output = e2e(
        &["--quiet", "--gate", "db_wait_max < 1us"],
        &dir.path().join("run"),
    )
    .output()
    .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(11), "{stdout}");
    assert!(stdout.starts_with("BREACH: "), "{stdout}");
    assert!(stdout.contains("missed   db_wait_max < 1us"), "{stdout}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn where_there_is_no_postgresql_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--offline", "--postgres", dir.path().to_str().unwrap()];
    let output = e2e(&arguments, &dir.path().join("run")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(13), "{stderr}");
    for part in ["the services did not come up", "no usable postgresql", "install"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!stderr.contains("backtrace"), "{stderr}");
}

/// A run that says that it has come so far.
fn run_until(line: &str, out: &Path) -> Child {
    let mut run = e2e(&["--repeat", "100"], out)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(
        stderr.any(|said| said.unwrap().contains(line)),
        "it never said `{line}`"
    );
    std::thread::spawn(move || stderr.for_each(drop));
    run
}

#[track_caller]
fn check_interrupted(line: &str, signals: &[Signal], code: i32) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut run = run_until(line, &out);
    for signal in signals {
        kill_process(Pid::from_child(&run), *signal).unwrap();
    }
    assert_eq!(run.wait().unwrap().code(), Some(code), "{line}");
    assert!(!out.join("2").exists(), "no further run begins");
}

#[test]
fn a_signal_ends_a_run_in_order() {
    check_interrupted("starting PostgreSQL", &[Signal::INT], 130);
    check_interrupted("starting PostgreSQL", &[Signal::TERM], 143);
    check_interrupted("stressing the connection pools", &[Signal::TERM], 143);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    check_interrupted("stressing the connection pools", &[Signal::INT, Signal::INT], 130);
}
