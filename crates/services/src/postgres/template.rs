//! Initialised clusters, kept in the cache: `initdb` takes seconds, a copy of what it made a tenth of one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::find::Installation;
use super::server::random_password;
use super::{settings, tree};
use crate::error::at;
use crate::{Account, Error, Guard, Launch, Leftover};

/// How long `initdb` may take.
const INITDB: Duration = Duration::from_secs(60);
/// The cluster inside a template.
const DATA: &str = "data";
/// The superuser's password inside a template; each cluster made from it gets another at once.
const PASSWORD: &str = "password";

/// An initialised cluster that was never started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    folder: PathBuf,
}

impl Template {
    /// The template of these binaries and settings, from the cache if it is there. `workplace` is a folder that
    /// `account` may enter and write to.
    pub(super) async fn of(
        installation: &Installation,
        cache_dir: &Path,
        workplace: &Path,
        account: Option<&Account>,
        guard: &Guard,
        progress: &mut impl FnMut(&str),
    ) -> Result<Self, Error> {
        let template = Self {
            folder: cache_dir.join(format!("postgres-template-{}", key(installation))),
        };
        if !template.is_there() {
            progress(&format!(
                "initialising a template for PostgreSQL {}",
                installation.version
            ));
            let made = workplace.join("template");
            initdb(installation, &made, account, guard).await?;
            template.move_in(&made, cache_dir, guard).await?;
        }
        Ok(template)
    }

    fn is_there(&self) -> bool {
        self.folder.join(DATA).join("PG_VERSION").is_file() && self.folder.join(PASSWORD).is_file()
    }

    /// The password of the superuser in clusters fresh from this template.
    pub(super) fn password(&self) -> Result<String, Error> {
        let path = self.folder.join(PASSWORD);
        fs::read_to_string(&path).map_err(at("read", &path))
    }

    /// Makes a cluster of it where nothing is yet.
    pub(super) async fn copy_to(&self, data: &Path, account: Option<&Account>) -> Result<(), Error> {
        copy(&self.folder.join(DATA), data, account.cloned()).await
    }

    /// Copies a finished template into the cache under another name, then renames it: whoever looks sees all of it
    /// or nothing, and of two that race one wins.
    async fn move_in(&self, made: &Path, cache_dir: &Path, guard: &Guard) -> Result<(), Error> {
        fs::create_dir_all(cache_dir).map_err(at("create the folder", cache_dir))?;
        let building = cache_dir.join(format!(".building-{}", random_password()));
        let kept = guard.keep(Leftover::Path(building.clone())).await?;
        // Owned by whoever owns the cache, in which no other account needs to read.
        copy(made, &building, None).await?;
        let renamed = fs::rename(&building, &self.folder);
        kept.clear().await?;
        match renamed {
            Err(_) if self.is_there() => Ok(()),
            renamed => renamed.map_err(at("rename into the cache", &self.folder)),
        }
    }
}

async fn copy(from: &Path, to: &Path, owner: Option<Account>) -> Result<(), Error> {
    let copied = tree::copy_apart(from.to_owned(), to.to_owned(), owner).await;
    copied.map_err(at("copy a cluster to", to))
}

/// What makes a template another: the binaries' version and how it was initialised.
fn key(installation: &Installation) -> String {
    let mut hash = Sha256::new();
    for part in settings::INITDB
        .into_iter()
        .chain([installation.version.full.as_str()])
    {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let short: String = hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{short}", installation.version.major)
}

async fn initdb(
    installation: &Installation,
    made: &Path,
    account: Option<&Account>,
    guard: &Guard,
) -> Result<(), Error> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(made)
        .map_err(at("create the folder", made))?;
    tree::own(made, account).map_err(at("give away", made))?;
    let password = made.join(PASSWORD);
    write_private(&password, &random_password()).map_err(at("write", &password))?;
    tree::own(&password, account).map_err(at("give away", &password))?;

    let log = made.join("initdb.log");
    let launch = Launch::new("initdb", installation.bin.join("initdb"), &log)
        .args(settings::INITDB)
        .arg(format!("--pgdata={}", made.join(DATA).display()))
        .arg(format!("--pwfile={}", password.display()))
        .env("LC_ALL", "C")
        .account(account.cloned())
        .cwd(made)
        .task();
    guard
        .spawn(launch)
        .await?
        .finished("it had made a cluster", INITDB)
        .await?;
    fs::remove_file(&log).map_err(at("remove", &log))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
