//! The program: from what was typed to an exit code.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command, Misuse};
use crate::exit::Exit;
use crate::{bench, ci, doctor, drill, e2e, judge, screen, target, tidy};

/// Does what was typed, and says by its code what came of it: all that a program of this name has to do.
#[must_use]
pub fn main() -> ExitCode {
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
