//! The report of a run: one model, and the forms it is read in.

mod junit;
mod model;
mod summary;
mod terminal;
mod units;

pub(crate) use model::{
    Check, Counts, Drill, Files, Finding, Findings, Gate, GateState, Latency, Performance, Pool, Report, Run,
    SCHEMA_VERSION, Situation, Stage, State,
};
pub(crate) use terminal::render;
