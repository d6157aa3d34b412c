//! PostgreSQL's binaries on this machine.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::Account;

/// The oldest major version that will do.
pub const POSTGRES_VERSION_MIN: u32 = 15;

/// How long a program may take to say its version.
const SAY_VERSION: Duration = Duration::from_secs(10);

/// Where packages put the binaries: a folder, how the names of its entries begin, and what follows.
const INSTALL_FOLDERS: [(&str, &str, &str); 9] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// Binaries that work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installation {
    /// The folder with `postgres` and `initdb`.
    pub(super) bin: PathBuf,
    pub(super) version: Version,
    /// Where it came from, for people.
    pub(super) origin: String,
}

/// What `postgres --version` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    /// All of it, packager's mark included.
    pub(super) full: String,
}

impl Version {
    /// Reads `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `… 18beta1`.
    fn read(said: &str) -> Option<Self> {
        let full = said.trim().strip_prefix("postgres (PostgreSQL) ")?;
        let digits = full.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self {
            major: digits.parse().ok()?,
            full: full.to_owned(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// The first usable installation of `PATH`, else the newest of the usual folders; or, a line each, what was wrong
/// with those that were found.
pub(super) async fn installed(account: Option<&Account>) -> Result<Installation, Vec<String>> {
    let mut wrong = Vec::new();
    for bin in on_path() {
        match usable(&bin, "on PATH", account).await {
            Ok(found) => return Ok(found),
            Err(why) => wrong.push(why),
        }
    }
    let mut found = Vec::new();
    for bin in in_install_folders() {
        match usable(&bin, "installed", account).await {
            Ok(installation) => found.push(installation),
            Err(why) => wrong.push(why),
        }
    }
    found
        .into_iter()
        .max_by_key(|installation| installation.version.major)
        .ok_or(wrong)
}

/// Checks that the binaries are there and new enough, and run under the account; or says what is wrong.
pub(super) async fn usable(
    bin: &Path,
    origin: &str,
    account: Option<&Account>,
) -> Result<Installation, String> {
    let bin = &std::path::absolute(bin).map_err(|error| format!("{}: {error}", bin.display()))?;
    let wrong = |what: String| format!("{}: {what}", bin.display());
    if !bin.join("initdb").is_file() {
        return Err(wrong("it has no initdb".into()));
    }
    let said = say_version(&bin.join("postgres"), account)
        .await
        .map_err(&wrong)?;
    let version = Version::read(&said).ok_or_else(|| wrong(format!("it says it is {:?}", said.trim())))?;
    if version.major < POSTGRES_VERSION_MIN {
        return Err(wrong(format!(
            "version {version} is below {POSTGRES_VERSION_MIN}"
        )));
    }
    Ok(Installation {
        bin: bin.to_owned(),
        version,
        origin: origin.to_owned(),
    })
}

async fn say_version(program: &Path, account: Option<&Account>) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").kill_on_drop(true).current_dir("/");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    let whose = account.map_or_else(String::new, |account| format!(" as {}", account.name));
    match tokio::time::timeout(SAY_VERSION, command.output()).await {
        Err(_) => Err(format!("postgres --version said nothing for {SAY_VERSION:?}")),
        Ok(Err(error)) => Err(format!("postgres cannot be run{whose}: {error}")),
        Ok(Ok(output)) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
    }
}

/// The folders of `PATH` that have a `postgres`; of a link, the folder it leads to if that has an `initdb` too, as
/// the server finds its libraries from there.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = Vec::new();
    for folder in std::env::split_paths(&path).filter(|folder| folder.is_absolute()) {
        let Ok(real) = fs::canonicalize(folder.join("postgres")) else {
            continue;
        };
        let real = real.parent().filter(|real| real.join("initdb").is_file());
        let folder = real.map_or(folder, Path::to_owned);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

fn in_install_folders() -> Vec<PathBuf> {
    let folders = INSTALL_FOLDERS.into_iter().flat_map(|(parent, prefix, below)| {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix));
        named.map(move |entry| entry.path().join(below))
    });
    folders
        .filter(|folder| folder.join("postgres").is_file())
        .collect()
}

/// How to install it, for the system this was built for.
pub(super) fn how_to_install() -> String {
    let command = match std::env::consts::OS {
        "macos" => "brew install postgresql@17",
        "freebsd" => "pkg install postgresql17-server",
        _ => {
            "apt-get install postgresql (Debian, Ubuntu), dnf install postgresql-server (Fedora, RHEL), \
             apk add postgresql (Alpine), pacman -S postgresql (Arch)"
        }
    };
    format!(
        "install version {POSTGRES_VERSION_MIN} or newer: {command}; or set {} to a folder with its binaries, or to \
         the postgres:// url of a server",
        super::POSTGRES_ENV
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[track_caller]
    fn check(said: &str, expect: Option<(u32, &str)>) {
        let read = Version::read(said);
        assert_eq!(
            read.as_ref()
                .map(|version| (version.major, version.full.as_str())),
            expect
        );
    }

    #[test]
    fn versions_are_read() {
        check(
            "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
            Some((15, "15.14 (Debian 15.14-0+deb12u1)")),
        );
        check("postgres (PostgreSQL) 18beta1", Some((18, "18beta1")));
        check("postgres (EnterpriseDB) 15.14", None);
        check("", None);
    }

    /// A folder with a `postgres` that says this, and an `initdb`.
    fn pretend(said: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for program in ["postgres", "initdb"] {
            let path = folder.path().join(program);
            fs::write(&path, format!("#!/bin/sh\necho '{said}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_with_the_reason() {
        let old = pretend("postgres (PostgreSQL) 14.2");
        let why = usable(old.path(), "", None).await.unwrap_err();
        assert!(why.ends_with("version 14.2 is below 15"), "{why}");

        let other = pretend("something else");
        let why = usable(other.path(), "", None).await.unwrap_err();
        assert!(why.ends_with("it says it is \"something else\""), "{why}");

        fs::remove_file(old.path().join("initdb")).unwrap();
        let why = usable(old.path(), "", None).await.unwrap_err();
        assert!(why.ends_with("it has no initdb"), "{why}");

        let new = pretend("postgres (PostgreSQL) 99.1");
        assert_eq!(usable(new.path(), "", None).await.unwrap().version.major, 99);
    }
}
