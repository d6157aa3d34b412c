//! The clock of a run: histograms, throughput, fairness, thresholds and gates.

mod attempt;
mod connect;
mod database;
mod fairness;
mod finish;
mod histogram;
mod in_flight;
mod meter;
mod performance;
mod phase;
mod tally;

pub use attempt::ANSWER_TIMEOUT_US;
pub use connect::Connections;
pub use database::{DB_IN_FLIGHT_MIN, Database};
pub use fairness::{Fairness, jain};
pub use histogram::{HIGHEST_US, Histogram, Spread};
pub use meter::Meter;
pub use performance::{
    BURST_PHASE, Performance, RoleFigures, RoundFigures, SOLO_PHASE, Serialisation, StageTime,
    USERS_LISTED_MAX, UserFigures,
};
pub use phase::Outcomes;
pub use tally::{NAME_CHARS_MAX, NAMES_MAX};
