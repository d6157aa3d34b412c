//! What is kept of one phase.

use history::{At, Outcome, Role, Round, User};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::attempt::{Begun, Ended};
use crate::histogram::Histogram;
use crate::in_flight::InFlight;
use crate::tally::Tally;

/// How attempts ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Acknowledged by the service as done.
    pub ok: u64,
    /// Answered with an error.
    pub failed: u64,
    /// Never answered: no answer in time, or the connection went.
    pub unanswered: u64,
}

impl Outcomes {
    /// All attempts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ok + self.failed + self.unanswered
    }

    pub(crate) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Fail(_) => self.failed += 1,
            Outcome::Info(_) => self.unanswered += 1,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
    }
}

/// What a phase is, as far as its events have been seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseFacts {
    pub(crate) name: String,
    pub(crate) round: Round,
    pub(crate) measured: bool,
    pub(crate) began: Option<At>,
    pub(crate) ended: Option<At>,
}

impl PhaseFacts {
    pub(crate) fn merge(&mut self, other: Self) {
        self.name = std::mem::take(&mut self.name).max(other.name);
        self.round = self.round.max(other.round);
        self.measured |= other.measured;
        self.began = earlier(self.began, other.began);
        self.ended = self.ended.max(other.ended);
    }
}

/// Sums over the attempts of one role or one user.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserTally {
    pub(crate) outcomes: Outcomes,
    pub(crate) latency_sum_us: u64,
}

impl UserTally {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.outcomes.merge(other.outcomes);
        self.latency_sum_us += other.latency_sum_us;
    }
}

/// The attempts of one role.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleTally {
    pub(crate) outcomes: Outcomes,
    pub(crate) latency: Histogram,
}

impl RoleTally {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.outcomes.merge(other.outcomes);
        self.latency.merge(&other.latency);
    }
}

/// The attempts of one phase, probes apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseTally {
    pub(crate) roles: FxHashMap<Role, RoleTally>,
    pub(crate) users: FxHashMap<User, UserTally>,
    pub(crate) in_flight: InFlight,
    pub(crate) errors: Tally,
    pub(crate) answered: Answered,
    pub(crate) last_ok: Option<At>,
    pub(crate) lag_max_us: u64,
}

/// The answered attempts of a phase (ok or failed).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    pub(crate) count: u64,
    pub(crate) sum_us: u64,
    pub(crate) first: Option<At>,
    pub(crate) last: Option<At>,
}

impl Answered {
    fn count(&mut self, begun: Begun, ended: &Ended) {
        self.merge(Self {
            count: 1,
            sum_us: ended.at.since(begun.from()) / 1_000,
            first: Some(begun.from()),
            last: Some(ended.at),
        });
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
    }
}

impl PhaseTally {
    /// Counts an attempt that ended.
    pub(crate) fn count(&mut self, begun: Begun, ended: &Ended) {
        self.in_flight.count(begun.at, ended.at);
        self.count_outcome(begun, ended);
    }

    /// Counts an attempt whose end was never seen; `last_seen` is the latest instant of the run.
    pub(crate) fn count_open(&mut self, begun: Begun, last_seen: At) {
        self.in_flight.count(begun.at, At::NEVER);
        let outcome = Outcome::Info("no end of it in the history".to_owned());
        self.count_outcome(
            begun,
            &Ended {
                at: last_seen,
                outcome,
            },
        );
    }

    fn count_outcome(&mut self, begun: Begun, ended: &Ended) {
        let latency_us = begun.latency_us(ended);
        let role = self.roles.entry(begun.role).or_default();
        role.outcomes.count(&ended.outcome);
        role.latency.record(latency_us);
        let user = self.users.entry(begun.user).or_default();
        user.outcomes.count(&ended.outcome);
        user.latency_sum_us += latency_us;
        self.lag_max_us = self.lag_max_us.max(begun.at.since(begun.intended) / 1_000);
        match &ended.outcome {
            Outcome::Ok => self.last_ok = self.last_ok.max(Some(ended.at)),
            Outcome::Fail(code) => self.errors.count(code),
            Outcome::Info(reason) => self.errors.count(reason),
        }
        if !matches!(ended.outcome, Outcome::Info(_)) {
            self.answered.count(begun, ended);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (role, tally) in &other.roles {
            self.roles.entry(*role).or_default().merge(tally);
        }
        for (user, tally) in &other.users {
            self.users.entry(*user).or_default().merge(tally);
        }
        self.in_flight.merge(&other.in_flight);
        self.errors.merge(other.errors);
        self.answered.merge(other.answered);
        self.last_ok = self.last_ok.max(other.last_ok);
        self.lag_max_us = self.lag_max_us.max(other.lag_max_us);
    }
}

fn earlier(one: Option<At>, other: Option<At>) -> Option<At> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
