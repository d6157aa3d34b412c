//! What a pool of connections tells about itself: who waits, who holds, for how long.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::{
    Counter, CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::metrics::register;

/// Bucket bounds of waits and holds, in seconds: 50 us to 5 s.
const SECONDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// The metric families that all pools of a process share, labelled `pool`.
pub(crate) struct PoolFamilies {
    size: IntGaugeVec,
    in_use: IntGaugeVec,
    in_use_max: IntGaugeVec,
    waiting: IntGaugeVec,
    wait_seconds: HistogramVec,
    hold_seconds: HistogramVec,
    timeouts: IntCounterVec,
    used_seconds: CounterVec,
    pools: Mutex<Vec<PoolFigures>>,
}

impl PoolFamilies {
    pub(crate) fn register(registry: &Registry) -> Self {
        let gauges = |name, help| register(registry, IntGaugeVec::new(Opts::new(name, help), &["pool"]));
        let histograms = |name, help| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            register(registry, HistogramVec::new(options, &["pool"]))
        };
        Self {
            size: gauges("pool_size", "places a pool lends at most"),
            in_use: gauges("pool_in_use", "places lent now"),
            in_use_max: gauges("pool_in_use_max", "most places ever lent at once"),
            waiting: gauges("pool_waiting", "borrowers waiting now"),
            wait_seconds: histograms("pool_wait_seconds", "time from asking for a place to getting it"),
            hold_seconds: histograms("pool_hold_seconds", "time from getting a place to giving it back"),
            timeouts: register(
                registry,
                IntCounterVec::new(
                    Opts::new("pool_timeouts_total", "waits given up by timeout"),
                    &["pool"],
                ),
            ),
            used_seconds: register(
                registry,
                CounterVec::new(
                    Opts::new("pool_used_seconds_total", "summed time of finished loans"),
                    &["pool"],
                ),
            ),
            pools: Mutex::default(),
        }
    }

    pub(crate) fn pool(&self, name: &'static str, size: usize) -> PoolFigures {
        let label = &[name];
        let figures = PoolFigures(Arc::new(Figures {
            lent: AtomicI64::new(0),
            lent_max: AtomicI64::new(0),
            in_use: self.in_use.with_label_values(label),
            in_use_max: self.in_use_max.with_label_values(label),
            waiting: self.waiting.with_label_values(label),
            wait_seconds: self.wait_seconds.with_label_values(label),
            hold_seconds: self.hold_seconds.with_label_values(label),
            timeouts: self.timeouts.with_label_values(label),
            used_seconds: self.used_seconds.with_label_values(label),
        }));
        self.size
            .with_label_values(label)
            .set(i64::try_from(size).unwrap_or(i64::MAX));
        self.pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(figures.clone());
        figures
    }

    /// Copies the counts into the gauges, just before they are read.
    pub(crate) fn refresh(&self) {
        for PoolFigures(figures) in self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            figures.in_use.set(figures.lent.load(Ordering::Relaxed));
            figures.in_use_max.set(figures.lent_max.load(Ordering::Relaxed));
        }
    }
}

struct Figures {
    lent: AtomicI64,
    lent_max: AtomicI64,
    in_use: IntGauge,
    in_use_max: IntGauge,
    waiting: IntGauge,
    wait_seconds: Histogram,
    hold_seconds: Histogram,
    timeouts: IntCounter,
    used_seconds: Counter,
}

/// The figures of one pool. A checkout is [`Waiting`] first, then a [`Hold`]; a dropped one counts itself out.
///
/// ```
/// let metrics = reference::metrics::Metrics::new();
/// let figures = metrics.pool("db", 8);
/// let waiting = figures.wait();
/// let hold = waiting.granted(); // the pool lent a connection
/// assert!(metrics.text().contains("pool_in_use{pool=\"db\"} 1"));
/// drop(hold); // together with the connection
/// assert!(metrics.text().contains("pool_hold_seconds_count{pool=\"db\"} 1"));
/// ```
#[derive(Clone)]
pub struct PoolFigures(Arc<Figures>);

impl PoolFigures {
    /// A checkout begins.
    pub fn wait(&self) -> Waiting {
        self.0.waiting.inc();
        Waiting {
            figures: self.clone(),
            since: Instant::now(),
        }
    }
}

/// A checkout that has no place yet. Dropping it means the borrower went away.
#[must_use]
pub struct Waiting {
    figures: PoolFigures,
    since: Instant,
}

impl Waiting {
    /// The pool lent a place: keep the [`Hold`] beside it.
    pub fn granted(self) -> Hold {
        let figures = &self.figures.0;
        figures.wait_seconds.observe(self.since.elapsed().as_secs_f64());
        let lent = figures.lent.fetch_add(1, Ordering::Relaxed) + 1;
        figures.lent_max.fetch_max(lent, Ordering::Relaxed);
        Hold {
            figures: self.figures.clone(),
            since: Instant::now(),
        }
    }

    /// The pool's checkout timeout passed.
    pub fn timed_out(self) {
        self.figures.0.timeouts.inc();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.figures.0.waiting.dec();
    }
}

/// A lent place; dropping it gives the place back.
#[must_use]
pub struct Hold {
    figures: PoolFigures,
    since: Instant,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held_s = self.since.elapsed().as_secs_f64();
        let figures = &self.figures.0;
        figures.hold_seconds.observe(held_s);
        figures.used_seconds.inc_by(held_s);
        figures.lent.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[track_caller]
    fn check(text: &str, line: &str) {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing in\n{text}"
        );
    }

    #[test]
    fn a_pool_counts_waiting_lent_and_given_back() {
        let metrics = Metrics::new();
        let figures = metrics.pool("db", 2);
        let (first, second) = (figures.wait().granted(), figures.wait().granted());
        let waiting = figures.wait();
        let text = metrics.text();
        check(&text, "pool_size{pool=\"db\"} 2");
        check(&text, "pool_in_use{pool=\"db\"} 2");
        check(&text, "pool_waiting{pool=\"db\"} 1");
        check(&text, "pool_wait_seconds_count{pool=\"db\"} 2");
        waiting.timed_out();
        drop((first, second));
        let text = metrics.text();
        check(&text, "pool_in_use{pool=\"db\"} 0");
        check(&text, "pool_in_use_max{pool=\"db\"} 2");
        check(&text, "pool_waiting{pool=\"db\"} 0");
        check(&text, "pool_timeouts_total{pool=\"db\"} 1");
        check(&text, "pool_hold_seconds_count{pool=\"db\"} 2");
    }

    #[test]
    fn pools_are_told_apart() {
        let metrics = Metrics::new();
        let (db, _agent) = (metrics.pool("db", 8), metrics.pool("agent", 4));
        let _hold = db.wait().granted();
        let text = metrics.text();
        check(&text, "pool_in_use{pool=\"db\"} 1");
        check(&text, "pool_in_use{pool=\"agent\"} 0");
    }
}
