//! The workload through deadpool-postgres.

use std::time::Duration;

use deadpool_postgres::{
    BuildError, Client, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::borrowed::{Borrowed, CheckoutError, DbError, Pool, Rows, Seen, StoredRow, Work};
use crate::litter::RESET_SQL;
use crate::stress::Recycling;

/// A pool of deadpool-postgres.
#[derive(Clone)]
pub(crate) struct Deadpool(deadpool_postgres::Pool);

impl Deadpool {
    pub(crate) fn new(
        config: tokio_postgres::Config,
        size: u32,
        recycling: Recycling,
    ) -> Result<Self, BuildError> {
        let recycling_method = match recycling {
            Recycling::Reset => RecyclingMethod::Custom(RESET_SQL.to_owned()),
            Recycling::Bare => RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let builder = deadpool_postgres::Pool::builder(manager).max_size(size as usize);
        Ok(Self(builder.runtime(Runtime::Tokio1).build()?))
    }
}

impl Pool for Deadpool {
    type Borrowed = Client;

    const LABEL: &'static str = "deadpool-postgres";

    async fn checkout(&self, patience: Duration) -> Result<Client, CheckoutError> {
        let patience = Some(patience);
        let timeouts = Timeouts {
            wait: patience,
            create: patience,
            recycle: patience,
        };
        self.0.timeout_get(&timeouts).await.map_err(|error| match error {
            PoolError::Timeout(_) => CheckoutError::Timeout,
            PoolError::Backend(error) => CheckoutError::Failed(error.into()),
            other => CheckoutError::Failed(DbError {
                code: None,
                message: other.to_string(),
            }),
        })
    }

    async fn close(&self) {
        self.0.close();
    }
}

impl Borrowed for Client {
    async fn simple(&mut self, sql: String) -> Result<Rows, DbError> {
        let messages = self.simple_query(&sql).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    async fn transact(&mut self, work: &Work) -> Result<Seen, DbError> {
        let transaction = self.transaction().await?;
        let identify = transaction.prepare_cached(Work::SET_IDENTITY).await?;
        let identity = transaction
            .query_one(&identify, &[&work.user])
            .await?
            .try_get(0)?;
        let insert = transaction.prepare_cached(&work.insert_sql()).await?;
        let stored = transaction
            .query_one(&insert, &[&work.op, &work.user, &work.body])
            .await?
            .try_get(0)?;
        if let Some(sleep) = work.sleep {
            transaction
                .query_one(Work::SLEEP, &[&sleep.as_secs_f64()])
                .await?;
        }
        let read = transaction.prepare_cached(&work.read_sql()).await?;
        let rows = transaction.query(&read, &[]).await?;
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

fn stored_row(row: &tokio_postgres::Row) -> Result<StoredRow, tokio_postgres::Error> {
    Ok(StoredRow {
        op: row.try_get(0)?,
        owner: row.try_get(1)?,
        body: row.try_get(2)?,
    })
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self {
                code: Some(said.code().code().to_owned()),
                message: said.message().to_owned(),
            },
            None => Self {
                code: None,
                message: error.to_string(),
            },
        }
    }
}
