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
    assert!(profile.contains("folder = \"notes\""));
    profile.replace("folder = \"notes\"", &folder)
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
    let target: PathBuf = folder.path().join("target.toml");
    fs::write(&target, profile).unwrap();
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
        .arg("--target")
        .arg(&target)
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

/// The states of the six checks, by their letters.
pub(crate) fn states(run: &Run) -> Vec<(String, String)> {
    let checks = run.report["isolation"]["checks"].as_array().expect(&run.said);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks
        .iter()
        .map(|check| (text(&check["letter"]), text(&check["state"])))
        .collect()
}

/// The tiny service's profile, with something gone of the service.
pub(crate) fn hollow(manner: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let notes_py = format!("{:?}", here.join("tests/hollow.py"));
    let environment = format!(
        "env = {{ NOTES = {:?}, MANNER = {manner:?} }}",
        here.join("targets/notes")
    );
    let profile = notes()
        .replace("\"notes.py\"", &notes_py)
        .replace(r#"env = { LEAKY = "${env:LEAKY=0}" }"#, &environment);
    assert!(profile.contains("hollow.py") && profile.contains("MANNER"));
    profile
}
