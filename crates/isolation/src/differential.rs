//! Non-interference, the seventh look: what a user is answered alone, it is answered in company.
//!
//! Some users, the *subjects*, follow scripts: they ask for things of their own in a fixed order. Each script is followed
//! by a fresh user three times: alone on fresh services, alone again on other fresh services, and together with everybody.
//! What came back is written down without what may differ (ids by the order in which they first came, own canaries,
//! instants, positions that the target declares, how a streamed reply was cut, how events fell between replies), and must
//! be the same. What the two takes alone do not agree on is not deterministic, and nothing is claimed of it.
//!
//! It sees what canaries cannot: counts, order, existence, errors, presence. It does not see what is said to a user in
//! several places at once and may legitimately differ, nor how long anything takes: a subject that is told that the service
//! is busy was served worse, not told anything.

mod compare;
mod judge;
mod plain;
mod reading;
mod transcript;

use std::fmt;

use history::{At, Conn, Op, Place, User};
use serde::{Deserialize, Serialize};

use crate::State;
use crate::verdict::{counted, grouped, percent};

pub(crate) use judge::judge;
pub(crate) use transcript::Transcripts;

/// The plane's name in a run's header: whether the look was asked for.
pub const NON_INTERFERENCE: &str = "non-interference";
/// Its letter, beside those of the six checks.
pub const NON_INTERFERENCE_LETTER: char = 'N';
/// Outside of the claim.
const NOT_COVERED: &str = "timing, service levels, headers, what users of one tenant tell each other";

/// The verdict on non-interference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NonInterference {
    /// The verdict.
    pub state: State,
    /// Why it is not valid, or what else is to be said.
    pub reasons: Vec<String>,
    /// Subjects who were answered differently, by kind of difference.
    pub violations: u64,
    /// Scripts that were followed in all three takes.
    pub scripts: u64,
    /// Steps that were compared: what was asked, with all that came of it.
    pub steps: u64,
    /// Of those, steps that were under way together with another user's at the same process.
    pub exposed: u64,
    /// Exposures, each (connection, phase, round) with at least one exposed step counted once.
    pub units: u64,
    /// See [`crate::upper_bound`]; `None` without a unit or with a violation.
    pub bound: Option<f64>,
    /// Unsolicited events that were compared.
    pub events: u64,
    /// Steps that the two takes alone agree on.
    pub controls: u64,
    /// Tries that were turned away by a busy service and made again.
    pub repeated: u64,
    /// The first difference of each subject and kind.
    pub differences: Vec<Difference>,
    /// What it says nothing about.
    pub not_covered: String,
}

/// Where a subject was answered differently in company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What kind.
    pub kind: String,
    /// Who was answered differently.
    pub observer: User,
    /// Whose company shows, if the answer names somebody.
    pub victim: Option<User>,
    /// Which script it followed.
    pub script: u16,
    /// Which of its steps, in words.
    pub step: String,
    /// Where in the answer, as RFC 6901 has it; empty for the whole of it.
    pub pointer: String,
    /// What stands there alone.
    pub alone: String,
    /// What stands there in company.
    pub together: String,
    /// Over this connection.
    pub conn: Option<Conn>,
    /// In the course of this attempt.
    pub op: Option<Op>,
    /// The event that shows it.
    pub place: Place,
    /// When that was.
    pub at: At,
    /// The event of the take alone that it differs from, if there is one.
    pub alone_place: Option<Place>,
    /// Steps or events of this subject that differ, this one included; later ones may follow from it.
    pub count: u64,
}

impl fmt::Display for NonInterference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NON_INTERFERENCE_LETTER} {}: ", self.state)?;
        if self.state == State::Unknown {
            write!(f, "{}. ", self.reasons.join("; "))?;
        }
        write!(
            f,
            "{} in {} and {} of {} followed alone and together; {} of them under way with another user's, {} (connection x phase x round).",
            counted(self.violations, "difference"),
            counted(self.steps, "step"),
            counted(self.events, "event"),
            counted(self.scripts, "script"),
            grouped(self.exposed),
            counted(self.units, "unit"),
        )?;
        if let Some(bound) = self.bound {
            let bound = percent(bound);
            write!(
                f,
                " If units leak independently at one rate, it is below {bound} (95 %)."
            )?;
        }
        write!(
            f,
            " Control: {} equal in two takes alone.",
            counted(self.controls, "step")
        )?;
        if self.repeated > 0 {
            write!(
                f,
                " {} turned away as busy and made again.",
                counted(self.repeated, "try").replace("trys", "tries")
            )?;
        }
        if self.state == State::Violated && !self.reasons.is_empty() {
            write!(f, " Besides: {}.", self.reasons.join("; "))?;
        }
        write!(f, " Not covered: {}.", self.not_covered)
    }
}
