//! Connection pools under stress, their hygiene, and the audit of the database.
//!
//! [`stress`] puts one workload through a pool of deadpool-postgres and through one of sqlx: more operations at once than
//! connections, each under a user's identity and row-level security, some cancelled in mid-flight, some leaving behind what
//! faulty applications leave. Every borrower examines its connection before using it. The figures are those of
//! [`history::PoolFigures`]: waits, holds, timeouts, efficiency, success, findings.
//!
//! Whose duty is it that a connection is clean? The borrower's, says each library: out of the box neither wipes a setting, a
//! lock or an open transaction that was begun by hand. So the pools here are configured as a careful application does, with
//! [`RESET_SQL`] between two borrowers ([`Recycling::Reset`]), and then every finding is a fault of the pool.
//! [`Recycling::Bare`] shows what the examination finds without.
//!
//! [`audit`] streams what is stored, read with a credential that no service under test has.
//!
//! It starts no database, passes no judgement, and looks into no pool of a service: those export their own figures.
//!
//! ```no_run
//! # async fn example() -> Result<(), dbpool::StressError> {
//! let stress = dbpool::Stress::new("postgres://owner@localhost/app", "postgres://worker@localhost/app");
//! for pool in dbpool::stress(&stress).await? {
//!     assert_eq!(pool.figures.hygiene_findings, Vec::<String>::new());
//! }
//! # Ok(())
//! # }
//! ```

mod audit;
mod borrowed;
mod course;
mod deadpool;
mod hygiene;
mod litter;
mod plan;
mod schema;
mod sqlx_pool;
mod stress;
mod tally;
mod verify;

pub use audit::{AuditError, AuditQuery, Audited, audit};
pub use course::IMPATIENCE;
pub use litter::{Litter, RESET_SQL};
pub use stress::{IN_FLIGHT_MAX, OPS_MAX, Recycling, SIZE_MAX, Stress, StressError, stress};
pub use tally::{ERRORS_MAX, FINDINGS_MAX, PoolRun};
