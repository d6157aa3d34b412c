//! The Crosstalk commands.

mod bench;
mod binaries;
mod ci;
mod cli;
mod exit;
mod interrupt;
mod progress;
mod report;
mod run_dir;
mod screen;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Tidy => tidy::run(),
        _ => Ok(Exit::Done),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            screen::complain(&error);
            Exit::Error.into()
        }
    }
}
