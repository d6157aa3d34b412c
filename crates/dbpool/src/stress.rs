//! The stress of both pools.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::Config;

use crate::borrowed::Pool;
use crate::course::Course;
use crate::deadpool::Deadpool;
use crate::litter::Litter;
use crate::schema::Schema;
use crate::sqlx_pool::Sqlx;
use crate::tally::PoolRun;
use crate::verify::compare;

/// Most connections of a pool.
pub const SIZE_MAX: u32 = 64;

/// Most operations that want or hold a connection at once.
pub const IN_FLIGHT_MAX: u32 = 1_024;

/// Most operations of a pool.
pub const OPS_MAX: u64 = 100_000;

/// Whether connections are wiped between borrowers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recycling {
    /// [`RESET_SQL`](crate::RESET_SQL) after every loan: deadpool by `RecyclingMethod::Custom`, sqlx by an `after_release` hook.
    Reset,
    /// As the libraries do by default: deadpool's `RecyclingMethod::Fast`, sqlx without a hook. Shows what borrowers leave.
    Bare,
}

/// What the pools are put through. [`Stress::new`] has the usual figures.
#[derive(Clone, Debug)]
pub struct Stress {
    /// A role that may create schemas in the database; the workload's schema is made and dropped by it.
    pub owner_url: String,
    /// The role that the pools log in as, in the same database; row-level security must bind it.
    pub worker_url: String,
    /// Connections of each pool, 1 to [`SIZE_MAX`].
    pub size: u32,
    /// Operations that want or hold a connection at once, 1 to [`IN_FLIGHT_MAX`]; more than `size`, or nobody waits.
    pub in_flight: u32,
    /// Identities that the operations are spread over, at least 1.
    pub users: u32,
    /// Operations of each pool, 1 to [`OPS_MAX`].
    pub ops: u64,
    /// Whether one operation in ten is cancelled in mid-flight.
    pub cancels: bool,
    /// What one operation in ten leaves behind, taken in turn; empty for nothing.
    pub litter: Vec<Litter>,
    /// A role that the worker is a member of, for [`Litter::Role`].
    pub spare_role: Option<String>,
    /// Whether connections are wiped between borrowers.
    pub recycling: Recycling,
    /// Longest wait for a connection.
    pub patience: Duration,
    /// Longest time for all operations of one pool; those not done by then count as failed.
    pub time_limit: Duration,
}

impl Stress {
    /// 4 connections, 24 operations at once, 12 users, 120 operations, with cancels and [`Litter::DEFAULT`], wiped; 5 s for
    /// a checkout, 20 s for a pool.
    #[must_use]
    pub fn new(owner_url: impl Into<String>, worker_url: impl Into<String>) -> Self {
        Self {
            owner_url: owner_url.into(),
            worker_url: worker_url.into(),
            size: 4,
            in_flight: 24,
            users: 12,
            ops: 120,
            cancels: true,
            litter: Litter::DEFAULT.to_vec(),
            spare_role: None,
            recycling: Recycling::Reset,
            patience: Duration::from_secs(5),
            time_limit: Duration::from_secs(20),
        }
    }

    fn check(&self) -> Result<(), StressError> {
        let within = |what, got: u64, limit: u64| {
            if (1..=limit).contains(&got) {
                Ok(())
            } else {
                Err(StressError::OutOfRange { what, got, limit })
            }
        };
        within("connections", self.size.into(), SIZE_MAX.into())?;
        within("operations at once", self.in_flight.into(), IN_FLIGHT_MAX.into())?;
        within("users", self.users.into(), u32::MAX.into())?;
        within("operations", self.ops, OPS_MAX)?;
        if self.litter.contains(&Litter::Role) && self.spare_role.is_none() {
            return Err(StressError::NoSpareRole);
        }
        Ok(())
    }
}

/// Why a stress could not be done. What the pools did wrong is no error but in their figures.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum StressError {
    /// A number of the request is of no use.
    #[error("{got} {what} asked for, the limit is 1 to {limit}")]
    OutOfRange {
        /// Of what.
        what: &'static str,
        /// How many.
        got: u64,
        /// How many at most.
        limit: u64,
    },
    /// Roles are to be left behind, and there is none.
    #[error("leaving a role behind needs a spare role that the worker is a member of")]
    NoSpareRole,
    /// A URL cannot be read; it is not repeated here, for it may hold a password.
    #[error("the {which}'s database URL cannot be read")]
    Url {
        /// Owner, worker or audit.
        which: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No connection, outside of all pools.
    #[error("the {which} cannot connect to the database")]
    Connect {
        /// Owner or worker.
        which: &'static str,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// The worker's rights hide what the stress looks for.
    #[error(
        "the worker's role {role} is above row-level security: take one that is neither superuser nor BYPASSRLS"
    )]
    Privileged {
        /// The role.
        role: String,
    },
    /// The workload's schema could not be made, read or dropped.
    #[error("the schema {schema} cannot be set up or read")]
    Setup {
        /// The schema.
        schema: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A pool could not be built.
    #[error("the pool of {library} cannot be built")]
    Build {
        /// Of which library.
        library: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Puts one workload through a pool of deadpool-postgres, then through one of sqlx.
///
/// Each operation waits for a connection, examines what the last borrower left, writes a row under its user's identity
/// (`SET LOCAL` in a transaction), reads back all that it can see and compares. Some give up waiting early and come again,
/// some roll back, some are cancelled in mid-flight, some leave something behind as a faulty application does.
/// At the end the table is compared with what was acknowledged.
///
/// Dropping the future leaves the schema `crosstalk_pool_<id>` in the database.
///
/// # Errors
/// [`StressError`] if the stress could not be done.
pub async fn stress(stress: &Stress) -> Result<Vec<PoolRun>, StressError> {
    stress.check()?;
    let schema = Arc::new(Schema::create(&stress.owner_url, &stress.worker_url).await?);
    let runs = run_both(stress, &schema).await;
    if let Some(schema) = Arc::into_inner(schema) {
        schema.drop().await?;
    }
    runs
}

async fn run_both(stress: &Stress, schema: &Arc<Schema>) -> Result<Vec<PoolRun>, StressError> {
    let config = Config::from_str(&stress.worker_url).map_err(|error| StressError::Url {
        which: "worker",
        source: error.into(),
    })?;
    let sqlx = Sqlx::new(&config, stress.size, stress.recycling);
    let deadpool =
        Deadpool::new(config, stress.size, stress.recycling).map_err(|error| StressError::Build {
            library: Deadpool::LABEL,
            source: error.into(),
        })?;
    Ok(vec![
        run(stress, schema, deadpool).await?,
        run(stress, schema, sqlx).await?,
    ])
}

async fn run<P: Pool>(stress: &Stress, schema: &Arc<Schema>, pool: P) -> Result<PoolRun, StressError> {
    let mut ran = Course::new(pool.clone(), schema.clone(), stress)
        .run(stress.in_flight)
        .await;
    pool.close().await;
    compare(&mut ran.tally, &schema.take_rows().await?, stress.users);
    Ok(ran
        .tally
        .into_run(P::LABEL, stress.size, ran.in_flight_max, ran.wall))
}
