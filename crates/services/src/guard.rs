//! The guard process and the harness's handle on it.

mod children;
mod link;
mod protocol;
mod run;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;

pub use run::run;

use crate::error::at;
use crate::log::tail;
use crate::{Death, Error, Launch, Leftover, Process};
pub(crate) use link::Link;
pub(crate) use protocol::Order;

/// How long a guard may take to say that it listens.
const READY: Duration = Duration::from_secs(10);
/// How long a guard may take to stop and remove everything; above the sum of its own limits.
const STOPPED: Duration = Duration::from_secs(60);

/// How long one answer to a health request may take.
const HEALTH_ANSWER: Duration = Duration::from_secs(2);

/// How to start a guard.
#[derive(Clone, Debug)]
pub struct GuardSpec {
    /// The program; usually the caller's own ([`std::env::current_exe`]).
    pub program: PathBuf,
    /// The arguments that make it call [`guard::run`](run).
    pub args: Vec<OsString>,
    /// The file that gets its standard error.
    pub log: PathBuf,
}

/// The guard: a process that owns every service, so that nothing survives the harness however it ends.
///
/// It runs in a process group of its own, where a terminal's Ctrl-C does not reach it, and holds the reading end of
/// a pipe from the harness. When that pipe ends (the harness stopped it, dropped it, panicked, was killed) it stops
/// every service by its own stop steps, tier by tier, removes what was [kept](Guard::keep), and exits. Should the
/// guard itself be killed, this handle notices and does the same without ceremony.
#[derive(Debug)]
pub struct Guard {
    link: Arc<Link>,
    child: Child,
}

/// What a guard said about the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Farewell {
    /// Services that only SIGKILL ended, in the order they ended.
    pub forced: Vec<String>,
    /// What could not be stopped or removed, a sentence each; empty when nothing was left behind.
    pub problems: Vec<String>,
}

impl Guard {
    /// Starts the guard process. Call it inside a tokio runtime with IO and time.
    ///
    /// # Errors
    /// [`Error::GuardStart`] if there is no such program, [`Error::GuardLost`] if it does not say within ten
    /// seconds that it listens, [`Error::File`] if its log cannot be written.
    pub async fn start(spec: GuardSpec) -> Result<Self, Error> {
        // Services are asked on this machine; a proxy in the environment is for elsewhere.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(HEALTH_ANSWER)
            .build();
        let http = http.map_err(|source| Error::Http { source })?;
        let log = OpenOptions::new().create(true).append(true).open(&spec.log);
        let log = log.map_err(at("open the log", &spec.log))?;
        let started = Command::new(&spec.program)
            .args(&spec.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn();
        let mut child = started.map_err(|source| Error::GuardStart {
            program: spec.program,
            source,
        })?;
        let lost = || Error::GuardLost { log: tail(&spec.log) };
        let (orders, reports) = (
            child.stdin.take().ok_or_else(lost)?,
            child.stdout.take().ok_or_else(lost)?,
        );
        let link = Link::open(orders, reports, spec.log.clone(), http);
        match tokio::time::timeout(READY, link.ready()).await {
            Ok(true) => Ok(Self { link, child }),
            _ => Err(lost()),
        }
    }

    /// Starts a process. It runs when this returns; whether it is of use yet is for
    /// [`Process::ports`] and [`Process::healthy`] to find out.
    ///
    /// # Errors
    /// [`Error::Spawn`] if the system refuses it (no such program, an unwritable log), or if a process of its name
    /// lives already; [`Error::GuardLost`].
    pub async fn spawn(&self, launch: Launch) -> Result<Process, Error> {
        self.link.spawn(launch).await
    }

    /// Has something removed at the end, after every process has stopped, latest first; or as soon as
    /// [`Kept::clear`] is called.
    ///
    /// # Errors
    /// [`Error::GuardLost`].
    pub async fn keep(&self, leftover: Leftover) -> Result<Kept, Error> {
        let id = self.link.keep(leftover.absolute()).await?;
        Ok(Kept {
            link: Arc::clone(&self.link),
            id,
        })
    }

    /// The processes that ended unasked so far; changes with each.
    #[must_use]
    pub fn deaths(&self) -> watch::Receiver<Vec<Death>> {
        self.link.deaths()
    }

    /// The guard's own process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Stops every process, removes everything kept, ends the guard.
    ///
    /// # Errors
    /// [`Error::GuardLost`] if it had died before (everything was killed then), [`Error::GuardStuck`] if it takes
    /// more than a minute.
    pub async fn stop(mut self) -> Result<Farewell, Error> {
        self.link.close();
        let Ok(farewell) = tokio::time::timeout(STOPPED, self.link.farewell()).await else {
            let _ = self.child.kill().await;
            return Err(Error::GuardStuck { waited: STOPPED });
        };
        let _ = self.child.wait().await;
        farewell
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.link.close();
    }
}

/// Something that the guard removes at the end.
#[derive(Debug)]
pub struct Kept {
    link: Arc<Link>,
    id: u32,
}

impl Kept {
    /// Removes it now.
    ///
    /// # Errors
    /// [`Error::NotRemoved`], or [`Error::GuardLost`] (it is removed all the same then).
    pub async fn clear(self) -> Result<(), Error> {
        self.link.clear(self.id).await
    }
}
