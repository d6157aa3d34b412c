//! What the tests share: a guard in a folder of its own, and bounded looks at the system.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and may panic"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use services::{Guard, GuardSpec, Launch, Postgres, PostgresConfig, PostgresSource, Process};

/// How long anything here may take before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) guard: Guard,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = GuardSpec {
            program: env!("CARGO_BIN_EXE_scratch-postgres").into(),
            args: vec!["guard".into()],
            log: folder.path().join("guard.log"),
        };
        Self {
            guard: Guard::start(spec).await.unwrap(),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A shell script as a process of that name.
    pub(crate) fn script(&self, name: &str, script: &str) -> Launch {
        let log = self.path(&format!("{name}.log"));
        Launch::new(name, "/bin/sh", log)
            .args(["-c", script])
            .cwd(self.path(""))
    }

    /// As [`Self::script`], and it is started.
    pub(crate) async fn run(&self, name: &str, script: &str) -> Process {
        self.guard.spawn(self.script(name, script)).await.unwrap()
    }

    /// Stops the guard; the folder stays until the answer is dropped.
    pub(crate) async fn stop(self) -> (services::Farewell, tempfile::TempDir) {
        (self.guard.stop().await.unwrap(), self.folder)
    }
}

/// Whether a process of that id is there and no zombie.
pub(crate) fn alive(pid: i32) -> bool {
    let there = test_kill_process(Pid::from_raw(pid).unwrap()).is_ok();
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    there
        && !state
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Looks until it is so, for as long as patience lasts.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The number in a file that some script writes; waits for it.
pub(crate) fn number_in(path: &Path) -> i32 {
    let mut number = None;
    eventually(&format!("a number in {}", path.display()), || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        number = text.strip_suffix('\n').and_then(|line| line.parse().ok());
        number.is_some()
    });
    number.unwrap()
}

/// An error and its sources.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A cache that the tests share, so that a template is made once.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A private cluster in this folder of the bench, of the binaries that the environment names, if it does.
pub(crate) fn config(bench: &Bench, run: &str) -> PostgresConfig {
    let mut config = PostgresConfig::new(cache(), bench.path(run));
    config.source = PostgresSource::from_env();
    config
}

pub(crate) async fn start(bench: &Bench, run: &str) -> Postgres {
    Postgres::start(config(bench, run), &bench.guard, |_| {})
        .await
        .unwrap()
}

/// A connection that ends with the client.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
