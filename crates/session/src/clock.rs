//! The one clock of a run: monotonic, counted from the run's begin.

use std::time::{Duration, Instant};

use history::At;

/// Turns the monotonic clock into instants of the run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that counts from `epoch`, the run's [`At::START`].
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { epoch }
    }

    /// This instant.
    #[must_use]
    pub fn now(self) -> At {
        self.at(Instant::now())
    }

    /// The run's instant of a monotonic one; [`At::START`] if it lies before the run.
    #[must_use]
    pub fn at(self, instant: Instant) -> At {
        At(nanoseconds(instant.saturating_duration_since(self.epoch)))
    }

    /// The monotonic instant of a run's one.
    #[must_use]
    pub fn instant(self, at: At) -> Instant {
        self.epoch + Duration::from_nanos(at.0)
    }
}

/// `duration` in nanoseconds, at most those that 64 bits hold (584 years).
#[must_use]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_go_there_and_back() {
        let epoch = Instant::now();
        let clock = Clock::new(epoch);
        let later = epoch + Duration::from_micros(1_500);
        assert_eq!(clock.at(later), At(1_500_000));
        assert_eq!(clock.instant(At(1_500_000)), later);
    }

    #[test]
    fn nothing_lies_before_the_begin() {
        let epoch = Instant::now() + Duration::from_secs(60);
        assert_eq!(Clock::new(epoch).now(), At::START);
    }
}
