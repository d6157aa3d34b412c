//! The workload through sqlx.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgPool, Postgres, Row};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::borrowed::{Borrowed, CheckoutError, DbError, Pool, Rows, Seen, StoredRow, Work};
use crate::litter::RESET_SQL;
use crate::stress::Recycling;

/// A pool of sqlx.
#[derive(Clone)]
pub(crate) struct Sqlx(PgPool);

impl Sqlx {
    pub(crate) fn new(config: &Config, size: u32, recycling: Recycling) -> Self {
        let mut pool = PgPoolOptions::new().max_connections(size);
        if recycling == Recycling::Reset {
            pool = pool.after_release(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(RESET_SQL).execute(connection).await?;
                    Ok(true)
                })
            });
        }
        Self(pool.connect_lazy_with(options(config)))
    }
}

/// The same server, role and database, so that both pools read a URL alike; without TLS, as the other.
fn options(config: &Config) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging();
    options = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => options.host(name),
        Some(Host::Unix(folder)) => options.socket(folder),
        None => options,
    };
    if let Some(port) = config.get_ports().first() {
        options = options.port(*port);
    }
    if let Some(user) = config.get_user() {
        options = options.username(user);
    }
    if let Some(password) = config.get_password() {
        options = options.password(&String::from_utf8_lossy(password));
    }
    match config.get_dbname() {
        Some(database) => options.database(database),
        None => options,
    }
}

impl Pool for Sqlx {
    type Borrowed = PoolConnection<Postgres>;

    const LABEL: &'static str = "sqlx";

    async fn checkout(&self, patience: Duration) -> Result<Self::Borrowed, CheckoutError> {
        match tokio::time::timeout(patience, self.0.acquire()).await {
            Ok(Ok(connection)) => Ok(connection),
            Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => Err(CheckoutError::Timeout),
            Ok(Err(error)) => Err(CheckoutError::Failed(error.into())),
        }
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

impl Borrowed for PoolConnection<Postgres> {
    async fn simple(&mut self, sql: String) -> Result<Rows, DbError> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut **self).await?;
        let columns = |row: &PgRow| {
            (0..row.len())
                .map(|column| row.try_get_unchecked(column))
                .collect()
        };
        Ok(rows.iter().map(columns).collect::<Result<_, sqlx::Error>>()?)
    }

    async fn transact(&mut self, work: &Work) -> Result<Seen, DbError> {
        let mut transaction = self.begin().await?;
        let identity = sqlx::query_scalar(Work::SET_IDENTITY)
            .bind(&work.user)
            .fetch_one(&mut *transaction)
            .await?;
        let insert = sqlx::query_scalar(AssertSqlSafe(work.insert_sql()));
        let insert = insert.bind(work.op).bind(&work.user).bind(&work.body);
        let stored = insert.fetch_one(&mut *transaction).await?;
        if let Some(sleep) = work.sleep {
            sqlx::query(Work::SLEEP)
                .bind(sleep.as_secs_f64())
                .execute(&mut *transaction)
                .await?;
        }
        let rows = sqlx::query(AssertSqlSafe(work.read_sql()))
            .fetch_all(&mut *transaction)
            .await?;
        let rows = rows.iter().map(stored_row).collect::<Result<_, _>>()?;
        if work.commit {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(Seen {
            identity,
            stored,
            rows,
        })
    }
}

fn stored_row(row: &PgRow) -> Result<StoredRow, sqlx::Error> {
    Ok(StoredRow {
        op: row.try_get(0)?,
        owner: row.try_get(1)?,
        body: row.try_get(2)?,
    })
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(said) => Self {
                code: said.code().map(|code| code.into_owned()),
                message: said.message().to_owned(),
            },
            None => Self {
                code: None,
                message: error.to_string(),
            },
        }
    }
}
