//! One step: a command whose output matters only if it fails.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

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
            Task::Cargo(arguments) => succeed(&workspace::cargo(), arguments),
            Task::Xtask(arguments) => succeed(&xtask()?, arguments),
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

/// Runs it in the workspace without a terminal; an error carries all that it said.
fn succeed(command: &Command, arguments: &[&str]) -> Result<String> {
    let shell = Shell::new().context("cannot find the present folder")?;
    shell.change_dir(workspace::root());
    let program = command.get_program();
    let mut step = cmd!(shell, "{program} {arguments...}").env("RUSTDOCFLAGS", "-D warnings");
    for (name, value) in command.get_envs() {
        step = match value {
            Some(value) => step.env(name, value),
            None => step.env_remove(name),
        };
    }
    let output = step.quiet().ignore_status().output()?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = [output.stdout, output.stderr].concat();
    bail!("{}\n{}", String::from_utf8_lossy(&said).trim_end(), output.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_what_it_said() {
        let failed = succeed(&Command::new("sh"), &["-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(failed.unwrap_err().to_string(), "out\nerr\nexit status: 3");
        assert_eq!(succeed(&Command::new("true"), &[]).unwrap(), "");
        let missing = succeed(&Command::new("/no/such/program"), &[]);
        let error = missing.unwrap_err().to_string();
        assert!(error.contains("/no/such/program"), "{error}");
    }

    #[test]
    fn a_step_has_the_environment_of_its_command() {
        let mut shell = Command::new("sh");
        shell.env("SAID", "yes").env_remove("CARGO_MANIFEST_DIR");
        let asks = r#"test "$SAID" = yes && test -z "${CARGO_MANIFEST_DIR+set}""#;
        assert_eq!(succeed(&shell, &["-c", asks]).unwrap(), "");
    }
}
