//! Judging from files: what was damaged is an error, never a verdict.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use history::{At, Audience, Event, Fact, Interval, RunHeader, Seal, SegmentWriter, VERSION};
use session::Recorder;

const RUN: u32 = 4711;

/// A run folder in which nothing happened but the run itself: worker 0 and one drive thread.
fn run_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut own = Recorder::create(dir.path(), RUN, 0).unwrap();
    own.record(At::START, Fact::Run(Box::new(header())));
    own.record(
        At(9),
        Fact::Stage {
            name: "start".into(),
            during: Interval {
                from: At(0),
                to: At(9),
            },
        },
    );
    own.record(At(10), Fact::Ended { interrupted: false });
    let mut other = Recorder::create(dir.path(), RUN, 1).unwrap();
    for at in 0..100 {
        other.record(
            At(at),
            Fact::LimitHit {
                what: format!("number {at}").into(),
            },
        );
    }
    let segments = [own, other]
        .map(|recorder| recorder.finish().seal.unwrap())
        .to_vec();
    write_seal(dir.path(), &Seal { run: RUN, segments });
    dir
}

fn header() -> RunHeader {
    RunHeader {
        version: VERSION,
        run: RUN,
        seed: 7,
        started_unix_ms: 1_767_323_045_000,
        target: "reference".into(),
        users: 12,
        tenants: 3,
        rounds: 3,
        planes: vec!["isolation".into()],
        gates: vec!["violations == 0".into(), "total < 30s".into()],
        not_applicable: vec![],
        unseen: vec![],
        revocation_grace_ms: 1_000,
        text_channels: true,
        identity_audience: Audience::OwnTenant,
        repeat: "cargo xtask e2e --only isolation --seed 7".into(),
        notes: vec![],
    }
}

fn write_seal(dir: &Path, seal: &Seal) {
    fs::write(dir.join("history/seal.json"), serde_json::to_vec(seal).unwrap()).unwrap();
}

fn read_seal(dir: &Path) -> Seal {
    serde_json::from_slice(&fs::read(dir.join("history/seal.json")).unwrap()).unwrap()
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("history/worker-1.events")
}

/// Exit code, stdout and stderr of `judge`.
fn judge(dir: &Path, options: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("judge")
        .arg(dir)
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_whole_history_is_judged_without_anything_else() {
    let dir = run_folder();
    let (code, stdout, stderr) = judge(dir.path(), &[]);
    assert_eq!(
        (code, stderr.as_str()),
        (12, ""),
        "nothing happened, so nothing is proven: {stdout}"
    );
    assert!(stdout.starts_with("UNKNOWN: 0 of 6 checks valid"), "{stdout}");
    assert!(
        stdout.contains("again: cargo xtask e2e --only isolation --seed 7"),
        "{stdout}"
    );
    let (code, stdout, _) = judge(dir.path(), &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &report["verdict"], &report["exit_code"]),
        (12, &"unknown".into(), &12.into())
    );
    assert_eq!(report["run"]["seed"], 7);
}

/// A history damaged like this is refused, and the reason says this.
#[track_caller]
fn check(damage: impl FnOnce(&Path), reason: &str) {
    let dir = run_folder();
    damage(dir.path());
    let (code, stdout, stderr) = judge(dir.path(), &[]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains(reason), "it does not say `{reason}`:\n{stderr}");
    assert!(!stderr.contains("backtrace"), "{stderr}");
}

#[test]
fn a_history_that_was_cut_is_refused() {
    check(
        |dir| {
            let bytes = fs::read(segment(dir)).unwrap();
            fs::write(segment(dir), &bytes[..bytes.len() - 1]).unwrap();
        },
        "history is cut short",
    );
    check(|dir| fs::write(segment(dir), "").unwrap(), "history is cut short");
}

#[test]
fn a_history_that_was_edited_is_refused() {
    check(
        |dir| {
            let mut bytes = fs::read(segment(dir)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(segment(dir), bytes).unwrap();
        },
        "was altered",
    );
    check(
        |dir| {
            let mut bytes = fs::read(segment(dir)).unwrap();
            bytes.push(0);
            fs::write(segment(dir), bytes).unwrap();
        },
        "bytes follow the end of the history",
    );
}

#[test]
fn a_history_that_lacks_a_part_is_refused() {
    check(
        |dir| fs::remove_file(segment(dir)).unwrap(),
        "lists one segment of worker 1, there are 0",
    );
    check(
        |dir| fs::remove_file(dir.join("history/seal.json")).unwrap(),
        "seal.json is missing",
    );
    check(
        |dir| fs::write(dir.join("history/seal.json"), "{").unwrap(),
        "seal.json is damaged",
    );
    check(
        |dir| {
            let mut seal = read_seal(dir);
            seal.segments.pop();
            write_seal(dir, &seal);
        },
        "does not list worker 1",
    );
    check(
        |dir| {
            let mut seal = read_seal(dir);
            seal.segments.remove(0);
            write_seal(dir, &seal);
            fs::remove_file(dir.join("history/worker-0.events")).unwrap();
        },
        "the history has no header",
    );
}

#[test]
fn a_part_of_another_history_is_refused() {
    check(
        |dir| {
            let other = tempfile::tempdir().unwrap();
            let mut recorder = Recorder::create(other.path(), RUN, 1).unwrap();
            recorder.record(At(1), Fact::Ended { interrupted: false });
            recorder.finish().seal.unwrap();
            fs::copy(segment(other.path()), segment(dir)).unwrap();
        },
        "has 1 records, the seal lists 100",
    );
    check(
        |dir| {
            let mut seal = read_seal(dir);
            seal.run += 1;
            write_seal(dir, &seal);
        },
        "is of run 4711, the seal is of run 4712",
    );
}

#[test]
fn a_history_that_reached_its_limit_proves_nothing() {
    let dir = run_folder();
    let file = fs::File::create(segment(dir.path())).unwrap();
    let mut writer = SegmentWriter::new(file, RUN, 1, 100);
    for at in 0..100 {
        let what = format!("number {at}").into();
        writer
            .append(&Event {
                at: At(at),
                fact: Fact::LimitHit { what },
            })
            .unwrap();
    }
    let mut seal = read_seal(dir.path());
    seal.segments[1] = writer.finish().unwrap();
    assert!(seal.segments[1].limit_hit);
    write_seal(dir.path(), &seal);
    let (code, stdout, _) = judge(dir.path(), &[]);
    assert_eq!(code, 12);
    assert!(
        stdout.contains("the history of worker 1 reached its limit"),
        "{stdout}"
    );
}
