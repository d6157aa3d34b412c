//! One attempt of an op, from its intended start to its end.

use history::{At, Invoked, Outcome, Role, User};

/// What an unanswered op counts with at least, in microseconds: 5 s, the bound of the floor on the mean latency.
///
/// How long the answer would have taken is not known, only that it was longer than the wait. A connection that breaks after
/// a millisecond must not make its ops look fast, so each counts with the greater of this and the time waited.
pub const ANSWER_TIMEOUT_US: u64 = 5_000_000;

/// The begin of an attempt: what latency needs of [`Invoked`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) at: At,
    pub(crate) intended: At,
    pub(crate) user: User,
    pub(crate) role: Role,
    pub(crate) phase: u16,
    pub(crate) probe: bool,
}

impl Begun {
    pub(crate) fn new(at: At, invoked: &Invoked<'_>) -> Self {
        Self {
            at,
            intended: invoked.intended,
            user: invoked.user,
            role: invoked.role,
            phase: invoked.phase,
            probe: invoked.probe,
        }
    }

    /// From when latency counts: the intended start, or the real one should that be earlier.
    pub(crate) fn from(self) -> At {
        self.intended.min(self.at)
    }

    /// Microseconds that count for latency.
    pub(crate) fn latency_us(self, ended: &Ended) -> u64 {
        let waited_us = ended.at.since(self.from()) / 1_000;
        if matches!(ended.outcome, Outcome::Info(_)) {
            waited_us.max(ANSWER_TIMEOUT_US)
        } else {
            waited_us
        }
    }
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) at: At,
    pub(crate) outcome: Outcome,
}
