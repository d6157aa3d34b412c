//! What a report says, whoever prints it: the schema of `report.json`, version [`SCHEMA_VERSION`].
//!
//! `docs/report.md` documents it for readers; a test keeps the two in step. Fields are only ever added within a version.

use history::{Check, User};
use isolation::{CheckVerdict, Excerpt, LostAcks, ProbeCount, Residue, Situation, State};
use perf::Performance;
use serde::Serialize;

use crate::exit::Exit;

/// Raised when a field changes its meaning or goes.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Outside of the claim.
pub(crate) const NOT_COVERED: &str = "timing, hashes, images, encryption";

/// Everything that is known of a run once it is judged.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    /// Version of Crosstalk.
    pub(crate) crosstalk: &'static str,
    /// The process's exit code.
    #[serde(rename = "exit_code")]
    pub(crate) exit: Exit,
    /// Over all checks; `None` if isolation was not selected and nothing was found.
    pub(crate) verdict: Option<State>,
    pub(crate) run: Run,
    pub(crate) isolation: Isolation,
    pub(crate) performance: Performance,
    pub(crate) gates: Vec<Gate>,
    /// What made the run less than whole, in words.
    pub(crate) problems: Vec<String>,
    /// What the set-up was, in words.
    pub(crate) notes: Vec<String>,
    /// What the drill for a planted leak found; `None` without one.
    pub(crate) drill: Option<Drill>,
    pub(crate) files: Files,
}

/// Which run it was.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    /// In every canary.
    pub(crate) number: u32,
    pub(crate) seed: u64,
    pub(crate) started_unix_ms: u64,
    pub(crate) interrupted: bool,
    pub(crate) target: String,
    pub(crate) users: u32,
    pub(crate) tenants: u32,
    pub(crate) rounds: u16,
    pub(crate) planes: Vec<String>,
    /// The command that runs the same workload again.
    pub(crate) repeat: String,
}

/// What the judge says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Isolation {
    /// The six, in the order T K S R U B; empty if the plane was not selected.
    pub(crate) checks: Vec<CheckReport>,
    /// Distinct violations of all checks, those not kept as findings included.
    pub(crate) violations: u64,
    /// Whether users are answered in company as they are alone; `None` if nobody asked.
    pub(crate) non_interference: Option<Company>,
    /// With their evidence, in the order of the checks.
    pub(crate) findings: Vec<Finding>,
    /// Acknowledged messages that the database does not hold; `None` without a whole audit.
    pub(crate) lost_acks: Option<LostAcks>,
    /// Canaries of earlier runs.
    pub(crate) residue: Residue,
    /// Inbound bytes that looked encoded and could not be opened.
    pub(crate) opaque_bytes: u64,
    /// Messages of which the codec understood nothing.
    pub(crate) undecodable: u64,
    pub(crate) situations: Vec<Situation>,
    pub(crate) probes: ProbeCount,
    /// Checkouts of the stressed pools that were examined for what the last borrower left.
    pub(crate) hygiene_checked: u64,
    /// What was found there; each is a violation.
    pub(crate) hygiene_findings: Vec<String>,
    /// Outside of the claim.
    pub(crate) not_covered: &'static str,
}

/// One of the six checks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckReport {
    /// T, K, S, R, U or B.
    pub(crate) letter: char,
    /// The verdict in words, with its exposures and its bound.
    pub(crate) text: String,
    #[serde(flatten)]
    pub(crate) verdict: CheckVerdict,
}

/// The seventh look: answers alone and in company.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Company {
    /// N.
    pub(crate) letter: char,
    /// The verdict in words, with its exposures and its bound.
    pub(crate) text: String,
    pub(crate) state: State,
    pub(crate) reasons: Vec<String>,
    /// Subjects who were answered differently, by kind of difference.
    pub(crate) violations: u64,
    /// Scripts that were followed in all takes.
    pub(crate) scripts: u64,
    /// Steps that were compared.
    pub(crate) steps: u64,
    /// Of those, steps that were under way together with another user's at the same process.
    pub(crate) exposed: u64,
    /// Connection x phase x round with an exposed step.
    pub(crate) units: u64,
    pub(crate) bound: Option<f64>,
    /// Unsolicited events that were compared.
    pub(crate) events: u64,
    /// Steps that both takes alone agree on.
    pub(crate) controls: u64,
    /// Tries that were turned away as busy and made again.
    pub(crate) repeated: u64,
    /// The first of each subject and kind.
    pub(crate) differences: Vec<Difference>,
    pub(crate) not_covered: String,
}

/// Where a subject was answered differently in company.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) kind: String,
    pub(crate) observer: User,
    /// Whom the answer names besides, if anybody.
    pub(crate) victim: Option<User>,
    pub(crate) script: u16,
    /// Which step, in words.
    pub(crate) step: String,
    /// Where in the answer, as a JSON pointer; empty for the whole of it.
    pub(crate) pointer: String,
    /// What stands there alone.
    pub(crate) alone: String,
    /// What stands there in company.
    pub(crate) together: String,
    pub(crate) op: Option<u64>,
    pub(crate) connection: Option<u32>,
    /// Microseconds since the run began.
    pub(crate) at_us: u64,
    /// Worker whose history shows it, and which of its events.
    pub(crate) worker: u16,
    pub(crate) event: u64,
    /// Steps or events that differ, this one included.
    pub(crate) count: u64,
}

/// One finding with its evidence.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    /// What kind of violation.
    pub(crate) kind: String,
    /// What it was, in words.
    pub(crate) detail: String,
    /// Who saw it.
    pub(crate) observer: User,
    /// Whose it was; `None` if that cannot be told.
    pub(crate) victim: Option<User>,
    /// The attempt over which it came.
    pub(crate) op: Option<u64>,
    pub(crate) connection: Option<u32>,
    /// Microseconds since the run began.
    pub(crate) at_us: u64,
    /// Worker whose history shows it, and which of its events.
    pub(crate) worker: u16,
    pub(crate) event: u64,
    /// How it was written there: `plain`, or the decodings that led to it.
    pub(crate) encoding: String,
    /// How often it was seen.
    pub(crate) count: u64,
    /// Where in the frame, as a JSON pointer.
    pub(crate) pointer: Option<String>,
    /// The text around it, fit to be printed, and which bytes of that are the leak.
    pub(crate) excerpt: Option<Excerpt>,
    /// The service's id of the observer.
    pub(crate) observer_id: Option<String>,
    /// And of the victim.
    pub(crate) victim_id: Option<String>,
    /// The last steps of the observer before it, oldest first.
    pub(crate) observer_steps: Vec<Step>,
    /// And those of the victim.
    pub(crate) victim_steps: Vec<Step>,
}

/// Something that a user did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    /// Microseconds since the run began.
    pub(crate) at_us: u64,
    /// In words.
    pub(crate) what: String,
}

/// A threshold and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gate {
    /// As `NAME OP NUMBER[UNIT]`.
    pub(crate) gate: String,
    pub(crate) outcome: GateState,
    /// What was measured, as people read it.
    pub(crate) figure: Option<String>,
    /// What was measured: microseconds, per second, a fraction or a count, as the figure says.
    pub(crate) value: Option<f64>,
    /// Why it is unknown or was not run.
    pub(crate) reason: Option<String>,
    /// The floor that it replaces and is looser than, because the user said so.
    pub(crate) loosened: Option<String>,
}

/// What came of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GateState {
    Met,
    Missed,
    Unknown,
    NotRun,
}

impl GateState {
    /// As people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
            Self::NotRun => "not run",
        }
    }
}

/// A planted leak: what its own record says, and what the judge says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drill {
    /// As `--mutant` named it.
    pub(crate) mutant: String,
    /// How often something of one user reached another, by its own record.
    pub(crate) fired: u64,
    /// At how many places it could have acted, by its own count; `None` if no service ended in order.
    pub(crate) opportunities: Option<u64>,
    /// At how many of them it did.
    pub(crate) acted: Option<u64>,
    /// Letters of the checks that are violated.
    pub(crate) caught_by: Vec<char>,
    /// Whether a finding names an observer and a victim that the record names together.
    pub(crate) matched: bool,
    /// One line for people.
    pub(crate) summary: String,
}

/// Where things are; the folder as seen from where the command was started.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Files {
    pub(crate) dir: String,
    /// In that folder.
    pub(crate) names: Vec<&'static str>,
}
