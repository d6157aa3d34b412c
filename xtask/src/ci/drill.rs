//! The planted leaks: in no plain build, and each of them caught.

use anyhow::Result;

/// x
pub(super) fn plain_builds_are_clean() -> Result<String> {
    Ok(String::new())
}

/// x
pub(super) fn all_are_caught() -> Result<String> {
    Ok(String::new())
}
