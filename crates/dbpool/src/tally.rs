//! Sums over a pool's operations.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use history::PoolFigures;
use perf::Histogram;
use serde::{Deserialize, Serialize};

/// Most findings that are told in words; the rest are counted.
pub const FINDINGS_MAX: usize = 100;

/// Most different errors that are told apart.
pub const ERRORS_MAX: usize = 32;

/// One pool's part of a stress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolRun {
    /// The figures, as a history holds them.
    pub figures: PoolFigures,
    /// Operations that were cancelled in mid-flight as planned; neither done nor failed.
    pub cancelled: u64,
    /// Operations that left something behind as planned; done.
    pub littered: u64,
    /// Why operations failed, and how often; at most [`ERRORS_MAX`] different ones.
    pub errors: BTreeMap<String, u64>,
}

/// How many operations want or hold a connection.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicU32,
    max: AtomicU32,
}

impl Gauge {
    pub(crate) fn enter(&self) -> Entered<'_> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.max.fetch_max(now, Ordering::Relaxed);
        Entered(self)
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Ordering::Relaxed)
    }
}

/// Leaves the gauge when dropped.
pub(crate) struct Entered<'a>(&'a Gauge);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of an operation's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The commit was acknowledged.
    Committed,
    /// It was rolled back or never committed.
    Gone,
    /// The commit was not acknowledged.
    Unknown,
}

/// Sums of one task; those of all tasks merge into one.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) timeouts: u64,
    pub(crate) cancelled: u64,
    pub(crate) littered: u64,
    pub(crate) examined: u64,
    pub(crate) fates: BTreeMap<i64, Fate>,
    wait: Histogram,
    hold: Histogram,
    used: Duration,
    findings: Vec<String>,
    findings_untold: u64,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn waited(&mut self, wait: Duration) {
        self.wait.record(micros(wait));
    }

    pub(crate) fn held(&mut self, hold: Duration) {
        self.hold.record(micros(hold));
        self.used += hold;
    }

    pub(crate) fn found(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_untold += 1;
        }
    }

    pub(crate) fn failed(&mut self, why: String) {
        self.failed += 1;
        self.error(why, 1);
    }

    fn error(&mut self, why: String, count: u64) {
        let told_apart = self.errors.len() < ERRORS_MAX || self.errors.contains_key(&why);
        let why = if told_apart { why } else { "(others)".to_owned() };
        *self.errors.entry(why).or_default() += count;
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.ok += other.ok;
        self.failed += other.failed;
        self.timeouts += other.timeouts;
        self.cancelled += other.cancelled;
        self.littered += other.littered;
        self.examined += other.examined;
        self.fates.extend(other.fates);
        self.wait.merge(&other.wait);
        self.hold.merge(&other.hold);
        self.used += other.used;
        self.findings_untold += other.findings_untold;
        other.findings.into_iter().for_each(|finding| self.found(finding));
        other
            .errors
            .into_iter()
            .for_each(|(why, count)| self.error(why, count));
        self
    }

    pub(crate) fn into_run(mut self, label: &str, size: u32, in_flight_max: u32, wall: Duration) -> PoolRun {
        if self.findings_untold > 0 {
            self.findings.push(format!("{} more", self.findings_untold));
        }
        let figures = PoolFigures {
            label: label.to_owned(),
            stress: true,
            size,
            in_flight_max,
            ok: self.ok,
            failed: self.failed,
            timeouts: self.timeouts,
            wait_us: self.wait.spread().map(|wait| [wait.median, wait.p99, wait.max]),
            hold_us: self.hold.spread().map(|hold| [hold.median, hold.p99, hold.max]),
            used_us: micros(self.used),
            available_us: micros(wall) * u64::from(size),
            hygiene_checked: self.examined,
            hygiene_findings: self.findings,
        };
        PoolRun {
            figures,
            cancelled: self.cancelled,
            littered: self.littered,
            errors: self.errors,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
