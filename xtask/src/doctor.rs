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
use crate::{stack, workspace};

/// Descriptors that a user takes: two WebSockets and HTTP, at both ends, and the pools' share.
const DESCRIPTORS_PER_USER: u64 = 8;
/// Descriptors that the harness and a service take by themselves.
const DESCRIPTORS_BASE: u64 = 256;
/// Both builds of the services, this program and a history of ordinary length.
const DISK_MIB_MIN: u64 = 4096;

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
    findings.push(descriptors(args.users.into(), getrlimit(Resource::Nofile)));
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

fn descriptors(users: u64, limit: Rlimit) -> Finding {
    let need = DESCRIPTORS_BASE + users * DESCRIPTORS_PER_USER;
    let limit = limit.current.unwrap_or(u64::MAX);
    if limit >= need {
        return Finding::Fine(format!(
            "file descriptors: {need} needed for {users} users, {limit} allowed"
        ));
    }
    Finding::Lacking {
        what: format!("file descriptors: {need} needed for {users} users, {limit} allowed"),
        hint: format!("ulimit -n {need}, in the shell that starts the run"),
    }
}

fn disk(folder: &Path) -> Finding {
    let Ok(disk) = rustix::fs::statvfs(folder) else {
        return Finding::Optional {
            what: format!("disk: cannot be measured at {}", folder.display()),
            hint: format!("{DISK_MIB_MIN} MiB should be free"),
        };
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / (1 << 20);
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
        let limit = |current| Rlimit {
            current,
            maximum: None,
        };
        assert_eq!(
            descriptors(12, limit(Some(1024))),
            Finding::Fine("file descriptors: 352 needed for 12 users, 1024 allowed".to_owned())
        );
        assert!(
            matches!(descriptors(1_000_000, limit(None)), Finding::Fine(_)),
            "no limit is enough"
        );
        let lacking = descriptors(1_000, limit(Some(1024)));
        insta::assert_snapshot!(shown(&lacking, Paint::PLAIN), @r"
        lacking  file descriptors: 8256 needed for 1000 users, 1024 allowed
                 ulimit -n 8256, in the shell that starts the run
        ");
    }
}
