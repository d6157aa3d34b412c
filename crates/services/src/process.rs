use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::guard::{Link, Order};
use crate::log::tail;
use crate::{Error, Exit, Signal};

/// The pause between two looks at something that a service has yet to do.
const POLL: Duration = Duration::from_millis(2);

/// A process that the guard owns. Dropping this handle does not stop it.
#[derive(Clone)]
pub struct Process {
    link: Arc<Link>,
    name: String,
    pid: i32,
    log: PathBuf,
    exit: watch::Receiver<Option<Exit>>,
    /// Whether what it has started goes on without it.
    forks: bool,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, pid, exit) = (&self.name, self.pid, self.exit());
        f.debug_struct("Process")
            .field("name", name)
            .field("pid", &pid)
            .field("exit", &exit)
            .finish()
    }
}

impl Process {
    pub(crate) fn new(
        link: Arc<Link>,
        name: String,
        pid: i32,
        log: PathBuf,
        exit: watch::Receiver<Option<Exit>>,
    ) -> Self {
        Self {
            link,
            name,
            pid,
            log,
            exit,
            forks: false,
        }
    }

    /// The same, whose end is not that of what it has started.
    pub(crate) fn forking(self) -> Self {
        Self { forks: true, ..self }
    }

    /// The name it was launched under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, which is its process group's id too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The file with its output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended; `None` while it lives.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits, without limit, for it to end.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.map_or(Exit::Unseen, |exit| exit.unwrap_or(Exit::Unseen))
    }

    /// Waits for a process that does one thing and exits; what it is for completes "it ended before it had …".
    ///
    /// # Errors
    /// [`Error::Died`] if it ends with anything but code 0, [`Error::NotReady`] if it is still running after
    /// `within` (it is killed then).
    pub async fn finished(&self, awaited: &str, within: Duration) -> Result<(), Error> {
        match tokio::time::timeout(within, self.exited()).await {
            Ok(exit) if exit.success() => Ok(()),
            Ok(exit) => Err(self.died(exit, awaited)),
            Err(_) => {
                self.signal(Signal::Kill).await?;
                Err(self.not_ready(awaited, "still at it", within))
            }
        }
    }

    /// Asks `look` again and again, at least once, until it answers `Ok`; its `Err` says what it saw instead.
    ///
    /// # Errors
    /// [`Error::Died`] as soon as the process ends, unless what it has started [forks away](crate::Launch::undone_by);
    /// [`Error::NotReady`] after `within`.
    pub async fn until<T, F>(
        &self,
        awaited: &str,
        within: Duration,
        mut look: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, String>>,
    {
        let deadline = Instant::now() + within;
        let mut last = "no answer".to_owned();
        loop {
            match tokio::time::timeout_at(deadline.into(), look()).await {
                Ok(Ok(seen)) => return Ok(seen),
                Ok(Err(instead)) => last = instead,
                // The look before this one says more, if there was one.
                Err(_) => {}
            }
            if Instant::now() + POLL >= deadline {
                return Err(self.not_ready(awaited, &last, within));
            }
            tokio::select! {
                exit = self.exited(), if !self.forks => return Err(self.died(exit, awaited)),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Stops it by its stop steps and waits until it has ended. One that has ended already is fine.
    ///
    /// # Errors
    /// [`Error::GuardLost`].
    pub async fn stop(&self) -> Result<Exit, Error> {
        if self.exit().is_none() {
            self.link
                .order(Order::Stop {
                    name: self.name.clone(),
                })
                .await?;
        }
        Ok(self.exited().await)
    }

    /// Sends it a signal: [`Signal::Stop`] freezes it, [`Signal::Cont`] thaws it, with all processes that it has started
    /// where the system says which. After one that is meant to end it, its end is no [`Death`](crate::Death).
    ///
    /// # Errors
    /// [`Error::GuardLost`].
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.send(signal, true).await
    }

    /// As [`Self::signal`], but as if somebody else had sent it: if it ends by it, that is a [`Death`](crate::Death).
    ///
    /// # Errors
    /// [`Error::GuardLost`].
    pub async fn strike(&self, signal: Signal) -> Result<(), Error> {
        self.send(signal, false).await
    }

    async fn send(&self, signal: Signal, asked: bool) -> Result<(), Error> {
        if self.exit().is_some() {
            return Ok(());
        }
        let name = self.name.clone();
        self.link.order(Order::Signal { name, signal, asked }).await
    }

    fn died(&self, exit: Exit, awaited: &str) -> Error {
        Error::Died {
            name: self.name.clone(),
            exit,
            awaited: awaited.to_owned(),
            log: tail(&self.log),
        }
    }

    fn not_ready(&self, awaited: &str, last: &str, waited: Duration) -> Error {
        Error::NotReady {
            name: self.name.clone(),
            awaited: awaited.to_owned(),
            last: last.to_owned(),
            waited,
            log: tail(&self.log),
        }
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        self.link.http()
    }
}
