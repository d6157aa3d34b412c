//! The Crosstalk commands: composes plan, start, drive, audit, judge and report, and turns what came of them into an
//! exit code. All that is judged or measured is in the crates; here is what a user types and reads.

mod alone;
mod archive;
mod audit;
mod bench;
mod binaries;
mod ci;
mod cli;
mod database;
mod descriptors;
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
mod progress;
mod record;
mod report;
mod run_dir;
mod screen;
mod settings;
mod stack;
mod target;
mod tidy;
mod trial;
mod vigil;
mod workspace;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, FromArgMatches as _};

use cli::{Cli, Command, Misuse};
use exit::Exit;

fn main() -> ExitCode {
    let typed = Cli::command().get_matches();
    let outcome = match Cli::from_arg_matches(&typed)
        .unwrap_or_else(|error| error.exit())
        .command
    {
        Command::E2e(args) => block_on(e2e::run(&args)),
        Command::Drill(args) => block_on(drill::run(&args)),
        Command::Judge(args) => judge::run(&args),
        Command::Bench(args) => block_on(bench::run(&args)),
        Command::Doctor(args) => block_on(doctor::run(&args)),
        Command::Target(command) => block_on(target::run(&command)),
        Command::Ci(args) => ci::run(&args),
        Command::Tidy => tidy::run(),
        Command::Guard => return services::guard::run(),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => match error.downcast_ref::<Misuse>() {
            Some(misuse) => misuse.of(&typed).exit(),
            None => {
                screen::complain(&error);
                Exit::Error.into()
            }
        },
    }
}

/// Runs a command on a runtime of its own, whose other thread hears signals while this one is busy. A panic is an error like
/// others, once everything that the command held is let go.
fn block_on(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(command)));
    // users that are still being driven are not waited for
    runtime.shutdown_background();
    outcome.unwrap_or_else(|_| bail!("a bug of the harness: it panicked, as said above"))
}
