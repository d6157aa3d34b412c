//! Distributions of durations.

use serde::{Deserialize, Serialize};

/// Significant decimal digits that a histogram keeps: values are within 0.1 %.
const DIGITS: u8 = 3;

/// Longest duration that is told apart, in microseconds (one hour); longer ones count as this.
pub const HIGHEST_US: u64 = 3_600_000_000;

/// A mergeable distribution of durations in microseconds, an HDR histogram with exact count, sum, least and greatest.
///
/// Grows with the greatest value, up to about 190 KiB: keep one per worker and per need, not one per user.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: hdrhistogram::Histogram<u64>,
    sum_us: u128,
    min_us: u64,
    max_us: u64,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let buckets = hdrhistogram::Histogram::new(DIGITS).expect("the number of digits is within 0 to 5");
        Self {
            buckets,
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }

    /// Counts one duration, in microseconds; those above [`HIGHEST_US`] count as that.
    pub fn record(&mut self, us: u64) {
        let us = us.min(HIGHEST_US);
        // Not `saturating_record`: that one saturates at the present size instead of growing.
        self.buckets
            .record(us)
            .expect("a histogram that resizes itself holds every value");
        self.sum_us += u128::from(us);
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
    }

    /// Takes in all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.buckets
            .add(&other.buckets)
            .expect("a histogram that resizes itself holds every value of another");
        self.sum_us += other.sum_us;
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.len()
    }

    /// The figures of it; `None` if nothing was counted.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        let count = self.count();
        (count > 0).then(|| Spread {
            count,
            min: self.min_us,
            mean: self.sum_us as f64 / count as f64,
            median: self.quantile(0.5),
            p90: self.quantile(0.9),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: self.max_us,
        })
    }

    fn quantile(&self, quantile: f64) -> u64 {
        self.buckets
            .value_at_quantile(quantile)
            .clamp(self.min_us, self.max_us)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// The figures of a distribution of durations, all in microseconds but the count.
///
/// A quantile q is the least value that at least the share q of all values do not exceed, within 0.1 %; least, greatest
/// and mean are exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many values there are, at least 1.
    pub count: u64,
    /// The least.
    pub min: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The 50th percentile.
    pub median: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The greatest.
    pub max: u64,
}
