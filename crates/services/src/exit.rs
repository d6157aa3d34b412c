use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited by itself with this code; 0 is success.
    Code(i32),
    /// This signal (its number) ended it.
    Signal(i32),
    /// Nobody knows: the guard that watched it is gone, and it was killed for that.
    Unseen,
}

impl Exit {
    /// Whether it exited by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(raw) => match Signal::from_raw(*raw) {
                Some(signal) => write!(f, "was ended by {signal}"),
                None => write!(f, "was ended by signal {raw}"),
            },
            Self::Unseen => f.write_str("was killed because its guard was gone"),
        }
    }
}

/// A service that ended without being asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The service's name.
    pub name: String,
    /// How it ended.
    pub exit: Exit,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.exit)
    }
}
