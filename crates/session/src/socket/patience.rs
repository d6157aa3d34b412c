//! How long to wait for an answer, by what the connection has shown so far.

use std::time::Duration;

use crate::limits::{Limits, SILENT_LIMIT};

/// Answers after which a connection's own pace is trusted.
const ANSWERS_TO_TRUST: u32 = 3;
/// A later answer may be so many times slower than the slowest before.
const SLOWER: u32 = 20;
/// As [`SLOWER`], on a connection that is known to lose answers.
const SLOWER_HURRIED: u32 = 4;
/// Timeouts after which a connection is known to lose answers, and those to come are not waited for any longer than need be.
const TIMEOUTS_TO_HURRY: u32 = 2;

/// One connection's record of answering.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    answers: u32,
    slowest: Duration,
    timeouts: u32,
    silent: u32,
}

impl Patience {
    /// How long to wait for the next answer; `None` if there is no point in asking.
    pub(crate) fn wait(&self, limits: &Limits) -> Option<Duration> {
        match self.silent {
            0 if self.answers < ANSWERS_TO_TRUST => Some(limits.op),
            0 if self.timeouts >= TIMEOUTS_TO_HURRY => {
                let least = limits.op_silent.min(limits.op);
                Some((self.slowest * SLOWER_HURRIED).clamp(least, limits.op_min.max(least)))
            }
            0 => Some((self.slowest * SLOWER).clamp(limits.op_min.min(limits.op), limits.op)),
            silent if silent < SILENT_LIMIT => Some(limits.op_silent),
            _ => None,
        }
    }

    /// Whether there is no point in asking.
    pub(crate) fn is_over(&self) -> bool {
        self.silent >= SILENT_LIMIT
    }

    pub(crate) fn answered(&mut self, after: Duration) {
        self.answers = self.answers.saturating_add(1);
        self.slowest = self.slowest.max(after);
    }

    pub(crate) fn heard(&mut self) {
        self.silent = 0;
    }

    pub(crate) fn timed_out(&mut self) {
        self.timeouts += 1;
        self.silent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_shorten_with_a_quick_record_and_end_with_silence() {
        let limits = Limits::default();
        let mut patience = Patience::default();
        assert_eq!(patience.wait(&limits), Some(limits.op));
        for _ in 0..ANSWERS_TO_TRUST {
            patience.answered(Duration::from_millis(2));
        }
        assert_eq!(patience.wait(&limits), Some(limits.op_min));
        patience.answered(Duration::from_millis(100));
        assert_eq!(patience.wait(&limits), Some(Duration::from_secs(2)));
        patience.timed_out();
        assert_eq!(
            (patience.wait(&limits), patience.is_over()),
            (Some(limits.op_silent), false)
        );
        patience.heard();
        assert_eq!(patience.wait(&limits), Some(Duration::from_secs(2)));
        patience.timed_out();
        patience.heard();
        assert_eq!(patience.wait(&limits), Some(Duration::from_millis(400)));
        for _ in 0..SILENT_LIMIT {
            patience.timed_out();
        }
        assert_eq!((patience.wait(&limits), patience.is_over()), (None, true));
    }
}
