//! Every way a run can end: with a verdict that says what happened, in bounded time, and with nothing left behind.
//!
//! Real services, real signals. Each test prints its part of one table:
//!
//! ```text
//! cargo test -p xtask --test failure -- --nocapture --test-threads 1 --include-ignored
//! ```
//!
//! Not under `nohup`: it hands on that SIGHUP is ignored, which a run obeys, and the rows of SIGHUP then fail.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something unexpected happens"
)]

mod bed;
mod row;
mod surroundings;

use std::process::Command;

use bed::{Bed, await_file, xtask};
use row::{BRIEF, Row, check_all, head, tell};

/// A row in which the audit must have been whole.
fn audited<'a>(arguments: &'a str, codes: &'a [i32], says: &'a [&'a str]) -> Row<'a> {
    Row {
        audited: true,
        ..cut(arguments, codes, says)
    }
}

/// A row in which the audit may have been cut short.
fn cut<'a>(arguments: &'a str, codes: &'a [i32], says: &'a [&'a str]) -> Row<'a> {
    Row {
        arguments,
        codes,
        says,
        audited: false,
    }
}

const STARTING: &[&str] = &["interrupted while the services were starting"];
const INTERRUPTED: &[&str] = &["the run was interrupted"];

#[test]
fn a_run_that_is_signalled() {
    check_all(&[
        cut("--fault int:harness@start", &[130], STARTING),
        cut("--fault term:harness@round", &[143], INTERRUPTED),
        cut("--fault hup:harness@round", &[129], INTERRUPTED),
        cut("--fault int:harness@audit", &[130], INTERRUPTED),
        cut("--fault term:harness@pools", &[143], INTERRUPTED),
        cut("--fault int:harness@stop", &[130], INTERRUPTED),
        cut("--fault int:harness@round --fault int:harness@round", &[130], &[]),
    ]);
}

#[test]
fn a_run_that_breaks() {
    check_all(&[
        audited("", &[0, 11], &[]),
        cut("--fault kill:harness@start", &[137], &[]),
        cut("--fault kill:harness@round", &[137], &[]),
        cut("--fault kill:harness@pools", &[137], &[]),
        cut(
            "--fault panic:harness@round",
            &[1],
            &["a bug of the harness: it panicked"],
        ),
        cut("--fault kill:guard@round", &[1], &["the guard process is gone"]),
    ]);
}

#[test]
fn a_service_that_is_killed() {
    check_all(&[
        audited(
            "--fault kill:gateway-0@round",
            &[12],
            &["gateway-0 (was ended by SIGKILL"],
        ),
        audited(
            "--fault kill:agent@round",
            &[12],
            &["agent (was ended by SIGKILL"],
        ),
        audited("--fault kill:auth@round", &[12], &["auth (was ended by SIGKILL"]),
        cut(
            "--fault kill:postgres@round",
            &[12],
            &["postgres (was ended by SIGKILL"],
        ),
        audited(
            "--fault kill:postgres@pools",
            &[12],
            &["postgres (was ended by SIGKILL"],
        ),
    ]);
}

#[test]
fn a_service_that_is_paused() {
    check_all(&[
        audited(
            "--fault pause:gateway-0@round",
            &[12],
            &["gateway-0 (did not answer"],
        ),
        cut(
            "--fault pause:postgres@round",
            &[12],
            &["postgres (did not answer"],
        ),
        audited(
            "--fault pause:postgres@pools",
            &[12],
            &["postgres (did not answer"],
        ),
    ]);
}

#[test]
#[ignore = "more of the same, for a whole table: --include-ignored"]
fn the_rest_of_the_matrix() {
    check_all(&[
        audited(
            "--gate 'latency_mean<1us'",
            &[11],
            &["missed   latency_mean < 1us"],
        ),
        cut("--fault term:harness@start", &[143], STARTING),
        cut("--fault hup:harness@start", &[129], STARTING),
        cut("--fault int:harness@round", &[130], INTERRUPTED),
        cut("--fault term:harness@drain", &[143], INTERRUPTED),
        cut("--fault hup:harness@audit", &[129], INTERRUPTED),
        cut("--fault int:harness@pools", &[130], INTERRUPTED),
        cut("--fault term:harness@stop", &[143], INTERRUPTED),
        cut("--fault term:harness@stop --fault term:harness@stop", &[143], &[]),
        cut("--fault kill:harness@audit", &[137], &[]),
        cut("--fault kill:harness@stop", &[137], &[]),
        audited(
            "--fault kill:gateway-1@burst",
            &[12],
            &["gateway-1 (was ended by SIGKILL"],
        ),
        cut(
            "--fault kill:postgres@audit",
            &[12],
            &["postgres (was ended by SIGKILL"],
        ),
        audited("--fault pause:agent@round", &[12], &["agent (did not answer"]),
        audited("--fault pause:auth@round", &[12], &["auth (did not answer"]),
        cut(
            "--fault pause:postgres@audit",
            &[12],
            &["postgres (did not answer"],
        ),
    ]);
}

/// `script` is the terminal here; killed, it leaves the run without one.
#[test]
fn a_terminal_that_goes_away() {
    head();
    let bed = Bed::new();
    let run = format!(
        "exec {} e2e {BRIEF} --binaries {} --out {}",
        xtask(),
        bed.binaries().display(),
        bed.out().display()
    );
    let mut terminal = bed.command("script");
    terminal.args(["--quiet", "--command", &run, "/dev/null"]);
    let ended = bed.watch_and([terminal], |running| {
        await_file(&bed.out().join("history/worker-2.events"));
        running[0].child.kill().unwrap();
    });
    tell(
        "in a terminal that is killed",
        &ended[0],
        &["the run was interrupted"],
    );
    assert_eq!(ended[0].left, Vec::<String>::new());
    assert!(ended[0].orphans.contains(&129), "{:?}", ended[0].orphans);
    assert_eq!(ended[0].report["run"]["interrupted"], true, "{}", ended[0].said);
}

/// A process that left its parent and its session, a folder and shared memory are seen, each by itself.
#[test]
fn what_is_left_is_seen() {
    let planted = |script: &str| {
        let bed = Bed::new();
        std::fs::create_dir_all(bed.out().join("logs")).unwrap();
        let mut shell = bed.command("sh");
        shell.args(["-c", script]).current_dir(bed.out());
        bed.watch_one(shell).left
    };
    assert_eq!(planted("exit 0"), Vec::<String>::new());
    let orphan = planted("setsid sleep 1000 >/dev/null 2>&1 & exit 0");
    assert!(
        matches!(&orphan[..], [one] if one.contains("(sleep)")),
        "{orphan:?}"
    );
    let folder = planted("mkdir $TMPDIR/ct-planted");
    assert!(
        matches!(&folder[..], [one] if one.ends_with("/t/ct-planted")),
        "{folder:?}"
    );
    let memory = planted("echo \"now [$$] LOG:\" > logs/postgres.log; exec ipcmk -M 56");
    assert!(
        matches!(&memory[..], [one] if one.starts_with("shared memory ")),
        "{memory:?}"
    );
    let number = memory[0].rsplit(' ').next().unwrap();
    assert!(
        Command::new("ipcrm")
            .args(["-m", number])
            .status()
            .unwrap()
            .success()
    );
}
