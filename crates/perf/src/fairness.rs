//! How evenly users are served.

use serde::{Deserialize, Serialize};

/// Jain's fairness index: (sum x)^2 / (n sum x^2), from 1/n (one has all) to 1 (all have equal shares).
///
/// R. Jain, D. Chiu, W. Hawe: *A Quantitative Measure of Fairness and Discrimination for Resource Allocation in Shared
/// Computer Systems*, DEC Research Report TR-301, 1984. It does not depend on the unit. `None` without shares, if all are
/// 0, or if one is negative or not finite.
///
/// ```
/// assert_eq!(perf::jain([3.0, 3.0, 3.0]), Some(1.0));
/// assert_eq!(perf::jain([1.0, 0.0, 0.0, 0.0]), Some(0.25));
/// assert_eq!(perf::jain([]), None);
/// ```
pub fn jain(shares: impl IntoIterator<Item = f64>) -> Option<f64> {
    let shares: Vec<f64> = shares.into_iter().collect();
    let greatest = shares.iter().copied().fold(0.0, f64::max);
    if greatest <= 0.0 || shares.iter().any(|share| !share.is_finite() || *share < 0.0) {
        return None;
    }
    // Scaled by the greatest, so that no square leaves the range of f64.
    let (sum, squares) = shares
        .iter()
        .map(|share| share / greatest)
        .fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    let n = shares.len() as f64;
    Some((sum * sum / (n * squares)).clamp(1.0 / n, 1.0))
}

/// Jain's index over users, from two sides: what they got done, and how long they waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Over the users' acknowledged ops in the measured window, which is the same for all; a user with none counts as 0.
    pub throughput: f64,
    /// Over the users' mean latency, unanswered ops with at least [`ANSWER_TIMEOUT_US`](crate::ANSWER_TIMEOUT_US).
    pub latency: f64,
}

impl Fairness {
    /// The lower of the two: what the gate looks at.
    #[must_use]
    pub fn lower(&self) -> f64 {
        self.throughput.min(self.latency)
    }
}
