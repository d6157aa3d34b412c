//! Starts, watches and stops real processes: PostgreSQL and the services under test.
//!
//! - A [`Guard`] is a process of its own that owns all others, so that nothing (process, folder, database) survives
//!   the harness however it ends, SIGKILL included.
//! - A [`Process`] is started through it, found by the ports file that it writes, asked for its health, and its
//!   end is noticed. The error of a start that failed carries the end of the log.
//! - [`Postgres`] is a database server: somebody's, given by URL; or a private cluster made from binaries that are
//!   installed, or fetched.
//!
//! It knows nothing of what the services do: it drives no users, judges nothing, builds nothing. It is for Unix.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//! use services::{Guard, GuardSpec, Launch, Postgres, PostgresConfig, RoleOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // `program guard` calls `services::guard::run()`.
//! let program = std::env::current_exe()?;
//! let guard = Guard::start(GuardSpec { program, args: vec!["guard".into()], log: "logs/guard.log".into() }).await?;
//!
//! let config = PostgresConfig::new("cache", "run");
//! let postgres = Postgres::start(config, &guard, |line| eprintln!("{line}")).await?;
//! let owner = postgres.create_role("owner", RoleOptions::default()).await?;
//! let database = postgres.create_database("chat", &owner).await?;
//!
//! let ports = std::path::Path::new("run/auth.ports");
//! let launch = Launch::new("auth", "target/release/auth", "run/logs/auth.log")
//!     .args(["--bind", "127.0.0.1:0", "--ports-file", "run/auth.ports"])
//!     .env("DATABASE_URL", postgres.url(&owner, &database));
//! let auth = guard.spawn(launch).await?;
//! let bound = auth.ports(ports, Duration::from_secs(10)).await?;
//! auth.healthy(bound["operator"], Duration::from_secs(10)).await?;
//!
//! let farewell = guard.stop().await?;
//! assert!(farewell.problems.is_empty());
//! # Ok(())
//! # }
//! ```

mod account;
mod error;
mod exit;
pub mod guard;
mod launch;
mod leftover;
mod log;
mod ports;
mod postgres;
mod process;
mod signal;

pub use account::Account;
pub use error::{Error, LogTail, Looked};
pub use exit::{Death, Exit};
pub use guard::{Farewell, Guard, GuardSpec, Kept};
pub use launch::{INHERITED_ENV, Launch, STOP_GRACE, StopStep};
pub use leftover::Leftover;
pub use log::LOG_TAIL_LINES;
pub use ports::Ports;
pub use postgres::{
    Database, External, POSTGRES_ENV, POSTGRES_VERSION_MIN, Postgres, PostgresConfig, PostgresSource, Role,
    RoleOptions,
};
pub use process::Process;
pub use signal::Signal;
