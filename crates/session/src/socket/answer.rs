//! How an attempt ended.

use history::{Interval, Outcome};

use crate::codec::Values;

/// How an attempt ended, for who made it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) values: Values,
    pub(crate) during: Interval,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether the service said no.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Fail(_))
    }

    /// Whether nobody knows.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self.outcome, Outcome::Info(_))
    }

    /// The code or the reason; empty if all went well.
    pub(crate) fn reason(&self) -> &str {
        match &self.outcome {
            Outcome::Ok => "",
            Outcome::Fail(reason) | Outcome::Info(reason) => reason,
        }
    }
}
