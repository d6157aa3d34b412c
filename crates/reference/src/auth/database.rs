//! The pool of connections to PostgreSQL, and what is done in it.
//!
//! A transaction that is dropped while it begins leaves its connection inside that transaction (sqlx 0.9.0, issue 4393),
//! and the pool hands it to the next borrower. So nothing here may be cancelled: [`super::api`] runs every request in a
//! task of its own, which outlives a client that goes away.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, Postgres};

use crate::config::{self, ConfigError};
use crate::metrics::Metrics;
use crate::pool::{Hold, PoolFigures};

/// How long a request waits for a connection.
pub(super) const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one statement may run, and wait for a lock.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often sessions that are over are deleted.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The URL, the connection or a statement failed.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The role may see too much.
    #[error(transparent)]
    Role(#[from] ConfigError),
}

impl DatabaseError {
    /// Whether trying again later may help.
    pub(super) fn is_outage(&self) -> bool {
        use sqlx::Error as E;
        match self {
            Self::Sql(E::PoolTimedOut | E::PoolClosed | E::Io(_) | E::Tls(_) | E::WorkerCrashed) => true,
            // classes 57P (shutting down) and 53 (out of resources)
            Self::Sql(E::Database(error)) => error
                .code()
                .is_some_and(|code| code.starts_with("57P") || code.starts_with("53")),
            _ => false,
        }
    }
}

pub(super) struct Database {
    pool: PgPool,
    figures: PoolFigures,
}

/// A connection on loan.
pub(super) struct Lent {
    connection: PoolConnection<Postgres>,
    _hold: Hold,
}

impl Deref for Lent {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Database {
    pub(super) async fn connect(url: &str, size: u32, metrics: &Metrics) -> Result<Self, DatabaseError> {
        let limit_ms = STATEMENT_TIMEOUT.as_millis().to_string();
        let options = PgConnectOptions::from_str(url)?
            .application_name("auth")
            .options([
                ("statement_timeout", limit_ms.as_str()),
                ("lock_timeout", limit_ms.as_str()),
                ("idle_in_transaction_session_timeout", limit_ms.as_str()),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(CHECKOUT_TIMEOUT);
        let pool = pool.connect_with(options).await?;
        let figures = metrics.pool("db", usize::try_from(size).unwrap_or(usize::MAX));
        let database = Self { pool, figures };
        database.refuse_strong_role().await?;
        Ok(database)
    }

    async fn refuse_strong_role(&self) -> Result<(), DatabaseError> {
        let rights = sqlx::query_as(config::ROLE_RIGHTS_SQL)
            .fetch_one(&mut *self.lend().await?)
            .await?;
        let (role, superuser, bypassrls): (String, bool, bool) = rights;
        Ok(config::refuse_strong_role(&role, superuser, bypassrls)?)
    }

    /// Checks a connection out. It goes back when dropped.
    pub(super) async fn lend(&self) -> Result<Lent, DatabaseError> {
        let waiting = self.figures.wait();
        match self.pool.acquire().await {
            Ok(connection) => Ok(Lent {
                connection,
                _hold: waiting.granted(),
            }),
            Err(error) => {
                if matches!(error, sqlx::Error::PoolTimedOut) {
                    waiting.timed_out();
                }
                Err(error.into())
            }
        }
    }

    pub(super) async fn ping(&self) -> Result<(), DatabaseError> {
        sqlx::query("select 1").execute(&mut *self.lend().await?).await?;
        Ok(())
    }

    pub(super) async fn prune(&self) {
        let mut due = tokio::time::interval(PRUNE_INTERVAL);
        loop {
            due.tick().await;
            match self.prune_once().await {
                Ok(sessions) => tracing::info!(sessions, "deleted sessions that were over"),
                Err(error) => tracing::warn!(%error, "sessions that are over could not be deleted"),
            }
        }
    }

    async fn prune_once(&self) -> Result<u64, DatabaseError> {
        let done = sqlx::query("delete from sessions where expires_at < now()");
        Ok(done.execute(&mut *self.lend().await?).await?.rows_affected())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
