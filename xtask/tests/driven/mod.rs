//! Runs from a profile, by the command itself.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and may panic"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The tiny service's own profile, with the folder of its program spelt out.
pub(crate) fn notes() -> String {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let profile = fs::read_to_string(targets.join("notes.toml")).unwrap();
    let folder = format!("folder = {:?}", targets.join("notes"));
    replaced(&profile, "folder = \"notes\"", &folder)
}

/// What a run said and left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) report: Value,
    /// Where the profile was.
    pub(crate) folder: TempDir,
}

/// Six users, one short round.
pub(crate) fn run(profile: &str, files: &[(&str, &str)], leaky: bool) -> Run {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("target.toml"), profile).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let (out, wanted) = (
        folder.path().join("run"),
        "--only isolation --users 6 --rounds 1 --duration 100ms --quiet",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("e2e")
        .args(wanted.split(' '))
        .args(["--target", "target.toml"])
        .current_dir(folder.path())
        .arg("--out")
        .arg(&out)
        .env("LEAKY", if leaky { "1" } else { "0" })
        .env("PORTAL_ADMIN", "root")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = fs::read_to_string(out.join("report.json")).unwrap_or_else(|_| "null".to_owned());
    // in the report no line is broken
    let said = [&report.clone().into_bytes()[..], &output.stdout, &output.stderr].concat();
    Run {
        code: output.status.code().unwrap(),
        said: String::from_utf8_lossy(&said).into_owned(),
        report: serde_json::from_str(&report).unwrap(),
        folder,
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) {
        assert_eq!(self.code, code, "{}", self.said);
    }

    #[track_caller]
    pub(crate) fn says(&self, part: &str) {
        assert!(self.said.contains(part), "no {part} in {}", self.said);
    }

    /// It ends well, and all six checks are valid.
    #[track_caller]
    pub(crate) fn is_valid(&self) {
        self.ends(0);
        let checks = self.report["isolation"]["checks"].as_array().unwrap();
        assert_eq!(checks.len(), 6);
        let valid = checks.iter().all(|check| check["state"] == "valid");
        assert!(valid, "{}", self.said);
    }

    pub(crate) fn findings(&self) -> &[Value] {
        self.report["isolation"]["findings"].as_array().expect(&self.said)
    }

    /// It ends with a violation: this one, of one user by another.
    #[track_caller]
    pub(crate) fn finds(&self, check: &str, kind: &str) {
        self.ends(10);
        let mut findings = self.findings().iter();
        let found = findings.find(|finding| finding["check"] == check && finding["kind"] == kind);
        let (observer, victim) = found
            .map(|one| (&one["observer"], &one["victim"]))
            .expect(&self.said);
        assert!(
            observer.is_u64() && victim.is_u64() && observer != victim,
            "{found:?}"
        );
    }
}

/// A program of these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The profile of a service of these tests.
pub(crate) fn beside(name: &str) -> String {
    let profile = fs::read_to_string(program(name)).unwrap();
    profile.replace("\"FOLDER\"", &format!("{:?}", program("")))
}

/// `profile` with something replaced that has to be there.
#[track_caller]
pub(crate) fn replaced(profile: &str, from: &str, to: &str) -> String {
    assert!(profile.contains(from), "no {from} in {profile}");
    profile.replace(from, to)
}

/// The tiny service's profile, where a program of these tests serves it from the profile's folder, with this in its environment.
pub(crate) fn served_by(name: &str, environment: &str) -> String {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets/notes");
    let profile = replaced(&self::notes(), &format!("folder = {notes:?}\n"), "");
    let profile = replaced(&profile, "\"notes.py\"", &format!("{:?}", program(name)));
    let own = format!("env = {{ NOTES = {notes:?}, {environment}, ");
    replaced(&profile, "env = { ", &own)
}

/// The tiny service's profile, with something gone of the service.
pub(crate) fn hollow(manner: &str) -> String {
    served_by("hollow.py", &format!("MANNER = {manner:?}"))
}
