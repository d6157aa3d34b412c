//! Parts of the bench as processes of their own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The argument before a part's name and its order.
pub(crate) const ROLE: &str = "--part";

fn command(role: &str, order: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ROLE, role, order]).stdout(Stdio::piped());
    Ok(command)
}

/// Runs a part to its end and takes its answer.
pub(crate) fn run<A: DeserializeOwned>(role: &str, order: &impl Serialize) -> Result<A> {
    let output = command(role, &serde_json::to_string(order)?)?
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the part {role} ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("no answer of the part {role}"))
}

/// Prints the answer of this part.
pub(crate) fn answer(answer: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}

/// A part that serves until this is dropped.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and takes its first line.
    pub(crate) fn start<A: DeserializeOwned>(role: &str) -> Result<(Self, A)> {
        // it ends with its input, so that it does not outlive this process in any case
        let mut child = command(role, "")?.stdin(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("the output is a pipe")?;
        let server = Self(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let answer = serde_json::from_str(&line).with_context(|| format!("the part {role} said {line:?}"))?;
        Ok((server, answer))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // one that has ended by itself needs neither
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
