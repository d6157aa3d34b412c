//! The schema that a stress works in, and the connection that looks after it.

use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

use crate::borrowed::StoredRow;
use crate::litter::quoted;
use crate::plan::SLEEP_CANCELLED_BY_SERVER;
use crate::stress::StressError;

/// How often a backend is looked at until it sleeps.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Opens one connection outside of all pools.
pub(crate) async fn connect(which: &'static str, url: &str) -> Result<Client, StressError> {
    let config = Config::from_str(url).map_err(|source| StressError::Url {
        which,
        source: source.into(),
    })?;
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|source| StressError::Connect { which, source })?;
    // Ends by itself when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

/// A schema of this stress alone, with a table under row-level security.
pub(crate) struct Schema {
    name: String,
    owner: Client,
    control: Client,
    /// The table, with its schema.
    pub(crate) table: String,
    /// The role that the pools log in as.
    pub(crate) worker: String,
}

impl Schema {
    /// Makes it as the owner and opens it to the worker.
    pub(crate) async fn create(owner_url: &str, worker_url: &str) -> Result<Self, StressError> {
        let control = connect("worker", worker_url).await?;
        let worker = unprivileged(&control).await?;
        let owner = connect("owner", owner_url).await?;
        let name = format!("crosstalk_pool_{}", uuid::Uuid::new_v4().simple());
        let table = format!("{name}.rows");
        let schema = Self {
            name,
            owner,
            control,
            table,
            worker,
        };
        schema.lay_out().await.map_err(|source| StressError::Setup {
            schema: schema.name.clone(),
            source,
        })?;
        Ok(schema)
    }

    async fn lay_out(&self) -> Result<(), tokio_postgres::Error> {
        let (name, table, worker) = (&self.name, &self.table, quoted(&self.worker));
        let mine = "owner = nullif(current_setting('app.user_id', true), '')";
        let sql = format!(
            "BEGIN; CREATE SCHEMA {name}; \
             CREATE TABLE {table} (op bigint PRIMARY KEY, owner text NOT NULL, body text NOT NULL); \
             ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY own_rows ON {table} TO {worker} USING ({mine}) WITH CHECK ({mine}); \
             GRANT USAGE ON SCHEMA {name} TO {worker}; GRANT SELECT, INSERT ON {table} TO {worker}; COMMIT"
        );
        self.owner.batch_execute(&sql).await
    }

    /// All rows, as the owner sees them, whom no policy restricts; empties the table.
    pub(crate) async fn take_rows(&self) -> Result<Vec<StoredRow>, StressError> {
        let failed = |source| StressError::Setup {
            schema: self.name.clone(),
            source,
        };
        let sql = format!("DELETE FROM {} RETURNING op, owner, body", self.table);
        let rows = self.owner.query(&sql, &[]).await.map_err(failed)?;
        let row = |row: &tokio_postgres::Row| {
            Ok(StoredRow {
                op: row.try_get(0)?,
                owner: row.try_get(1)?,
                body: row.try_get(2)?,
            })
        };
        rows.iter().map(row).collect::<Result<_, _>>().map_err(failed)
    }

    /// Tells the server to cancel what the backend `pid` runs, once it sleeps; `false` if it was not seen sleeping.
    ///
    /// It is asked once only, and only while the statement that is to be cancelled runs: a second one could hit the next
    /// borrower's.
    pub(crate) async fn cancel_sleeper(&self, pid: i32) -> bool {
        let sql =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
        let given_up = Instant::now() + SLEEP_CANCELLED_BY_SERVER / 2;
        while Instant::now() < given_up {
            match self.control.query_opt(sql, &[&pid]).await {
                Ok(Some(_)) => return true,
                Ok(None) => tokio::time::sleep(LOOK_EVERY).await,
                Err(_) => return false,
            }
        }
        false
    }

    /// Removes it with all that is in it.
    pub(crate) async fn drop(self) -> Result<(), StressError> {
        let sql = format!("DROP SCHEMA {} CASCADE", self.name);
        self.owner
            .batch_execute(&sql)
            .await
            .map_err(|source| StressError::Setup {
                schema: self.name,
                source,
            })
    }
}

/// The role of a connection, which row-level security must bind.
async fn unprivileged(client: &Client) -> Result<String, StressError> {
    let sql = "SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|source| StressError::Connect {
            which: "worker",
            source,
        })?;
    let role: String = row.get(0);
    if row.get(1) {
        Err(StressError::Privileged { role })
    } else {
        Ok(role)
    }
}
