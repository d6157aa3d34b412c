//! What the command says to those who use it wrongly: run as they would run it.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .env_remove("CROSSTALK_POSTGRES")
        .env("COLUMNS", "100")
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Exit code and stderr, which must hold no backtrace; stdout must be empty.
#[track_caller]
fn check(arguments: &[&str], code: i32, said: &[&str]) {
    let output = xtask(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for part in said {
        assert!(
            stderr.contains(part),
            "{arguments:?} does not say `{part}`:\n{stderr}"
        );
    }
    assert!(
        !stderr.contains("stack backtrace") && !stderr.contains("panicked"),
        "{stderr}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
}

#[test]
fn profiles_and_their_schema_are_printed() {
    let said = |arguments: &[&str]| {
        let output = xtask(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said(&["target", "list"]).starts_with("reference "));
    assert!(said(&["target", "show", "reference"]).contains("[[dialect]]"));
    let schema: serde_json::Value = serde_json::from_str(&said(&["target", "schema"])).unwrap();
    assert_eq!(schema["type"], "object");
    check(
        &["target", "show", "referense"],
        2,
        &[
            "no built-in profile `referense`; there is reference",
            "Usage: cargo xtask target show <NAME>",
        ],
    );
}

#[test]
fn bad_usage_is_said_and_exits_2() {
    check(
        &["e2e", "--frobnicate"],
        2,
        &["unexpected argument '--frobnicate'"],
    );
    check(
        &["e2e", "--user", "3"],
        2,
        &["unexpected argument '--user'", "--users"],
    );
    check(
        &["e2e", "--users", "0"],
        2,
        &["'0' for '--users <N>'", "0 is not in 1.."],
    );
    check(
        &["e2e", "--users", "2", "--tenants", "3"],
        2,
        &["3 tenants for 2 users"],
    );
    check(
        &["e2e", "--duration", "1"],
        2,
        &["the unit is missing: ms, s or m"],
    );
    check(&["e2e", "--rate", "0"], 2, &["must be above 0"]);
    check(&["e2e", "--seed", "x"], 2, &["'x' for '--seed <SEED>'"]);
    check(
        &["e2e", "--only", "speed"],
        2,
        &["possible values: isolation, performance, dbpool"],
    );
    check(&["e2e", "--repeat", "0"], 2, &["'--repeat <N>'"]);
    check(
        &["e2e", "--mutant", "x:9"],
        2,
        &["`9` is no rate: above 0 and at most 1"],
    );
    check(&["judge"], 2, &["<RUN_DIR>"]);
    check(&["frobnicate"], 2, &["unrecognized subcommand"]);
}

#[test]
fn a_bad_gate_is_shown_with_its_place() {
    let output = xtask(&["e2e", "--gate", "latncy_p99 < 5ms"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @r"
    error: --gate: unknown figure `latncy_p99`, did you mean `latency_p99`?
      latncy_p99 < 5ms
      ^^^^^^^^^^

    Usage: cargo xtask e2e [OPTIONS]

    For more information, try '--help'.
    ");
    check(&["e2e", "--gate", "violations < 3"], 2, &["never loosened"]);
    check(&["e2e", "--gate", "latency_p99 < 5"], 2, &["needs a unit"]);
    check(&["e2e", "--gate", ""], 2, &["the gate is empty"]);
}

#[test]
fn a_folder_that_cannot_be_used_is_said_before_anything_is_built() {
    check(
        &["e2e", "--out", "/proc/crosstalk"],
        2,
        &["--out: cannot create /proc/crosstalk"],
    );
    let used = tempfile::tempdir().unwrap();
    fs::write(used.path().join("thesis.tex"), "years of work").unwrap();
    check(
        &["e2e", "--out", used.path().to_str().unwrap()],
        2,
        &["is not empty; name a new folder"],
    );
    let file = used.path().join("thesis.tex");
    check(
        &["e2e", "--out", file.to_str().unwrap()],
        2,
        &["--out: cannot use"],
    );
}

#[test]
fn help_says_every_default() {
    let output = xtask(&["e2e", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    let options = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .count();
    assert!(options >= 16, "{help}");
    for option in [
        "users", "tenants", "rounds", "duration", "repeat", "keep", "postgres",
    ] {
        let after = help.split(&format!("--{option} ")).nth(1).unwrap_or_default();
        let own = after.split("\n  -").next().unwrap_or_default();
        assert!(own.contains("[default: "), "--{option}: {own}");
    }
    for part in ["Examples:", "Exit codes", "cargo xtask e2e --mutant"] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn the_house_is_tidy() {
    let output = xtask(&["tidy"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn steps_of_ci_can_be_listed_and_picked() {
    let output = xtask(&["ci", "--list", "--only", "clippy"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "clippy\nclippy with mutants and echo\nclippy of what fuzzing opens\n"
    );
    let output = xtask(&["ci", "--only", "nothing of that name"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_no_run_is_not_judged() {
    let empty = tempfile::tempdir().unwrap();
    let missing = Path::new("/no/such/run");
    for dir in [empty.path(), missing] {
        let said = ["seal.json is missing", "no run folder"];
        check(&["judge", dir.to_str().unwrap()], 1, &said);
    }
}
