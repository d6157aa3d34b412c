//! When ops are meant to begin.

use history::At;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

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
    /// of the ops before them. A rate that is not above 0 intends none.
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
        let next_ns = match self {
            Self::Open { rate_per_s, .. } if rate_per_s.is_nan() || rate_per_s <= 0.0 => f64::INFINITY,
            _ => 0.0,
        };
        let mut starts = Starts {
            schedule: self,
            from,
            to,
            next_ns,
            rng,
        };
        if let Self::Open {
            spacing: Spacing::Poisson,
            ..
        } = self
        {
            starts.next_ns += starts.gap_ns();
        }
        starts
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
        match self.schedule {
            Schedule::Closed => f64::INFINITY,
            Schedule::Open {
                rate_per_s,
                spacing: Spacing::Uniform,
            } => 1e9 / rate_per_s,
            // Inverse of the exponential distribution at a uniform number of (0, 1].
            Schedule::Open {
                rate_per_s,
                spacing: Spacing::Poisson,
            } => {
                let uniform = ((self.rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                -uniform.ln() * 1e9 / rate_per_s
            }
        }
    }
}

impl<R: Rng> Iterator for Starts<R> {
    type Item = At;

    fn next(&mut self) -> Option<At> {
        let window_ns = self.to.since(self.from) as f64;
        if self.next_ns >= window_ns {
            return None;
        }
        let at = At(self.from.0 + self.next_ns as u64);
        self.next_ns += self.gap_ns();
        Some(at)
    }
}
