//! What a faulty application leaves on a connection, and what wipes it off.

/// What a connection is put through between two borrowers.
///
/// First of all `ROLLBACK`: inside a transaction that somebody left open, the resets would be undone with it (deadpool's own
/// `RecyclingMethod::Clean` begins without). Statements that drivers prepare are kept, for their caches count on them; so a
/// `PREPARE` in SQL stays too, which no pool can help without costing the caches.
pub const RESET_SQL: &str = "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
     SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// Something left on a connection that goes back to its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Litter {
    /// The user's identity, by `SET` instead of `SET LOCAL`.
    Identity,
    /// An open transaction with a row in it.
    OpenTransaction,
    /// A transaction that failed and was not rolled back.
    FailedTransaction,
    /// A temporary table.
    TempTable,
    /// A session-level advisory lock.
    AdvisoryLock,
    /// Another search path.
    SearchPath,
    /// Another setting.
    Setting,
    /// A channel that is listened to.
    Listen,
    /// A cursor that outlives its transaction.
    Cursor,
    /// The role [`crate::Stress::spare_role`], which it must name.
    Role,
    /// A statement prepared in SQL. [`RESET_SQL`] does not wipe it.
    Prepared,
}

impl Litter {
    /// What a pool with [`RESET_SQL`] has to cope with, and can without another role.
    pub const DEFAULT: &'static [Self] = &[
        Self::Identity,
        Self::OpenTransaction,
        Self::FailedTransaction,
        Self::TempTable,
        Self::AdvisoryLock,
        Self::SearchPath,
        Self::Setting,
        Self::Listen,
        Self::Cursor,
    ];

    /// The statements that leave it; `user` is a name of ours, `op` the operation that litters.
    pub(crate) fn sql(self, table: &str, user: &str, op: u64, spare_role: Option<&str>) -> String {
        match self {
            Self::Identity => format!("SET app.user_id = '{user}'"),
            Self::OpenTransaction => format!(
                "BEGIN; SELECT set_config('app.user_id', '{user}', true); \
                 INSERT INTO {table} (op, owner, body) VALUES (-{op} - 1, '{user}', 'never committed')"
            ),
            Self::FailedTransaction => "BEGIN; SELECT 1 / 0".to_owned(),
            Self::TempTable => format!("CREATE TEMP TABLE stray_{op} (x integer)"),
            Self::AdvisoryLock => format!("SELECT pg_try_advisory_lock({op})"),
            Self::SearchPath => "SET search_path TO pg_temp".to_owned(),
            Self::Setting => "SET work_mem = '1234kB'".to_owned(),
            Self::Listen => "LISTEN crosstalk_stray".to_owned(),
            Self::Cursor => format!("DECLARE stray_{op} CURSOR WITH HOLD FOR SELECT 1"),
            Self::Role => format!("SET ROLE {}", quoted(spare_role.unwrap_or("none"))),
            Self::Prepared => format!("PREPARE stray_{op} AS SELECT 1"),
        }
    }

    /// Whether the statements are meant to end in an error.
    pub(crate) fn fails(self) -> bool {
        self == Self::FailedTransaction
    }
}

/// As an identifier of SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
