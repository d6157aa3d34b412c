//! Who may see what: canaries, scanner, checkers, verdicts, and violations with their evidence.

pub mod canary;
pub mod scan;

mod bounded;
mod explain;
mod identity;
mod judge;
mod judgement;
mod limits;
mod overlap;
mod policy;
mod seen;
mod ticks;
mod verdict;

pub use explain::{Evidence, Excerpt, Explainer, LastStep};
pub use identity::fingerprint_of_id;
pub use judge::Judge;
pub use judgement::{Finding, Judgement, LostAck, LostAcks, Needle, PoolHygiene, Residue, Situation};
pub use verdict::{CheckVerdict, ProbeCount, State, Weakest, upper_bound};
