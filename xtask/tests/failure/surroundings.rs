//! What a run finds on the machine: other runs, other accounts, full disks, other servers, few descriptors.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{Bed, Ended, await_file, xtask};
use crate::row::{BRIEF, Row, head, tell, words};

/// A run of this bed, with `program` before the command: `sh -c ... xtask e2e ...`.
fn run(bed: &Bed, program: &[&str], out: &str) -> Command {
    let mut words_of = program.iter().copied().chain([xtask()]);
    let mut command = bed.command(words_of.next().unwrap());
    command.args(words_of).arg("e2e").args(words(BRIEF));
    command
        .arg("--binaries")
        .arg(bed.binaries())
        .arg("--out")
        .arg(bed.path(out));
    command
}

#[track_caller]
fn check(name: &str, ended: &Ended, codes: &[i32], says: &[&str]) {
    tell(name, ended, says);
    let row = Row {
        arguments: name,
        codes,
        says,
        audited: codes.contains(&0),
    };
    if let Err(wrong) = row.judge(ended) {
        panic!("{wrong}");
    }
    if codes.contains(&0) {
        assert_eq!(ended.report["verdict"], "valid", "{}", ended.said);
    }
}

/// Valid; what a busy machine does to a gate is not looked at.
const VALID: [i32; 2] = [0, 11];

#[test]
fn two_at_once_do_not_meet() {
    head();
    let bed = Bed::new();
    let ended = bed.watch([run(&bed, &[], "run"), run(&bed, &[], "run-2")]);
    for one in &ended {
        check("two at once", one, &VALID, &[]);
    }
}

#[test]
fn an_ordinary_user_needs_no_more_than_root() {
    head();
    if !rustix::process::geteuid().is_root() {
        // then every other test here is what this one is for
        return;
    }
    let bed = Bed::new();
    let nobody = account("nobody");
    let copy = bed.path("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["auth", "agent", "gateway", "migrate"] {
        fs::copy(bed.binaries().join(name), copy.join(name)).unwrap();
    }
    let own = copy.join("xtask");
    fs::copy(xtask(), &own).unwrap();
    for folder in ["home", "run"] {
        fs::create_dir(bed.path(folder)).unwrap();
        chown(bed.path(folder), Some(nobody), Some(nobody)).unwrap();
    }
    let id = nobody.to_string();
    let mut command = bed.command("setpriv");
    command
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .arg(&own)
        .arg("e2e")
        .args(words(BRIEF))
        .arg("--binaries")
        .arg(&copy)
        .arg("--out")
        .arg(bed.path("run"))
        .env("HOME", bed.path("home"))
        .env_remove("XDG_CACHE_HOME");
    let ended = bed.watch_one(command);
    check("as an ordinary user", &ended, &VALID, &[]);
}

/// Here cargo builds for ever; whatever else it is asked, it does.
#[test]
fn a_signal_while_cargo_builds() {
    head();
    for (name, signal, code) in [("int", Signal::INT, 130), ("term", Signal::TERM, 143)] {
        let bed = Bed::new();
        let cargo = bed.path("cargo");
        let real = env!("CARGO");
        let script = format!("#!/bin/sh\ntest \"$1\" != build || exec sleep 1000\nexec {real} \"$@\"\n");
        fs::write(&cargo, script).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = bed.command(xtask());
        command.args(["e2e", "--out"]).arg(bed.out()).env("CARGO", cargo);
        let ended = bed.watch_and([command], |running| {
            await_file(&bed.out().join("logs/postgres.log"));
            kill_process(Pid::from_child(&running[0].child), signal).unwrap();
        });
        let says = ["interrupted while the services were starting"];
        check(&format!("{name} while cargo builds"), &ended[0], &[code], &says);
    }
}

fn account(name: &str) -> u32 {
    let id = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().parse().unwrap()
}

/// A file system of so many KiB where the run is to be kept; `None` where this account may not mount any.
struct Mounted<'a>(&'a Bed);

impl<'a> Mounted<'a> {
    fn new(bed: &'a Bed, options: &str) -> Option<Self> {
        fs::create_dir(bed.out()).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "crosstalk-test"])
            .arg(bed.out());
        mount
            .status()
            .is_ok_and(|status| status.success())
            .then_some(Self(bed))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.out()).status().unwrap();
        assert!(unmounted.success());
    }
}

#[test]
fn a_full_disk_and_an_unwritable_folder_are_said() {
    head();
    for (name, options, code, says) in [
        (
            "--out on a disk that fills up",
            "size=1m,mode=755",
            1,
            "No space left on device",
        ),
        (
            "--out on a full disk",
            "size=4k,mode=755",
            13,
            "on a disk that is full",
        ),
        ("--out that cannot be written to", "ro", 2, "cannot write into"),
    ] {
        let bed = Bed::new();
        let Some(mounted) = Mounted::new(&bed, options) else {
            // without the right to mount there is no full disk to be had
            return;
        };
        let ended = bed.watch_one(run(&bed, &[], "run"));
        check(name, &ended, &[code], &[says]);
        drop(mounted);
    }
}

/// A folder that holds a `postgres` of version 99 and an `initdb` which make `postgres` do this when it is to serve.
fn pretend(bed: &Bed, serve: &str) -> String {
    let folder = bed.path("bin");
    fs::create_dir(&folder).unwrap();
    let scripts = [
        (
            "postgres",
            format!("case $1 in --version) echo 'postgres (PostgreSQL) 99.1';; *) {serve};; esac"),
        ),
        (
            "initdb",
            "for a; do case $a in --pgdata=*) mkdir ${a#*=}; echo 99 > ${a#*=}/PG_VERSION;; esac; done"
                .to_owned(),
        ),
    ];
    for (name, script) in scripts {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder.display().to_string()
}

#[test]
fn a_server_that_is_elsewhere_or_does_not_start() {
    head();
    let bed = Bed::new();
    let mut command = run(&bed, &[], "run");
    // the rest of the system's programs, but no server's
    let path = bed.path("path");
    fs::create_dir(&path).unwrap();
    command.env("PATH", &path).arg("--offline");
    let ended = bed.watch_one(command);
    let installed = fs::read_dir("/usr/lib/postgresql").is_ok();
    let (codes, says): (&[i32], _) = if installed {
        (&VALID, "")
    } else {
        (&[13], "no usable postgresql")
    };
    check("PATH= --offline", &ended, codes, &[says]);
    drop(bed);

    for (serve, says) in [
        (
            "echo 'FATAL: no'; exit 3",
            "postgres exited with code 3 before it answered",
        ),
        ("kill -9 $$", "postgres was ended by SIGKILL before it answered"),
    ] {
        let bed = Bed::new();
        let mut command = run(&bed, &[], "run");
        command.env("XDG_CACHE_HOME", bed.path("cache"));
        command.args(["--postgres", &pretend(&bed, serve)]);
        let ended = bed.watch_one(command);
        check(&format!("--postgres ({serve})"), &ended, &[13], &[says]);
    }
}

#[test]
fn descriptors_are_raised_as_far_as_they_may_be() {
    head();
    let bed = Bed::new();
    let ended = bed.watch_one(run(
        &bed,
        &["sh", "-c", "ulimit -Sn 64; exec \"$@\"", "sh"],
        "run",
    ));
    check("ulimit -Sn 64", &ended, &VALID, &[]);
    drop(bed);

    let bed = Bed::new();
    let mut command = run(&bed, &["sh", "-c", "ulimit -n 512; exec \"$@\"", "sh"], "run");
    command.args(["--users", "1000"]);
    let ended = bed.watch_one(command);
    let says = [
        "1000 users need 3256 file descriptors and 512 are allowed",
        "ulimit -Hn 3256",
    ];
    check("ulimit -n 512; --users 1000", &ended, &[13], &says);
}
