//! Memory of a connected user: the slope of the harness's proportional set size over the number of users.

use anyhow::Result;

use crate::child::{self, Server};
use crate::cpu;
use crate::echo::{self, Echo};
use crate::harness;
use crate::target::Frame;

pub(crate) const GROUP: &str = "memory";
const USERS: [u32; 2] = [1_000, 5_000];
/// Of the slope, in KiB.
const TARGET_KIB: u64 = 16;
/// Files that a process of the bench has open beside one for each user and each of its HTTP connections.
const OTHER_FILES: u64 = 200;

/// Measures and prints.
pub(crate) fn measure() -> Result<()> {
    let say =
        |what: &str, value: String, target: &str| println!("figure: {GROUP} | {what} | {value} | {target}");
    let (files, needed) = (cpu::raise_open_files()?, u64::from(USERS[1]) + OTHER_FILES);
    if files < needed {
        let value = format!("not measured: {files} open files allowed, {needed} needed (raise ulimit -Hn)");
        say("slope", value, "");
        return Ok(());
    }
    let (_server, echo) = Server::start::<Echo>(echo::ROLE)?;
    let [few, many] = [pss_kib(&echo, USERS[0])?, pss_kib(&echo, USERS[1])?];
    let slope = (many as f64 - few as f64) / f64::from(USERS[1] - USERS[0]);
    say(
        &format!("slope, {} to {} users", USERS[0], USERS[1]),
        format!("{slope:.1} KiB a user"),
        &format!("at most {TARGET_KIB} KiB"),
    );
    for (users, kib) in USERS.into_iter().zip([few, many]) {
        say(
            &format!("all of the harness, {users} users"),
            format!("{:.1} MiB", kib as f64 / 1024.0),
            "",
        );
    }
    Ok(())
}

fn pss_kib(echo: &Echo, users: u32) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let order = harness::Order {
        echo: echo.clone(),
        users,
        slice_ms: 1_000,
        frame: Frame::Post,
        folder: folder.path().to_path_buf(),
    };
    let done: harness::Done = child::run(harness::ROLE, &order)?;
    eprintln!(
        "{GROUP}: {users} users, {} round trips, {} KiB",
        done.round_trips, done.pss_kib
    );
    Ok(done.pss_kib)
}
