//! The names that gates speak of.

use crate::histogram::Spread;

/// A figure of a distribution of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stat {
    Min,
    Mean,
    Median,
    P90,
    P95,
    P99,
    P999,
    Max,
}

impl Stat {
    pub(crate) fn of(self, spread: &Spread) -> f64 {
        match self {
            Self::Min => spread.min as f64,
            Self::Mean => spread.mean,
            Self::Median => spread.median as f64,
            Self::P90 => spread.p90 as f64,
            Self::P95 => spread.p95 as f64,
            Self::P99 => spread.p99 as f64,
            Self::P999 => spread.p999 as f64,
            Self::Max => spread.max as f64,
        }
    }
}

/// A figure of checkout waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum WaitStat {
    Median,
    P99,
    Max,
}

/// What a number measures, which decides its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Microseconds; written with `us`, `ms`, `s` or `m`.
    Duration,
    /// Per second; written with `/s` or without a unit.
    Rate,
    /// A share of a whole, 1 is all; written with `%` or as a bare fraction.
    Share,
    /// An index or a ratio; written bare or with `%`.
    Index,
    /// A whole number; written without a unit.
    Count,
}

/// What a run can be asked for; a gate applies only if its plane was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// The six checks.
    Isolation,
    /// Latency, throughput, fairness.
    Performance,
    /// The pools under stress.
    Dbpool,
    /// Isolation or performance: whatever drives users.
    Driven,
    /// Every run.
    Any,
}

impl Plane {
    /// Whether it is among the selected planes, named as in a run's header.
    #[must_use]
    pub fn is_selected(self, planes: &[String]) -> bool {
        let has = |name: &str| planes.iter().any(|plane| plane == name);
        match self {
            Self::Isolation => has("isolation"),
            Self::Performance => has("performance"),
            Self::Dbpool => has("dbpool"),
            Self::Driven => has("isolation") || has("performance"),
            Self::Any => true,
        }
    }

    /// What reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Performance => "performance",
            Self::Dbpool => "dbpool",
            Self::Driven => "isolation or performance",
            Self::Any => "any",
        }
    }
}

/// A figure that a gate can name. [`Metric::all`] lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table of names says it")]
pub enum Metric {
    Latency(Stat),
    Connect(Stat),
    Throughput,
    Fairness,
    RoundSpread,
    UsersWithoutSuccess,
    Errors,
    ErrorShare,
    Unanswered,
    Refused,
    InFlight,
    StartLag,
    Serialisation,
    DbSuccess,
    DbEfficiency,
    DbInFlight,
    DbWait(WaitStat),
    DbTimeouts,
    Total,
    LostAcks,
    Violations,
}

/// A metric's name, what it measures and where it comes from.
pub(crate) type Row = (Metric, &'static str, Kind, Plane);

const ROWS: &[Row] = &[
    (Metric::Violations, "violations", Kind::Count, Plane::Isolation),
    (Metric::LostAcks, "lost_acks", Kind::Count, Plane::Driven),
    (
        Metric::Latency(Stat::Mean),
        "latency_mean",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::Min),
        "latency_min",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::Median),
        "latency_median",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::P90),
        "latency_p90",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::P95),
        "latency_p95",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::P99),
        "latency_p99",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::P999),
        "latency_p999",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Latency(Stat::Max),
        "latency_max",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::Mean),
        "connect_mean",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::Min),
        "connect_min",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::Median),
        "connect_median",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::P90),
        "connect_p90",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::P95),
        "connect_p95",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::P99),
        "connect_p99",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::P999),
        "connect_p999",
        Kind::Duration,
        Plane::Performance,
    ),
    (
        Metric::Connect(Stat::Max),
        "connect_max",
        Kind::Duration,
        Plane::Performance,
    ),
    (Metric::Throughput, "throughput", Kind::Rate, Plane::Performance),
    (Metric::Fairness, "fairness", Kind::Index, Plane::Performance),
    (
        Metric::RoundSpread,
        "round_spread",
        Kind::Share,
        Plane::Performance,
    ),
    (
        Metric::UsersWithoutSuccess,
        "users_without_success",
        Kind::Count,
        Plane::Performance,
    ),
    (Metric::Errors, "errors", Kind::Count, Plane::Performance),
    (Metric::ErrorShare, "error_share", Kind::Share, Plane::Performance),
    (Metric::Unanswered, "unanswered", Kind::Count, Plane::Performance),
    (Metric::Refused, "refused", Kind::Count, Plane::Performance),
    (Metric::InFlight, "in_flight", Kind::Count, Plane::Performance),
    (Metric::StartLag, "start_lag", Kind::Duration, Plane::Performance),
    (
        Metric::Serialisation,
        "serialisation",
        Kind::Index,
        Plane::Performance,
    ),
    (Metric::DbSuccess, "db_success", Kind::Share, Plane::Dbpool),
    (Metric::DbEfficiency, "db_efficiency", Kind::Share, Plane::Dbpool),
    (Metric::DbInFlight, "db_in_flight", Kind::Count, Plane::Dbpool),
    (
        Metric::DbWait(WaitStat::Median),
        "db_wait_median",
        Kind::Duration,
        Plane::Dbpool,
    ),
    (
        Metric::DbWait(WaitStat::P99),
        "db_wait_p99",
        Kind::Duration,
        Plane::Dbpool,
    ),
    (
        Metric::DbWait(WaitStat::Max),
        "db_wait_max",
        Kind::Duration,
        Plane::Dbpool,
    ),
    (Metric::DbTimeouts, "db_timeouts", Kind::Count, Plane::Dbpool),
    (Metric::Total, "total", Kind::Duration, Plane::Any),
];

/// Other spellings of names.
const ALIASES: &[(&str, &str)] = &[
    ("latency_p50", "latency_median"),
    ("connect_p50", "connect_median"),
    ("db_wait_p50", "db_wait_median"),
];

/// A name is suggested only if it is at least this like what was written (Jaro-Winkler, 0 to 1).
const LIKENESS_MIN: f64 = 0.75;

impl Metric {
    /// All of them, in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    /// The metric of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, name)| name);
        ROWS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The name most like `name`; `None` if none is like it.
    #[must_use]
    pub fn nearest_name(name: &str) -> Option<&'static str> {
        let names = ROWS
            .iter()
            .map(|row| row.1)
            .chain(ALIASES.iter().map(|(alias, _)| *alias));
        let scored = names.map(|known| (strsim::jaro_winkler(known, name), known));
        let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
        (best.0 >= LIKENESS_MIN).then_some(best.1)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it measures.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.row().2
    }

    /// The plane that it belongs to.
    #[must_use]
    pub fn plane(self) -> Plane {
        self.row().3
    }

    fn row(self) -> &'static Row {
        ROWS.iter()
            .find(|row| row.0 == self)
            .expect("every metric has its row in the table")
    }
}
