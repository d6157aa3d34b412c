//! The database, used on somebody's behalf: every transaction says whose, and row-level security holds it to that.

use std::str::FromStr;
use std::sync::Arc;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use futures_util::FutureExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};
use uuid::Uuid;

use super::backends::Backends;
use super::identity::Identity;
use super::limits::{BEGIN_TIMEOUT, CHECKOUT_TIMEOUT, DATABASE_CONNECT_TIMEOUT, STATEMENT_TIMEOUT};
use super::protocol::Failure;
use crate::config::{ConfigError, ROLE_RIGHTS_SQL, refuse_strong_role};
use crate::metrics::Metrics;
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
    // every statement is a look-up by key: a plan made for its arguments is the same, and dearer than what it plans
    let own = format!(
        "-c statement_timeout={} -c plan_cache_mode=force_generic_plan",
        STATEMENT_TIMEOUT.as_millis()
    );
    let options = config
        .get_options()
        .map_or_else(|| own.clone(), |given| format!("{given} {own}"));
    config
        .options(options)
        .application_name(application)
        .connect_timeout(DATABASE_CONNECT_TIMEOUT);
    Ok(config)
}

/// How a transaction begins. Nothing of a session is ever set, but a connection forgets what might have been. Of what `DISCARD ALL`
/// undoes besides, a gateway does nothing: it neither declares cursors, listens here nor makes temporary tables.
const BEGIN: &str = "RESET ALL; START TRANSACTION";

/// The pool of database connections.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    figures: PoolFigures,
    backends: Arc<Backends>,
}

impl Database {
    /// A pool of up to `size` connections, after a look at what its role may do.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn open(
        config: Config,
        size: usize,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, DatabaseError> {
        // what cleans a connection goes out with what begins its next transaction
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let timeouts = Timeouts {
            wait: Some(CHECKOUT_TIMEOUT),
            create: Some(DATABASE_CONNECT_TIMEOUT),
            recycle: None,
        };
        let pool = Pool::builder(manager)
            .max_size(size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|source| DatabaseError::Pool { size, source })?;
        let database = Self {
            pool,
            figures: metrics.pool("db", size),
            backends: Arc::new(Backends::new(size, Arc::clone(metrics))),
        };
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
                _hold: waiting.granted(),
                client,
                backends: Arc::clone(&self.backends),
                #[cfg(feature = "mutants")]
                op: None,
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

    /// Who used which connection last.
    pub(crate) fn backends(&self) -> &Backends {
        &self.backends
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
    // counted out before it is given back, so that no more are ever counted than there are
    _hold: Hold,
    client: Client,
    backends: Arc<Backends>,
    /// What it is for, if that names nobody's.
    #[cfg(feature = "mutants")]
    pub(crate) op: Option<super::protocol::Op>,
}

impl Checkout {
    /// Begins a transaction on behalf of `identity`. Dropped without [`Acting::commit`], it is rolled back.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn act_for(&mut self, identity: &Identity) -> Result<Acting<'_>, Failure> {
        self.begin(Some(identity), identity.tenant_id).await
    }

    /// Begins a transaction that may see what every user of the tenant may see.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn act_within(&mut self, tenant_id: Uuid) -> Result<Acting<'_>, Failure> {
        self.begin(None, tenant_id).await
    }

    async fn begin(&mut self, identity: Option<&Identity>, tenant_id: Uuid) -> Result<Acting<'_>, Failure> {
        #[cfg(feature = "mutants")]
        crate::mutant::dirty_transaction::recover(&self.client).await;
        let mut acting = Acting {
            client: &self.client,
            open: true,
            backend: 0,
            backends: &self.backends,
        };
        let begin = BEGIN;
        #[cfg(feature = "mutants")]
        let begin = crate::mutant::beginning().unwrap_or(begin);
        #[cfg(feature = "mutants")]
        if let Some(backend) = crate::mutant::identified(&acting, self.op, identity).await? {
            acting.backend = backend;
            return Ok(acting);
        }
        let user_id = identity.map_or_else(String::new, |identity| identity.user_id.to_string());
        let identify = "SELECT set_config('app.user_id', $1, true), set_config('app.tenant_id', $2, true), \
                        pg_backend_pid()";
        let tenant_id = tenant_id.to_string();
        let arguments: Arguments<'_> = &[&user_id, &tenant_id];
        // what is asked second is answered second: one wait is enough for both
        let begun = async { tokio::try_join!(biased; acting.begin(begin), acting.row(identify, arguments)) };
        let ((), row) = tokio::time::timeout(BEGIN_TIMEOUT, begun)
            .await
            .map_err(|_| Failure::unavailable("the database does not answer"))??;
        acting.backend = row.get(2);
        let user_id = identity.map_or(Uuid::nil(), |identity| identity.user_id);
        self.backends.lend(acting.backend, user_id);
        Ok(acting)
    }

    /// By which what the connection is doing can be cancelled.
    #[cfg(feature = "mutants")]
    pub(crate) fn cancel_token(&self) -> tokio_postgres::CancelToken {
        self.client.cancel_token()
    }
}

/// A transaction on somebody's behalf.
pub(crate) struct Acting<'a> {
    client: &'a Client,
    /// Until it is committed.
    open: bool,
    backend: i32,
    backends: &'a Backends,
}

/// Arguments of a statement.
pub(crate) type Arguments<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Acting<'_> {
    /// Sends `statements`, which begin it, when first polled.
    ///
    /// # Errors
    /// That of the database, like all of these.
    pub(crate) async fn begin(&self, statements: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// All rows.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn rows(&self, sql: &str, arguments: Arguments<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query(&statement, arguments).await?)
    }

    /// The one row there is.
    pub(crate) async fn row(&self, sql: &str, arguments: Arguments<'_>) -> Result<Row, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_one(&statement, arguments).await?)
    }

    /// The one row there may be.
    pub(crate) async fn row_if_any(
        &self,
        sql: &str,
        arguments: Arguments<'_>,
    ) -> Result<Option<Row>, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_opt(&statement, arguments).await?)
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
        let statement = self.client.prepare_cached(sql).await?;
        self.client.execute(&statement, arguments).await
    }

    /// Makes it last. What was read or written counts only after this.
    pub(crate) async fn commit(mut self) -> Result<(), Failure> {
        self.client.batch_execute("COMMIT").await?;
        // what was not committed, for whatever reason, is rolled back
        self.open = false;
        self.backends.commit(self.backend);
        Ok(())
    }

    /// The process id of the database's backend that does it.
    pub(crate) fn backend(&self) -> i32 {
        self.backend
    }
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        #[cfg(feature = "mutants")]
        if crate::mutant::dirty_transaction::leaves() {
            return;
        }
        // sent when first polled; whatever the connection is asked next is answered after it
        let _ = self.client.batch_execute("ROLLBACK").now_or_never();
    }
}
