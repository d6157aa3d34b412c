//! The figures of a run.

use history::{PoolFigures, Role, Round, User};
use serde::{Deserialize, Serialize};

use crate::connect::Connections;
use crate::database::Database;
use crate::fairness::Fairness;
use crate::histogram::Spread;
use crate::phase::Outcomes;

/// Most users whose figures are listed, the worst served first.
pub const USERS_LISTED_MAX: usize = 1_000;

/// Name of the phase in which one user at a time posts alone.
pub const SOLO_PHASE: &str = "solo";

/// Name of the phase in which all users post once, from a barrier.
pub const BURST_PHASE: &str = "burst";

/// How fast and how fairly the users of a run were served. What no event told is `None`, never 0.
///
/// Ops are attempts of measured phases that no probe made. Latency runs from the intended start to the end; a failed op counts
/// with its time, an unanswered one with at least [`ANSWER_TIMEOUT_US`](crate::ANSWER_TIMEOUT_US).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Planes that were selected; `None` if the run's header was not seen, so that all are taken to be.
    pub planes: Option<Vec<String>>,
    /// Users that the plan asked for.
    pub users_planned: Option<u32>,
    /// Rounds that the plan asked for.
    pub rounds_planned: Option<u16>,
    /// How the ops ended.
    pub outcomes: Outcomes,
    /// Over all ops.
    pub latency_us: Option<Spread>,
    /// By role, in the order of the roles' names.
    pub roles: Vec<RoleFigures>,
    /// Connection time: TCP, upgrade and first authenticated reply, over all WebSockets.
    pub connect_us: Option<Spread>,
    /// What became of the WebSockets.
    pub connections: Connections,
    /// By round, first to last.
    pub rounds: Vec<RoundFigures>,
    /// Acknowledged ops per second, sustained: of the worst round. `None` if a planned round did not take place.
    pub throughput_per_s: Option<f64>,
    /// Greatest less least throughput over their mean, over the rounds; `None` with fewer than two.
    pub round_spread: Option<f64>,
    /// `None` if no op was acknowledged.
    pub fairness: Option<Fairness>,
    /// Users without a single acknowledged op; `None` without a measured phase.
    pub users_without_success: Option<Vec<User>>,
    /// The first [`USERS_LISTED_MAX`] users, the worst served first: fewest acknowledged ops, then the greatest latency.
    pub users: Vec<UserFigures>,
    /// Error codes, and reasons of unanswered ops, with their counts.
    pub errors: Vec<(String, u64)>,
    /// Most ops in flight at once, as the client sees it.
    pub in_flight_max: Option<u64>,
    /// Longest that an op began after its intended start, in microseconds: the harness or a user's earlier op held it up.
    pub start_lag_us_max: Option<u64>,
    /// Whether posts are served one after the other.
    pub serialisation: Option<Serialisation>,
    /// The pools' figures, stressed ones first.
    pub pools: Vec<PoolFigures>,
    /// Over the stressed pools.
    pub database: Option<Database>,
    /// Where the time went, in order.
    pub stages: Vec<StageTime>,
    /// From the first stage's begin to the last one's end, in microseconds.
    pub total_us: Option<u64>,
}

/// The ops of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleFigures {
    /// The role.
    pub role: Role,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Their latency.
    pub latency_us: Option<Spread>,
}

/// The ops of one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundFigures {
    /// The round.
    pub round: Round,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Length of the measured phases, each to its end or to its last acknowledgement if that came later; `None` if a phase
    /// has no end and no acknowledgement.
    pub window_us: Option<u64>,
    /// Acknowledged ops per second of the window; `None` without one.
    pub throughput_per_s: Option<f64>,
    /// Their latency.
    pub latency_us: Option<Spread>,
}

/// The ops of one user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserFigures {
    /// The user.
    pub user: User,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Their mean latency; `None` if it had none.
    pub latency_us_mean: Option<f64>,
    /// The slowest of its connects; `None` if none was ready.
    pub connect_us_max: Option<u64>,
}

/// Makespan of a burst against the time that its posts take one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serialisation {
    /// Mean time of a post that has the service to itself.
    pub solo_us_mean: f64,
    /// From the first begin to the last answer of the slowest burst.
    pub burst_makespan_us: u64,
    /// Answered posts of that burst.
    pub burst_posts: u64,
    /// `burst_makespan_us / (burst_posts * solo_us_mean)`: about 1 if they are served one after the other, about
    /// `1 / burst_posts` if all at once.
    pub ratio: f64,
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub us: u64,
}
