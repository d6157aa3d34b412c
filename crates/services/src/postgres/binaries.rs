//! The choice of PostgreSQL's binaries: installed, or fetched.

use std::path::Path;

use super::fetch::{self, Fetched};
use super::find::{self, Installation};
use super::{PostgresConfig, PostgresSource, tree};
use crate::{Account, Error, Guard, Looked};

/// Binaries from where the configuration says.
pub(super) async fn choose(
    config: &PostgresConfig,
    account: Option<&Account>,
    workplace: &Path,
    guard: &Guard,
    progress: &mut impl FnMut(&str),
) -> Result<Installation, Error> {
    let missing = |reason: &str, looked| Error::PostgresMissing {
        reason: reason.to_owned(),
        looked: Looked(looked),
        hint: find::how_to_install(),
    };
    let mut looked = match &config.source {
        PostgresSource::BinDir(bin) => match find::usable(bin, "chosen", account).await {
            Ok(found) => return Ok(found),
            Err(why) => return Err(missing("the chosen folder will not do", vec![why])),
        },
        PostgresSource::Fetched => vec!["installed ones were not looked for".to_owned()],
        _ => match find::installed(account).await {
            Ok(found) => return Ok(found),
            Err(wrong) if wrong.is_empty() => vec!["none is on PATH or in the usual folders".to_owned()],
            Err(wrong) => wrong,
        },
    };
    let logs = config.log.parent().unwrap_or(&config.run_dir);
    match fetch::fetched(&config.cache_dir, logs, config.offline, guard, progress).await {
        Ok(fetched) => match within_reach(fetched, workplace, account).await {
            Ok(found) => return Ok(found),
            Err(why) => looked.push(why),
        },
        Err(wrong) => looked.extend(wrong),
    }
    Err(missing("none is installed, and none could be fetched", looked))
}

/// Fetched binaries as the account can run them: from a copy of its own if it cannot enter the cache.
async fn within_reach(
    fetched: Fetched,
    workplace: &Path,
    account: Option<&Account>,
) -> Result<Installation, String> {
    let there = find::usable(&fetched.bin, &fetched.origin, account).await;
    let (Err(why), Some(account)) = (&there, account) else {
        return there;
    };
    let copy = workplace.join("postgresql");
    let copied = tree::copy_apart(fetched.folder.clone(), copy.clone(), Some(account.clone()));
    copied
        .await
        .map_err(|error| format!("{why}; no copy in {}: {error}", copy.display()))?;
    let bin = fetched.bin.strip_prefix(&fetched.folder).unwrap_or(&fetched.bin);
    find::usable(&copy.join(bin), &fetched.origin, Some(account)).await
}
