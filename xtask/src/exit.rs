//! What the process ends with, and which of several endings wins.

use std::process::ExitCode;

use serde::{Serialize, Serializer};

/// How a command ended. The order of variants is the order of precedence: the first that holds is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Something of one user reached another.
    Violated,
    /// A signal ended the run before its plan was done.
    Interrupted(Signal),
    /// The harness could not do its work.
    Error,
    /// The services did not come up, or the machine lacks something.
    NotStarted,
    /// No evidence either way.
    Unknown,
    /// A gate was missed.
    Breach,
    /// Valid, and every gate met.
    Done,
}

/// The signals that end a run in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    /// SIGINT: control-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl Exit {
    /// The number that a pipeline sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Violated => 10,
            Self::Breach => 11,
            Self::Unknown => 12,
            Self::NotStarted => 13,
            Self::Interrupted(Signal::HangUp) => 129,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
        }
    }

    /// One word for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "VALID",
            Self::Violated => "VIOLATED",
            Self::Breach => "BREACH",
            Self::Unknown => "UNKNOWN",
            Self::NotStarted => "NOT STARTED",
            Self::Interrupted(_) => "INTERRUPTED",
            Self::Error => "ERROR",
        }
    }

    /// What both come to: the worse.
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(all: &[Exit], expect: u8) {
        assert_eq!(
            all.iter().fold(Exit::Done, |a, b| a.and(*b)).code(),
            expect,
            "{all:?}"
        );
        assert_eq!(
            all.iter().rev().fold(Exit::Done, |a, b| a.and(*b)).code(),
            expect,
            "{all:?} reversed"
        );
    }

    #[test]
    fn the_worst_wins() {
        use Exit::*;
        check(&[], 0);
        check(&[Breach, Done], 11);
        check(&[Breach, Unknown], 12);
        check(&[Unknown, NotStarted], 13);
        check(&[NotStarted, Error], 1);
        check(&[Error, Violated], 10);
        check(&[Interrupted(Signal::Interrupt), Error], 130);
        check(&[Unknown, Interrupted(Signal::Terminate)], 143);
        check(&[Interrupted(Signal::HangUp), Breach], 129);
        check(&[Interrupted(Signal::Terminate), Violated], 10);
    }
}
