//! What the pools' figures say together.

use history::PoolFigures;
use serde::{Deserialize, Serialize};

/// Operations that must want or hold a connection at once before a success rate means anything (S22: 15 or more).
pub const DB_IN_FLIGHT_MIN: u32 = 15;

/// Figures over the pools that the harness put under stress; each is that of the worst pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Operations that succeeded over operations that ended, 0 to 1; `None` if none ended in some pool.
    pub success: Option<f64>,
    /// Connection-time used over connection-time available, 0 to 1; `None` if none was available in some pool.
    pub efficiency: Option<f64>,
    /// Most operations that wanted or held a connection at once.
    pub in_flight_max: u32,
    /// Wait for a connection in microseconds: p50, p99, greatest; `None` if some pool gave out none.
    pub wait_us: Option<[u64; 3]>,
    /// Checkouts that timed out, over all pools.
    pub timeouts: u64,
}

impl Database {
    /// Of the stressed pools among `pools`; `None` if there is none.
    pub(crate) fn of(pools: &[PoolFigures]) -> Option<Self> {
        let stressed = || pools.iter().filter(|pool| pool.stress);
        Some(Self {
            success: least(stressed().map(|pool| share(pool.ok, pool.ok + pool.failed))),
            efficiency: least(stressed().map(|pool| share(pool.used_us, pool.available_us))),
            in_flight_max: stressed().map(|pool| pool.in_flight_max).min()?,
            wait_us: stressed().map(|pool| pool.wait_us).reduce(|one, other| {
                let (one, other) = (one?, other?);
                Some(std::array::from_fn(|at| one[at].max(other[at])))
            })?,
            timeouts: stressed().map(|pool| pool.timeouts).sum(),
        })
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn least(shares: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    shares.reduce(|one, other| Some(one?.min(other?))).flatten()
}
