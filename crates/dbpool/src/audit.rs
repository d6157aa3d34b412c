//! Reading what is stored, with a credential of its own.

use std::borrow::Cow;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use history::AuditRow;
use thiserror::Error;
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, RowStream};

use crate::schema::connect;
use crate::stress::StressError;

/// What to read.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// A query whose columns are named `table`, `container`, `owner`, `author`, `tenant`, `derived` and `body`: text or uuid all
    /// (`owner` may be null), but `derived`, which is boolean, and `body`, which is text or bytea.
    pub sql: String,
    /// Most rows that are read.
    pub rows_max: u64,
    /// Longest time that it may take.
    pub time_limit: Duration,
}

impl AuditQuery {
    /// `sql` with at most a million rows and 30 s.
    #[must_use]
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            rows_max: 1_000_000,
            time_limit: Duration::from_secs(30),
        }
    }
}

/// How far an audit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Rows read.
    pub rows: u64,
    /// Whether these were all, rather than as many as the limits allow.
    pub complete: bool,
}

/// Why an audit could not be done.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum AuditError {
    /// No connection.
    #[error("the audit cannot connect to the database")]
    Connect {
        /// Why.
        source: StressError,
    },
    /// The database refused the query or broke it off.
    #[error("the audit's query failed")]
    Query {
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A column is not there, or not of a type that can be read.
    #[error("the audit's query has no column `{name}` of {expected}")]
    Column {
        /// Its name.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
        /// Why.
        source: tokio_postgres::Error,
    },
}

/// Hands every row that `query` reads, in its order, to `each`, in a read-only transaction; rows are streamed, not kept.
///
/// A limit that is hit ends it with `complete: false`.
///
/// # Errors
/// [`AuditError`] if the database cannot be reached, refuses the query, or a column is not as [`AuditQuery::sql`] says.
pub async fn audit(
    url: &str,
    query: &AuditQuery,
    mut each: impl FnMut(AuditRow<'_>),
) -> Result<Audited, AuditError> {
    let mut rows = 0;
    let reading = read(url, query, &mut rows, &mut each);
    match timeout(query.time_limit, reading).await {
        Ok(complete) => complete.map(|complete| Audited { rows, complete }),
        Err(_) => Ok(Audited {
            rows,
            complete: false,
        }),
    }
}

async fn read(
    url: &str,
    query: &AuditQuery,
    rows: &mut u64,
    each: &mut impl FnMut(AuditRow<'_>),
) -> Result<bool, AuditError> {
    let failed = |source| AuditError::Query { source };
    let mut client = connect("audit", url)
        .await
        .map_err(|source| AuditError::Connect { source })?;
    let transaction = client
        .build_transaction()
        .read_only(true)
        .start()
        .await
        .map_err(failed)?;
    let parameters: [&str; 0] = [];
    let stream: RowStream = transaction
        .query_raw(&query.sql, parameters)
        .await
        .map_err(failed)?;
    let mut stream = pin!(stream);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        if *rows == query.rows_max {
            return Ok(false);
        }
        each(audit_row(&row)?);
        *rows += 1;
    }
    Ok(true)
}

fn audit_row(row: &Row) -> Result<AuditRow<'_>, AuditError> {
    Ok(AuditRow {
        table: id(row, "table")?,
        container: id(row, "container")?,
        owner: column::<Option<Id<'_>>>(row, "owner", "text or uuid")?.map(|id| id.0),
        author: id(row, "author")?,
        tenant: id(row, "tenant")?,
        derived: column(row, "derived", "boolean")?,
        body: column::<Body<'_>>(row, "body", "text or bytea")?.0,
    })
}

fn id<'a>(row: &'a Row, name: &'static str) -> Result<Cow<'a, str>, AuditError> {
    column::<Id<'a>>(row, name, "text or uuid").map(|id| id.0)
}

fn column<'a, T: FromSql<'a>>(
    row: &'a Row,
    name: &'static str,
    expected: &'static str,
) -> Result<T, AuditError> {
    row.try_get(name).map_err(|source| AuditError::Column {
        name,
        expected,
        source,
    })
}

/// Text, or the usual spelling of a UUID.
struct Id<'a>(Cow<'a, str>);

impl<'a> FromSql<'a> for Id<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        if *ty == Type::UUID {
            let id = uuid::Uuid::from_sql(ty, raw)?;
            return Ok(Self(Cow::Owned(id.to_string())));
        }
        <&str>::from_sql(ty, raw).map(|text| Self(Cow::Borrowed(text)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID || <&str as FromSql<'_>>::accepts(ty)
    }
}

/// The bytes of text or bytea.
struct Body<'a>(Cow<'a, [u8]>);

impl<'a> FromSql<'a> for Body<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Cow::Borrowed(raw)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA || <&str as FromSql<'_>>::accepts(ty)
    }
}
