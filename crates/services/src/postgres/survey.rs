//! What a run would find, without starting anything.

use super::{Postgres, find};
use crate::Account;

impl Postgres {
    /// The installed binaries that a private cluster would be made from, in words.
    ///
    /// # Errors
    /// What was wrong with those that were found, a line each; empty if none was.
    pub async fn installed() -> Result<String, Vec<String>> {
        let account = Account::unprivileged().map_err(|error| vec![error.to_string()])?;
        let found = find::installed(account.as_ref()).await?;
        Ok(format!(
            "PostgreSQL {} in {}, {}",
            found.version,
            found.bin.display(),
            found.origin
        ))
    }

    /// How to install it, or where else it may come from.
    #[must_use]
    pub fn how_to_install() -> String {
        find::how_to_install()
    }
}
