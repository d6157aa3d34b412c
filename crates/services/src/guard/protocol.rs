//! What harness and guard say to each other: one JSON object a line, orders down the guard's standard input,
//! reports up its standard output.

use serde::{Deserialize, Serialize};

use crate::{Exit, Launch, Leftover, Signal};

/// From the harness.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(crate) enum Order {
    /// Start a process.
    Spawn { launch: Launch },
    /// Stop a process by the steps it was launched with.
    Stop { name: String },
    /// Send a signal to a process itself. `asked`: that it ends by it is wanted.
    Signal {
        name: String,
        signal: Signal,
        asked: bool,
    },
    /// Remember what has to be removed at the end.
    Keep { id: u32, leftover: Leftover },
    /// Remove it now.
    Clear { id: u32 },
}

/// From the guard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(crate) enum Report {
    /// The guard listens.
    Ready,
    /// A process runs.
    Started { name: String, pid: i32 },
    /// A process could not be started.
    Refused { name: String, reason: String },
    /// A process ended. `asked`: it was told to; `forced`: only SIGKILL helped.
    Exited {
        name: String,
        exit: Exit,
        asked: bool,
        forced: bool,
    },
    /// A leftover is gone, or could not be removed.
    Cleared { id: u32, problem: Option<String> },
    /// Everything is stopped and removed but for these problems; the guard exits.
    Done { problems: Vec<String> },
}
