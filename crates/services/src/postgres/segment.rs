//! The System V shared memory of a server that was killed.
//!
//! PostgreSQL keeps a segment of some 56 bytes by which it sees whether a cluster is in use. An orderly end removes it; after
//! SIGKILL it stays on the machine until a server starts in the same folder, which for a private cluster is never.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What a server notes of itself in its data folder, and removes when it ends in order.
const LOCK_FILE: &str = "postmaster.pid";
/// The line of it with the segment's key and number, counted from 0.
const SEGMENT_LINE: usize = 6;

/// Removes what the last server of `data` has left; one that ended in order has left nothing.
pub(crate) fn remove(data: &Path) -> Result<(), String> {
    let lock = match fs::read_to_string(data.join(LOCK_FILE)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot read {LOCK_FILE} in {}: {error}", data.display())),
    };
    match read(&lock) {
        Some((pid, segment)) if is_there(pid, segment) => ipcrm(segment),
        _ => Ok(()),
    }
}

/// The server's process id and the number of its segment; `None` if it was killed before it had one.
fn read(lock: &str) -> Option<(u32, u32)> {
    let pid = lock.lines().next()?.trim().parse().ok()?;
    let segment = lock.lines().nth(SEGMENT_LINE)?.split_whitespace().nth(1)?;
    Some((pid, segment.parse().ok()?))
}

/// Whether the segment is still the one that this process made.
#[cfg(target_os = "linux")]
fn is_there(pid: u32, segment: u32) -> bool {
    let listed = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    // key, number, permissions, size, process that made it
    listed.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&segment.to_string()) && fields.nth(2) == Some(&pid.to_string())
    })
}

/// Nobody says who made it here; no other server starts while this one's lock file is there.
#[cfg(not(target_os = "linux"))]
fn is_there(_pid: u32, _segment: u32) -> bool {
    true
}

fn ipcrm(segment: u32) -> Result<(), String> {
    let number = segment.to_string();
    let removed = Command::new("ipcrm").args(["-m", &number]).output();
    match removed {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "cannot remove the shared memory segment {number}: ipcrm: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!(
            "cannot remove the shared memory segment {number}: ipcrm: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_names_process_and_segment() {
        let lock = "4711\n/data\n1795345163\n5432\n/tmp\n\n  10594225   2064386\nready   \n";
        assert_eq!(read(lock), Some((4711, 2_064_386)));
        assert_eq!(read("4711\n/data\n1795345163\n5432\n/tmp\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn where_no_server_was_killed_nothing_is_left() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(remove(data.path()), Ok(()));
        // of nobody who is alive or ever made a segment
        fs::write(data.path().join(LOCK_FILE), "1\n\n\n\n\n\n1 4294967295\n").unwrap();
        assert_eq!(remove(data.path()), Ok(()));
    }
}
