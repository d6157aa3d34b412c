//! One step: a command whose output matters only if it fails.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A named step.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) task: Task,
}

/// What it does. `Ok` holds a remark for the result's line, empty or beginning with two spaces.
pub(super) enum Task {
    /// Cargo, with these arguments.
    Cargo(Vec<&'static str>),
    /// This program, with these arguments.
    Xtask(Vec<&'static str>),
    /// A function of ours.
    Own(fn() -> Result<String>),
}

impl Step {
    /// Does it.
    pub(super) fn run(&self) -> Result<String> {
        match &self.task {
            Task::Cargo(arguments) => {
                let mut cargo = workspace::cargo();
                cargo.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
                succeed(cargo)
            }
            Task::Xtask(arguments) => {
                let mut own = xtask()?;
                own.args(arguments);
                succeed(own)
            }
            Task::Own(task) => task(),
        }
    }
}

/// This very program.
pub(super) fn xtask() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.current_dir(workspace::root());
    Ok(command)
}

/// Whether `cargo nextest` is there.
pub(super) fn has_nextest() -> bool {
    let mut cargo = workspace::cargo();
    cargo
        .args(["nextest", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    cargo.status().is_ok_and(|status| status.success())
}

/// Runs it without a terminal, both streams into one file; an error carries all of that.
fn succeed(mut command: Command) -> Result<String> {
    let mut output = tempfile::tempfile().context("cannot make a temporary file")?;
    let stream = |file: &File| file.try_clone().context("cannot share the temporary file");
    let status = command
        .stdin(Stdio::null())
        .stdout(stream(&output)?)
        .stderr(stream(&output)?)
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if status.success() {
        return Ok(String::new());
    }
    let mut said = Vec::new();
    output
        .rewind()
        .and_then(|()| output.read_to_end(&mut said))
        .context("cannot read the step's output")?;
    bail!("{}\n{status}", String::from_utf8_lossy(&said).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_what_it_said() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(
            succeed(shell).unwrap_err().to_string(),
            "out\nerr\nexit status: 3"
        );
        assert_eq!(succeed(Command::new("true")).unwrap(), "");
        let error = succeed(Command::new("/no/such/program")).unwrap_err().to_string();
        assert_eq!(error, "cannot run /no/such/program");
    }
}
