//! When ops arrive in an open model: a Poisson process, blind to how fast the service is.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Arrivals of one user in one round, as offsets from its begin, ascending, all below its duration.
#[derive(Clone, Debug)]
pub struct Arrivals {
    rng: ChaCha8Rng,
    mean_s: f64,
    at_s: f64,
    until_s: f64,
}

impl Arrivals {
    pub(super) fn new(rng: ChaCha8Rng, rate: f64, duration: Duration) -> Self {
        Self {
            rng,
            mean_s: 1.0 / rate,
            at_s: 0.0,
            until_s: duration.as_secs_f64(),
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    /// Gaps are exponential: `-ln(1 - u) / rate` for a uniform `u` (inverse transform sampling).
    fn next(&mut self) -> Option<Duration> {
        let uniform: f64 = self.rng.random();
        self.at_s += -(1.0 - uniform).ln() * self.mean_s;
        (self.at_s < self.until_s).then(|| Duration::from_secs_f64(self.at_s))
    }
}
