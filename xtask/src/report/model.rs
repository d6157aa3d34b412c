//! What a report says, whoever prints it: the schema of `report.json`, version [`SCHEMA_VERSION`].
//!
//! `docs/report.md` documents it for readers; a test keeps the two in step. Fields are only ever added within a version.

use serde::Serialize;

/// Raised when a field changes its meaning or goes.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Everything that is known of a run once it is judged.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    /// Version of Crosstalk.
    pub(crate) crosstalk: &'static str,
    /// The process's exit code.
    pub(crate) exit_code: u8,
    /// The isolation verdict over all checks; `None` if that plane was not selected.
    pub(crate) verdict: Option<State>,
    pub(crate) run: Run,
    /// The six, in the order T K S R U B; empty if the plane was not selected.
    pub(crate) checks: Vec<Check>,
    pub(crate) findings: Findings,
    pub(crate) counts: Counts,
    pub(crate) situations: Vec<Situation>,
    /// `None` if nothing was measured.
    pub(crate) performance: Option<Performance>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) gates: Vec<Gate>,
    /// Where the time went, in order.
    pub(crate) stages: Vec<Stage>,
    /// What made the run less than whole, in words.
    pub(crate) problems: Vec<String>,
    /// What the set-up was, in words.
    pub(crate) notes: Vec<String>,
    /// Outside of the claim.
    pub(crate) not_covered: Vec<&'static str>,
    /// What the drill for a planted leak found; `None` without one.
    pub(crate) drill: Option<Drill>,
    pub(crate) files: Files,
}

/// Three-valued, and the fourth for what does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Valid,
    Unknown,
    Violated,
    NotApplicable,
}

impl State {
    /// As people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Violated => "violated",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// Which run it was.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    /// In every canary.
    pub(crate) number: u32,
    pub(crate) seed: u64,
    pub(crate) started_unix_ms: u64,
    pub(crate) total_ms: Option<u64>,
    pub(crate) interrupted: bool,
    pub(crate) target: String,
    pub(crate) users: u32,
    pub(crate) tenants: u32,
    pub(crate) rounds: u16,
    pub(crate) planes: Vec<String>,
    /// The command that runs the same workload again.
    pub(crate) repeat: String,
}

/// One of the six checks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// T, K, S, R, U or B.
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) state: State,
    /// The verdict in words, with its exposures and its bound.
    pub(crate) verdict: String,
    /// Why it is not valid, one reason each; empty if it is.
    pub(crate) reasons: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// How many there were.
    pub(crate) total: u64,
    /// The first of them, with their evidence.
    pub(crate) shown: Vec<Finding>,
}

/// One finding with its evidence.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: char,
    /// What was seen, in words.
    pub(crate) what: String,
    /// Who saw it.
    pub(crate) observer: Option<u32>,
    /// Whose it was.
    pub(crate) victim: Option<u32>,
    /// The op over which it came.
    pub(crate) op: Option<String>,
    pub(crate) connection: Option<u32>,
    /// Microseconds since the run began.
    pub(crate) at_us: u64,
    /// Where it stands in the history: worker and index.
    pub(crate) place: Option<[u64; 2]>,
    /// How it was spelt: plain, base64, reversed.
    pub(crate) encoding: Option<String>,
    /// Where in the frame.
    pub(crate) pointer: Option<String>,
    /// The bytes around it, unprintable ones escaped.
    pub(crate) excerpt: Option<String>,
    /// The last steps of the observer before it, oldest first.
    pub(crate) observer_steps: Vec<String>,
    /// And those of the victim.
    pub(crate) victim_steps: Vec<String>,
}

/// What was counted beside the verdicts.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Acknowledged messages that the database does not hold; `None` without an audit.
    pub(crate) lost_acks: Option<u64>,
    /// Events that an entitled receiver never got.
    pub(crate) lost_deliveries: Option<u64>,
    /// Canaries of earlier runs.
    pub(crate) residue: u64,
    /// Inbound bytes that no decoder could open.
    pub(crate) opaque_bytes: u64,
}

/// A situation that the checks need, and how often it arose.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Situation {
    pub(crate) name: String,
    pub(crate) count: u64,
    /// Letters of the checks that need it.
    pub(crate) required_by: Vec<char>,
}

/// How fast and how fairly.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Performance {
    /// Ops that were acknowledged.
    pub(crate) ops_ok: u64,
    /// Ops that failed or were never answered.
    pub(crate) ops_not_ok: u64,
    pub(crate) latency_us: Option<Latency>,
    /// Messages per second, of the worst round.
    pub(crate) throughput_per_s: Option<f64>,
    /// Messages per second, round by round.
    pub(crate) rounds_per_s: Vec<f64>,
    /// How far the rounds lie apart, in percent.
    pub(crate) round_spread_percent: Option<f64>,
    /// The lower of the next two.
    pub(crate) fairness: Option<f64>,
    pub(crate) fairness_throughput: Option<f64>,
    pub(crate) fairness_latency: Option<f64>,
    /// Users without a single success.
    pub(crate) starved: Vec<u32>,
    /// TCP, upgrade, first authenticated reply.
    pub(crate) connect_us: Option<Latency>,
    /// Burst makespan over n times the solo latency: 1 is one after the other.
    pub(crate) serialisation: Option<f64>,
}

/// A distribution, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// A connection pool.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pool {
    pub(crate) label: String,
    /// Ours, under stress and gated; or a service's own.
    pub(crate) stress: bool,
    pub(crate) size: u32,
    pub(crate) in_flight_max: u32,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) timeouts: u64,
    /// p50, p99, max.
    pub(crate) wait_us: Option<[u64; 3]>,
    /// p50, p99, max.
    pub(crate) hold_us: Option<[u64; 3]>,
    /// Connection-time used over available, in percent.
    pub(crate) efficiency_percent: Option<f64>,
    pub(crate) hygiene_checked: u64,
    pub(crate) hygiene_findings: Vec<String>,
}

/// A threshold and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gate {
    /// As written.
    pub(crate) gate: String,
    /// Of the floor, which is always on.
    pub(crate) floor: bool,
    pub(crate) outcome: GateState,
    /// What was measured, as people read it.
    pub(crate) figure: Option<String>,
    /// Why it is unknown or was not run.
    pub(crate) reason: Option<String>,
    /// Looser than the floor, because the user said so.
    pub(crate) loosened: bool,
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

/// A stretch of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) took_ms: u64,
}

/// A planted leak: what its own record says, and what the judge says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drill {
    pub(crate) mutant: String,
    /// How often it fired, by its own record.
    pub(crate) fired: u64,
    /// Letters of the violated checks.
    pub(crate) caught_by: Vec<char>,
    /// Whether a finding names an observer and a victim that the record names together.
    pub(crate) matched: bool,
    /// One line for people.
    pub(crate) summary: String,
}

/// Where things are; paths as seen from where the command was started.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Files {
    pub(crate) dir: String,
    /// Of the folder: report.json, junit.xml and the like, as far as they were written.
    pub(crate) names: Vec<&'static str>,
}
