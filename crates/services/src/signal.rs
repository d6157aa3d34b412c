use std::fmt;

use serde::{Deserialize, Serialize};

/// The signals that services are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM: end in order.
    Term,
    /// SIGINT: end in order; PostgreSQL's *fast* shutdown.
    Int,
    /// SIGQUIT: end at once; PostgreSQL's *immediate* shutdown.
    Quit,
    /// SIGKILL: be ended, unasked.
    Kill,
    /// SIGSTOP: be frozen.
    Stop,
    /// SIGCONT: be thawed.
    Cont,
}

impl Signal {
    const ALL: [Self; 6] = [
        Self::Term,
        Self::Int,
        Self::Quit,
        Self::Kill,
        Self::Stop,
        Self::Cont,
    ];

    /// Whether a process that gets it is meant to end.
    pub(crate) fn ends(self) -> bool {
        !matches!(self, Self::Stop | Self::Cont)
    }

    pub(crate) fn raw(self) -> rustix::process::Signal {
        match self {
            Self::Term => rustix::process::Signal::TERM,
            Self::Int => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::Kill => rustix::process::Signal::KILL,
            Self::Stop => rustix::process::Signal::STOP,
            Self::Cont => rustix::process::Signal::CONT,
        }
    }

    pub(crate) fn from_raw(raw: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.raw().as_raw() == raw)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Kill => "SIGKILL",
            Self::Stop => "SIGSTOP",
            Self::Cont => "SIGCONT",
        })
    }
}
