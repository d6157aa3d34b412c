//! When ops are meant to begin.

use history::At;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// Highest rate of an open schedule, ops per second.
pub const RATE_MAX_PER_S: f64 = 1e6;

/// How the intended starts of an open schedule are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spacing {
    /// Exponential gaps: independent arrivals.
    Poisson,
    /// Equal gaps.
    Uniform,
}

/// An arrival schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// The next op begins when the one before it has ended: a slow service is asked less.
    Closed,
    /// Ops begin at instants that do not depend on answers; latency counts from them (no coordinated omission).
    Open {
        /// Mean rate, ops per second, above 0.
        rate_per_s: f64,
        /// How they are spread.
        spacing: Spacing,
    },
}

impl Schedule {
    /// The intended starts in `[from, to)`, in order. A closed schedule intends one, at `from`; its later ones are the ends
    /// of the ops before them. A rate that is not above 0 intends none; one above [`RATE_MAX_PER_S`] counts as that.
    ///
    /// ```
    /// use history::At;
    /// use perf::{Schedule, Spacing};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let schedule = Schedule::Open { rate_per_s: 100.0, spacing: Spacing::Uniform };
    /// let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// let starts: Vec<At> = schedule.starts(At(0), At(50_000_000), &mut rng).collect();
    /// assert_eq!(starts, [0, 10, 20, 30, 40].map(|ms| At(ms * 1_000_000)));
    /// ```
    pub fn starts<R: Rng>(self, from: At, to: At, rng: R) -> Starts<R> {
        let mut starts = Starts {
            schedule: self,
            from,
            to,
            next_ns: 0.0,
            rng,
        };
        match self {
            Self::Closed => {}
            Self::Open { rate_per_s, spacing } if rate_per_s > 0.0 && spacing == Spacing::Uniform => {}
            Self::Open { .. } => starts.next_ns = starts.gap_ns(),
        }
        starts
    }

    /// Nanoseconds between starts; infinite if there is to be no other.
    fn mean_gap_ns(self) -> f64 {
        match self {
            Self::Open { rate_per_s, .. } if rate_per_s > 0.0 => 1e9 / rate_per_s.min(RATE_MAX_PER_S),
            Self::Open { .. } | Self::Closed => f64::INFINITY,
        }
    }
}

/// Iterator over the intended starts of a [`Schedule`].
#[derive(Clone, Debug)]
pub struct Starts<R> {
    schedule: Schedule,
    from: At,
    to: At,
    /// Nanoseconds after `from`.
    next_ns: f64,
    rng: R,
}

impl<R: Rng> Starts<R> {
    /// Nanoseconds to the start after the next one.
    fn gap_ns(&mut self) -> f64 {
        let mean_ns = self.schedule.mean_gap_ns();
        match self.schedule {
            Schedule::Open {
                spacing: Spacing::Poisson,
                ..
            } => {
                // Inverse of the exponential distribution at a uniform number of (0, 1].
                let uniform = ((self.rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                -uniform.ln() * mean_ns
            }
            Schedule::Open { .. } | Schedule::Closed => mean_ns,
        }
    }
}

impl<R: Rng> Iterator for Starts<R> {
    type Item = At;

    fn next(&mut self) -> Option<At> {
        let window_ns = self.to.since(self.from) as f64;
        let at = (self.next_ns < window_ns).then(|| At(self.from.0 + self.next_ns as u64))?;
        self.next_ns += self.gap_ns();
        Some(at)
    }
}
