//! The Crosstalk commands: composes plan, start, drive, audit, judge and report, and turns what came of them into an
//! exit code. All that is judged or measured is in the crates; here is what a user types and reads.
//!
//! A program that is no more than this one:
//!
//! ```no_run
//! let code: std::process::ExitCode = xtask::main();
//! ```

mod alone;
mod archive;
mod audit;
mod bench;
mod binaries;
mod ci;
mod cli;
mod database;
mod descriptors;
mod disk;
mod doctor;
mod drill;
mod e2e;
mod exit;
mod fault;
mod goal;
mod interrupt;
mod judge;
mod log;
mod operator;
mod program;
mod progress;
mod record;
mod report;
mod run_dir;
mod screen;
mod settings;
mod stack;
mod supply;
mod target;
mod tidy;
mod trial;
mod vigil;
mod workspace;

pub use program::main;
