//! The binaries that the runs of a command start: built beside whatever else the first of them needs, once for all.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;

use crate::binaries::{Binaries, Build};
use crate::interrupt::{Interrupt, Leash};
use crate::progress::Progress;

/// Binaries that are there, or will be.
#[derive(Debug)]
pub(crate) struct Supply {
    there: OnceCell<Binaries>,
    /// `None` once it has ended.
    building: Mutex<Option<Building>>,
}

#[derive(Debug)]
struct Building {
    built: JoinHandle<Result<Binaries>>,
    leash: Leash,
}

impl Supply {
    /// Of binaries that somebody has built.
    pub(crate) fn of(found: Binaries) -> Self {
        Self {
            there: OnceCell::new_with(Some(found)),
            building: Mutex::new(None),
        }
    }

    /// Begins to build; an interrupt ends it.
    ///
    /// # Errors
    /// If cargo cannot be run.
    pub(crate) fn begin(
        build: Build,
        offline: bool,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let mut cargo = build.command(offline)?;
        // a signal of the terminal comes to it through us, like any other
        let cargo = cargo.process_group(0).spawn().context("cannot run cargo")?;
        let leash = interrupt.ends_group(cargo.id());
        let progress = progress.clone();
        let built = tokio::task::spawn_blocking(move || Binaries::made_by(cargo, &progress));
        Ok(Self {
            there: OnceCell::new(),
            building: Mutex::new(Some(Building { built, leash })),
        })
    }

    /// The binaries, once they are built. Whoever no longer waits takes nothing from those who do.
    ///
    /// # Errors
    /// [`NotBuilt`](crate::binaries::NotBuilt), and after that a word that this was so.
    pub(crate) async fn get(&self) -> Result<&Binaries> {
        let built = async {
            let mut building = self.building.lock().await;
            let running = building.as_mut().context("the build has failed before")?;
            let built = (&mut running.built).await;
            *building = None;
            built.context("the build broke off")?
        };
        self.there.get_or_try_init(|| built).await
    }

    /// Nobody needs it any more: a build that still runs is ended.
    pub(crate) async fn end(self) {
        if let Some(mut running) = self.building.into_inner() {
            running.pull();
            let _ = (&mut running.built).await;
        }
    }
}

impl Building {
    fn pull(&self) {
        if !self.built.is_finished() {
            self.leash.pull();
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.pull();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;

    use tempfile::TempDir;

    use super::*;

    /// A build that lasts as long as the shell's `script`, and what it then makes.
    fn building(script: &str, makes: impl FnOnce() -> Result<Binaries> + Send + 'static) -> Supply {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        let mut child = command.spawn().unwrap();
        let leash = Interrupt::listen().unwrap().ends_group(child.id());
        let built = tokio::task::spawn_blocking(move || {
            let status = child.wait()?;
            anyhow::ensure!(status.success(), "{status}");
            makes()
        });
        Supply {
            there: OnceCell::new(),
            building: Mutex::new(Some(Building { built, leash })),
        }
    }

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["auth", "agent", "gateway", "migrate"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[tokio::test]
    async fn one_build_is_for_all_who_ask_and_goes_on_when_one_leaves() {
        let folder = folder();
        let path = folder.path().to_path_buf();
        let (done, is_done) = mpsc::channel();
        let supply = building("true", move || {
            is_done.recv()?;
            Binaries::found(&path)
        });
        tokio::select! {
            biased;
            _ = supply.get() => panic!("it is not built yet"),
            () = tokio::task::yield_now() => {}
        }
        done.send(()).unwrap();
        let (one, other) = tokio::join!(supply.get(), supply.get());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.path("gateway").unwrap(), folder.path().join("gateway"));
        assert!(std::ptr::eq(one, other));
    }

    #[tokio::test]
    async fn a_build_that_fails_says_why_and_is_over() {
        let supply = building("exit 3", || unreachable!());
        assert_eq!(supply.get().await.unwrap_err().to_string(), "exit status: 3");
        assert!(supply.get().await.is_err());
        supply.end().await;
    }

    #[tokio::test]
    async fn a_build_that_nobody_needs_is_ended() {
        let supply = building("sleep 600", || unreachable!());
        supply.end().await;
    }
}
