//! The database, used on somebody's behalf: every transaction says whose, and row-level security holds it to that.

use std::str::FromStr;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
    Transaction,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};
use uuid::Uuid;

use super::identity::Identity;
use super::limits::{CHECKOUT_TIMEOUT, DATABASE_CONNECT_TIMEOUT, STATEMENT_TIMEOUT};
use super::protocol::Failure;
use crate::config::{ConfigError, ROLE_RIGHTS_SQL, refuse_strong_role};
use crate::pool::{Hold, PoolFigures};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The URL cannot be read.
    #[error("the database URL is not usable")]
    Url(#[source] tokio_postgres::Error),
    /// The pool cannot be made.
    #[error("the pool of {size} database connections cannot be made")]
    Pool {
        /// Connections at most.
        size: usize,
        /// What is wrong.
        source: deadpool_postgres::BuildError,
    },
    /// No connection could be had.
    #[error("the database cannot be reached")]
    Connect(#[source] PoolError),
    /// A question of the start was not answered.
    #[error("the database does not answer")]
    Query(#[source] tokio_postgres::Error),
    /// The role must be bound by row-level security.
    #[error(transparent)]
    Role(#[from] ConfigError),
    /// The role owns tables, and an owner is not bound by their policies.
    #[error("the database role owns {tables} tables of the service; row-level security would not bind it")]
    Owner {
        /// How many.
        tables: i64,
    },
}

/// Connection settings, shared by the pool and the listener.
///
/// # Errors
/// [`DatabaseError::Url`].
pub(crate) fn settings(url: &str, application: &str) -> Result<Config, DatabaseError> {
    let mut config = Config::from_str(url).map_err(DatabaseError::Url)?;
    let limit = format!("-c statement_timeout={}", STATEMENT_TIMEOUT.as_millis());
    let options = config
        .get_options()
        .map_or_else(|| limit.clone(), |given| format!("{given} {limit}"));
    config
        .options(options)
        .application_name(application)
        .connect_timeout(DATABASE_CONNECT_TIMEOUT);
    Ok(config)
}

/// The pool of database connections.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    figures: PoolFigures,
}

impl Database {
    /// A pool of up to `size` connections, after a look at what its role may do.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn open(
        config: Config,
        size: usize,
        figures: PoolFigures,
    ) -> Result<Self, DatabaseError> {
        // nothing of a session is ever set, but a connection that comes back is still made new
        let recycling_method = RecyclingMethod::Clean;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let timeouts = Timeouts {
            wait: Some(CHECKOUT_TIMEOUT),
            create: Some(DATABASE_CONNECT_TIMEOUT),
            recycle: Some(DATABASE_CONNECT_TIMEOUT),
        };
        let pool = Pool::builder(manager)
            .max_size(size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|source| DatabaseError::Pool { size, source })?;
        let database = Self { pool, figures };
        database.refuse_strong_role().await?;
        Ok(database)
    }

    async fn refuse_strong_role(&self) -> Result<(), DatabaseError> {
        let client = self.pool.get().await.map_err(DatabaseError::Connect)?;
        let rights = client
            .query_one(ROLE_RIGHTS_SQL, &[])
            .await
            .map_err(DatabaseError::Query)?;
        refuse_strong_role(
            rights.get("role"),
            rights.get("superuser"),
            rights.get("bypassrls"),
        )?;
        let owned = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relrowsecurity \
                     AND relnamespace = 'public'::regnamespace AND pg_has_role(session_user, relowner, 'MEMBER')";
        let tables: i64 = client
            .query_one(owned, &[])
            .await
            .map_err(DatabaseError::Query)?
            .get(0);
        if tables > 0 {
            Err(DatabaseError::Owner { tables })
        } else {
            Ok(())
        }
    }

    /// A connection of the pool.
    ///
    /// # Errors
    /// `timeout` when none was free in time, `unavailable` when none could be opened.
    pub(crate) async fn checkout(&self) -> Result<Checkout, Failure> {
        let waiting = self.figures.wait();
        match self.pool.get().await {
            Ok(client) => Ok(Checkout {
                client,
                _hold: waiting.granted(),
            }),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                waiting.timed_out();
                Err(Failure::timeout("no database connection was free in time"))
            }
            Err(error) => {
                tracing::warn!(%error, "no database connection");
                Err(Failure::unavailable("the database cannot be reached"))
            }
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// As [`Database::checkout`], and `unavailable` when it does not.
    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        let checkout = self.checkout().await?;
        checkout.client.simple_query("").await?;
        Ok(())
    }
}

/// A connection of the pool, until dropped.
pub(crate) struct Checkout {
    client: Client,
    _hold: Hold,
}

impl Checkout {
    /// Begins a transaction on behalf of `identity`. Dropped without [`Acting::commit`], it is rolled back.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn act_for(&mut self, identity: &Identity) -> Result<Acting<'_>, Failure> {
        self.begin(Some(identity.user_id), identity.tenant_id).await
    }

    /// Begins a transaction that may see what every user of the tenant may see.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn act_within(&mut self, tenant_id: Uuid) -> Result<Acting<'_>, Failure> {
        self.begin(None, tenant_id).await
    }

    async fn begin(&mut self, user_id: Option<Uuid>, tenant_id: Uuid) -> Result<Acting<'_>, Failure> {
        let acting = Acting {
            transaction: self.client.transaction().await?,
        };
        let user_id = user_id.map_or_else(String::new, |id| id.to_string());
        let identify = "SELECT set_config('app.user_id', $1, true), set_config('app.tenant_id', $2, true)";
        acting.row(identify, &[&user_id, &tenant_id.to_string()]).await?;
        Ok(acting)
    }
}

/// A transaction on somebody's behalf.
pub(crate) struct Acting<'a> {
    transaction: Transaction<'a>,
}

/// Arguments of a statement.
pub(crate) type Arguments<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Acting<'_> {
    /// All rows.
    ///
    /// # Errors
    /// That of the database, like all of these.
    pub(crate) async fn rows(&self, sql: &str, arguments: Arguments<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.transaction.prepare_cached(sql).await?;
        Ok(self.transaction.query(&statement, arguments).await?)
    }

    /// The one row there is.
    pub(crate) async fn row(&self, sql: &str, arguments: Arguments<'_>) -> Result<Row, Failure> {
        let statement = self.transaction.prepare_cached(sql).await?;
        Ok(self.transaction.query_one(&statement, arguments).await?)
    }

    /// The one row there may be.
    pub(crate) async fn row_if_any(
        &self,
        sql: &str,
        arguments: Arguments<'_>,
    ) -> Result<Option<Row>, Failure> {
        let statement = self.transaction.prepare_cached(sql).await?;
        Ok(self.transaction.query_opt(&statement, arguments).await?)
    }

    /// The count of rows that were changed.
    pub(crate) async fn change(&self, sql: &str, arguments: Arguments<'_>) -> Result<u64, Failure> {
        let changed = self.change_or_refusal(sql, arguments).await;
        Ok(changed?)
    }

    /// As [`Acting::change`], for statements whose refusal the caller understands.
    pub(crate) async fn change_or_refusal(
        &self,
        sql: &str,
        arguments: Arguments<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.transaction.prepare_cached(sql).await?;
        self.transaction.execute(&statement, arguments).await
    }

    /// Makes it last. What was read or written counts only after this.
    pub(crate) async fn commit(self) -> Result<(), Failure> {
        Ok(self.transaction.commit().await?)
    }
}
