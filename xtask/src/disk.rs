//! The disk that a folder lies on.

use std::path::Path;

/// Bytes that we may still write there; `None` if that cannot be told.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
