//! A PostgreSQL without services, for what needs nothing else: benches, and runs that share one server.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use services::{Guard, Postgres, PostgresConfig, PostgresSource, RoleOptions};

use crate::run_dir::RunDir;
use crate::stack;

/// A running server with one database, one role that may log in, and a folder that goes with it.
pub(crate) struct Database {
    folder: PathBuf,
    guard: Guard,
    postgres: Postgres,
    role: services::Role,
    database: services::Database,
    _run_dir: RunDir,
}

impl Database {
    /// Starts it as a run does, found or fetched, with room for so many `connections`.
    pub(crate) async fn start(source: PostgresSource, offline: bool, connections: u16) -> Result<Self> {
        let name = format!("crosstalk-postgres-{:08x}", rand::rng().random::<u32>());
        let folder = std::env::temp_dir().join(name);
        let run_dir = RunDir::create(&folder)?;
        let guard = stack::guard(&run_dir).await?;
        let mut config = PostgresConfig::new(stack::cache_dir(), run_dir.path());
        config.source = source;
        config.offline = offline;
        config.connections = connections;
        match Self::furnished(config, &guard).await {
            Ok((postgres, role, database)) => Ok(Self {
                folder,
                guard,
                postgres,
                role,
                database,
                _run_dir: run_dir,
            }),
            Err(error) => {
                guard.stop().await?;
                let logs = folder.join("logs");
                Err(error.context(format!(
                    "PostgreSQL did not come up; its log is in {}",
                    logs.display()
                )))
            }
        }
    }

    async fn furnished(
        config: PostgresConfig,
        guard: &Guard,
    ) -> Result<(Postgres, services::Role, services::Database)> {
        let postgres = Postgres::start(config, guard, |_line| {}).await?;
        let role = postgres.create_role("owner", RoleOptions::default()).await?;
        let database = postgres.create_database("lent", &role).await?;
        Ok((postgres, role, database))
    }

    /// Where the role logs in.
    pub(crate) fn url(&self) -> String {
        self.postgres.url(&self.role, &self.database)
    }

    /// Where whoever may create databases and roles logs in.
    pub(crate) fn admin_url(&self) -> String {
        self.postgres.admin_url(&self.database)
    }

    /// Stops it and removes what it left.
    pub(crate) async fn stop(self) -> Result<()> {
        let stopped = self.postgres.stop().await;
        let farewell = self.guard.stop().await?;
        stopped.context("PostgreSQL did not stop")?;
        ensure!(
            farewell.problems.is_empty(),
            "not all is stopped and removed: {}",
            farewell.problems.join("; ")
        );
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}
