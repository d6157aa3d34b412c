//! What the workload asks of a pool, whichever library it is of.

use std::time::Duration;

/// Rows of text, as the simple protocol gives them.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// An error of the database or its driver.
#[derive(Clone, Debug)]
pub(crate) struct DbError {
    /// SQLSTATE, if the server said it.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

impl DbError {
    /// `query_canceled`.
    pub(crate) const CANCELED: &'static str = "57014";
    /// `in_failed_sql_transaction`.
    pub(crate) const IN_FAILED_TRANSACTION: &'static str = "25P02";

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// Why a checkout gave no connection.
#[derive(Clone, Debug)]
pub(crate) enum CheckoutError {
    /// None came free in time.
    Timeout,
    /// The pool could not make or keep one.
    Failed(DbError),
}

/// One transaction of a user.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) table: String,
    pub(crate) user: String,
    pub(crate) op: i64,
    pub(crate) body: String,
    /// Sleeps that long in the database after writing.
    pub(crate) sleep: Option<Duration>,
    pub(crate) commit: bool,
}

impl Work {
    pub(crate) const SET_IDENTITY: &'static str = "SELECT set_config('app.user_id', $1, true)";
    pub(crate) const SLEEP: &'static str = "SELECT pg_sleep($1)";

    pub(crate) fn insert_sql(&self) -> String {
        format!(
            "INSERT INTO {} (op, owner, body) VALUES ($1, $2, $3) RETURNING op",
            self.table
        )
    }

    pub(crate) fn read_sql(&self) -> String {
        format!(
            "SELECT op, owner, body FROM {} ORDER BY op LIMIT {ROWS_READ_MAX}",
            self.table
        )
    }
}

/// Most rows that a user reads back at once.
pub(crate) const ROWS_READ_MAX: usize = 10_000;

/// What a transaction saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The identity that the database says it set.
    pub(crate) identity: String,
    /// The operation that it says it stored.
    pub(crate) stored: i64,
    /// All rows that were visible.
    pub(crate) rows: Vec<StoredRow>,
}

/// A row of the workload's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub(crate) op: i64,
    pub(crate) owner: String,
    pub(crate) body: String,
}

/// A pool under stress.
pub(crate) trait Pool: Clone + Send + Sync + 'static {
    /// A connection on loan; dropping it gives it back.
    type Borrowed: Borrowed;

    /// What reports call the pool.
    const LABEL: &'static str;

    /// Waits at most `patience` for a connection.
    fn checkout(
        &self,
        patience: Duration,
    ) -> impl Future<Output = Result<Self::Borrowed, CheckoutError>> + Send;

    /// Closes all connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A connection on loan.
pub(crate) trait Borrowed: Send + 'static {
    /// Runs statements by the simple protocol; the rows of all of them.
    fn simple(&mut self, sql: String) -> impl Future<Output = Result<Rows, DbError>> + Send;

    /// Does the work in a transaction of the library's own, with parameters and cached statements.
    fn transact(&mut self, work: &Work) -> impl Future<Output = Result<Seen, DbError>> + Send;
}
