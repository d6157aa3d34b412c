//! What this machine lacks for a run or for `ci`, and how to get it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit};
use services::{Account, Postgres};

use crate::cli::DoctorArgs;
use crate::exit::Exit;
use crate::screen::{self, Paint};
use crate::{descriptors, disk, stack, workspace};

/// What a first `ci` leaves, with incremental state, and a history of ordinary length.
const DISK_MIB_MIN: u64 = 8192;

/// How one thing is.
#[derive(Debug, PartialEq)]
enum Finding {
    /// It is there.
    Fine(String),
    /// It is not, and some command can do without.
    Optional { what: String, hint: String },
    /// It is not, and a run cannot do without.
    Lacking { what: String, hint: String },
}

/// Looks at everything and prints a line for each.
pub(crate) async fn run(args: &DoctorArgs) -> Result<Exit> {
    let paint = Paint::for_stdout();
    let mut findings = toolchain();
    findings.push(postgres().await);
    findings.push(account());
    findings.push(file_descriptors(args.users, getrlimit(Resource::Nofile)));
    findings.push(disk(&workspace::root()));
    findings.push(loopback());
    for finding in &findings {
        screen::print(&shown(finding, paint))?;
    }
    let lacking = findings
        .iter()
        .filter(|finding| matches!(finding, Finding::Lacking { .. }))
        .count();
    if lacking > 0 {
        screen::print(&format!("{lacking} lacking: a run would not start"))?;
        return Ok(Exit::NotStarted);
    }
    screen::print(&format!("ready for `cargo xtask e2e --users {}`", args.users))?;
    Ok(Exit::Done)
}

fn shown(finding: &Finding, paint: Paint) -> String {
    match finding {
        Finding::Fine(what) => format!("{}       {what}", paint.good("ok")),
        Finding::Optional { what, hint } => format!("{}  {what}\n         {hint}", paint.doubt("without")),
        Finding::Lacking { what, hint } => format!("{}  {what}\n         {hint}", paint.bad("lacking")),
    }
}

/// Cargo is there, since it runs us; the rest is for `ci`.
fn toolchain() -> Vec<Finding> {
    let version = said(&["--version"]).unwrap_or_else(|| "cargo".to_owned());
    let mut findings = vec![Finding::Fine(version)];
    for (component, arguments) in [
        ("clippy", ["clippy", "--version"]),
        ("rustfmt", ["fmt", "--version"]),
    ] {
        findings.push(match said(&arguments) {
            Some(version) => Finding::Fine(version),
            None => Finding::Optional {
                what: format!("{component}: `ci` needs it, a run does not"),
                hint: format!("rustup component add {component}"),
            },
        });
    }
    findings.push(match said(&["nextest", "--version"]) {
        Some(version) => Finding::Fine(version),
        None => Finding::Optional {
            what: "cargo-nextest: `ci` uses cargo test instead".to_owned(),
            hint: "cargo install --locked cargo-nextest".to_owned(),
        },
    });
    findings
}

/// The first line that cargo prints with these arguments, if it succeeds.
fn said(arguments: &[&str]) -> Option<String> {
    let output = workspace::cargo()
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}

async fn postgres() -> Finding {
    match Postgres::installed().await {
        Ok(installed) => Finding::Fine(installed),
        Err(wrong) => {
            let cache = stack::cache_dir();
            let found = if wrong.is_empty() {
                String::new()
            } else {
                format!(" ({})", wrong.join("; "))
            };
            Finding::Optional {
                what: format!(
                    "PostgreSQL: a run fetches one into {} and keeps it{found}",
                    cache.display()
                ),
                hint: Postgres::how_to_install(),
            }
        }
    }
}

/// PostgreSQL refuses to run as root.
fn account() -> Finding {
    match Account::unprivileged() {
        Ok(None) => Finding::Fine("not root: PostgreSQL runs as the present user".to_owned()),
        Ok(Some(account)) => Finding::Fine(format!("root: PostgreSQL runs as {}", account.name)),
        Err(error) => Finding::Lacking {
            what: error.to_string(),
            hint: "add one: useradd --system --no-create-home postgres".to_owned(),
        },
    }
}

/// A run raises the soft limit by itself, so that the hard one decides.
fn file_descriptors(users: u32, limit: Rlimit) -> Finding {
    let needed = descriptors::needed(users);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let what = format!("file descriptors: {needed} needed for {users} users, {allowed} allowed");
    if allowed >= needed {
        return Finding::Fine(what);
    }
    Finding::Lacking {
        what,
        hint: descriptors::hint(needed),
    }
}

fn disk(folder: &Path) -> Finding {
    let Some(free) = disk::free_bytes(folder) else {
        return Finding::Optional {
            what: format!("disk: cannot be measured at {}", folder.display()),
            hint: format!("{DISK_MIB_MIN} MiB should be free"),
        };
    };
    let free = free / (1 << 20);
    if free >= DISK_MIB_MIN {
        return Finding::Fine(format!("disk: {free} MiB free, {DISK_MIB_MIN} wanted"));
    }
    Finding::Optional {
        what: format!("disk: {free} MiB free, {DISK_MIB_MIN} wanted for builds and histories"),
        hint: "cargo clean, or fewer runs with --keep".to_owned(),
    }
}

fn loopback() -> Finding {
    match TcpListener::bind("127.0.0.1:0") {
        Ok(_) => Finding::Fine("loopback: a port can be bound".to_owned()),
        Err(error) => Finding::Lacking {
            what: format!("loopback: 127.0.0.1 cannot be bound: {error}"),
            hint: "bring the interface up: ip link set lo up".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_users_need_many_descriptors() {
        let limit = |maximum| Rlimit {
            current: Some(256),
            maximum,
        };
        let fine = format!(
            "file descriptors: {} needed for 12 users, 1024 allowed",
            descriptors::needed(12)
        );
        assert_eq!(file_descriptors(12, limit(Some(1024))), Finding::Fine(fine));
        assert!(
            matches!(file_descriptors(1_000_000, limit(None)), Finding::Fine(_)),
            "no limit is enough"
        );
        let lacking = shown(&file_descriptors(1_000, limit(Some(1024))), Paint::PLAIN);
        let needed = descriptors::needed(1_000);
        assert!(
            lacking.starts_with(&format!(
                "lacking  file descriptors: {needed} needed for 1000 users, 1024 allowed"
            )),
            "{lacking}"
        );
        assert!(lacking.contains(&format!("ulimit -Hn {needed}")), "{lacking}");
    }
}
