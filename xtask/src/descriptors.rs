//! File descriptors: how many a run needs, and how many it may have.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a user takes in the harness, which holds the most: two WebSockets and HTTP.
const PER_USER: u64 = 3;
/// Descriptors that the harness and a service take by themselves.
const BASE: u64 = 256;

/// How many a process of a run with so many users may have open.
pub(crate) fn needed(users: u32) -> u64 {
    BASE + u64::from(users) * PER_USER
}

/// Raises this process's own limit, and with it that of all it starts, as far as is allowed without asking anybody.
///
/// # Errors
/// If that is not enough for so many users.
pub(crate) fn raise(users: u32) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    check(users, limit)?;
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // a system may refuse what it says it allows; then the present limit has to do
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => Ok(()),
        Err(_) => check(
            users,
            Rlimit {
                maximum: limit.current,
                ..limit
            },
        ),
    }
}

/// Whether the hard limit is enough.
fn check(users: u32, limit: Rlimit) -> Result<()> {
    let (needed, allowed) = (needed(users), limit.maximum.unwrap_or(u64::MAX));
    if allowed < needed {
        bail!(
            "{users} users need {needed} file descriptors and {allowed} are allowed, which is enough for {}; {}",
            allowed.saturating_sub(BASE) / PER_USER,
            hint(needed)
        );
    }
    Ok(())
}

/// How to raise the hard limit.
pub(crate) fn hint(needed: u64) -> String {
    format!(
        "raise the hard limit: `ulimit -Hn {needed}` as root in the shell that starts the run, `LimitNOFILE={needed}` of a \
         systemd unit, or `--ulimit nofile={needed}` of a container"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: u64, maximum: Option<u64>) -> Rlimit {
        Rlimit {
            current: Some(current),
            maximum,
        }
    }

    #[test]
    fn the_hard_limit_decides() {
        assert_eq!(needed(12), 292);
        check(1_000, limit(1_024, Some(3_256))).unwrap();
        check(1_000_000, limit(1_024, None)).unwrap();
        let error = check(1_000, limit(1_024, Some(2_048))).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "1000 users need 3256 file descriptors and 2048 are allowed, which is enough for 597; raise"
            ),
            "{error}"
        );
        assert!(error.contains("`ulimit -Hn 3256` as root"), "{error}");
    }
}
