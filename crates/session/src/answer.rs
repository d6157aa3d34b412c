//! How an attempt ended.

use history::{At, Interval, Outcome};

use crate::codec::Values;

/// How an attempt ended, for who made it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// HTTP status of an exchange; `None` if nothing came, and for ops.
    pub(crate) status: Option<u16>,
    pub(crate) values: Values,
    pub(crate) during: Interval,
}

impl Answer {
    /// To what could not be asked.
    pub(crate) fn not_made(reason: String, now: At) -> Self {
        Self::known(Outcome::Info(reason), now)
    }

    /// To what need not be asked.
    pub(crate) fn known(outcome: Outcome, now: At) -> Self {
        Self {
            outcome,
            status: None,
            values: Values::new(),
            during: Interval { from: now, to: now },
        }
    }

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
