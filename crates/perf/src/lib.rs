//! The clock of a run: histograms, throughput, fairness, thresholds and gates.
//!
//! A [`Meter`] takes a run's events into sums; meters of workers, rounds and machines merge into one, in any order; the
//! figures come out of [`Meter::finish`] as a [`Performance`]. A [`GateSet`] holds figures against thresholds, the floors
//! of the specification always among them. A [`Schedule`] says when the ops of an open or closed load are meant to begin.
//!
//! It reads no clock and does no IO: instants come with the events. It finds no violations: those, and acknowledgements
//! that were lost, are figures that the judge supplies in a [`Sheet`].
//!
//! ```
//! use history::{At, Event, Fact, Invoked, Op, Outcome, Conn, Role, Round, User};
//! use perf::{GateOutcome, GateSet, Gate, Meter, Sheet};
//!
//! let at = |ms: u64, fact| Event { at: At(ms * 1_000_000), fact };
//! let post = Invoked {
//!     op: Op(1), conn: Conn(1), user: User(0), role: Role::Post, request: "1".into(), intended: At(0), phase: 0,
//!     round: Round(1), nonce: None, stores: None, names: vec![], probe: false,
//! };
//! let mut meter = Meter::new();
//! meter.observe(&at(0, Fact::PhaseBegan { phase: 0, name: "steady".into(), round: Round(1), measured: true }));
//! meter.observe(&at(2, Fact::Invoked(post)));
//! meter.observe(&at(8, Fact::Completed { op: Op(1), outcome: Outcome::Ok }));
//! meter.observe(&at(100, Fact::PhaseEnded { phase: 0 }));
//! let performance = meter.merge(Meter::new()).finish();
//!
//! assert_eq!(performance.latency_us.unwrap().max, 8_000, "it was meant to begin at 0");
//! assert_eq!(performance.throughput_per_s, Some(10.0));
//!
//! let sheet = Sheet { performance: &performance, violations: Some(0), lost_acks: None };
//! let gates = GateSet::with(&[Gate::parse("latency_p99 < 5ms")?])?;
//! let missed = gates.judge(&sheet).into_iter().filter(|judged| matches!(judged.outcome, GateOutcome::Missed(_)));
//! assert_eq!(missed.map(|judged| judged.to_string()).collect::<Vec<_>>(), ["latency_p99 < 5ms: missed: 8.00ms"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrival;
mod attempt;
mod connect;
mod database;
mod fairness;
mod figure;
mod finish;
mod gate;
mod gate_set;
mod histogram;
mod in_flight;
mod meter;
mod metric;
mod parse;
mod performance;
mod phase;
mod sheet;
mod tally;

pub use arrival::{RATE_MAX_PER_S, Schedule, Spacing, Starts};
pub use attempt::ANSWER_TIMEOUT_US;
pub use connect::Connections;
pub use database::{DB_IN_FLIGHT_MIN, Database};
pub use fairness::{Fairness, jain};
pub use figure::{Figure, Figures, Quantity};
pub use gate::{Bound, Comparison, Gate, GateOutcome, Unit};
pub use gate_set::{GateSet, GateSetError, Judged, Loosened};
pub use histogram::{HIGHEST_US, Histogram, Spread};
pub use meter::Meter;
pub use metric::{Kind, Metric, Plane, Stat, WaitStat};
pub use parse::{EXPRESSION_MAX, GateError, GateProblem};
pub use performance::{
    BURST_PHASE, Performance, RoleFigures, RoundFigures, SOLO_PHASE, Serialisation, StageTime,
    USERS_LISTED_MAX, UserFigures,
};
pub use phase::Outcomes;
pub use sheet::Sheet;
pub use tally::{NAME_CHARS_MAX, NAMES_MAX};
