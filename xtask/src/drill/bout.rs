//! One run of `e2e` in a process of its own, and what it said.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rand::RngExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use services::POSTGRES_ENV;

use crate::binaries::Mutant;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::workspace;

/// A run to make.
#[derive(Clone, Debug)]
pub(crate) struct Bout {
    /// The planted leak; `None` for clean services.
    mutant: Option<String>,
    /// Folder within the drill's.
    folder: String,
    arguments: Vec<String>,
}

/// A run that was made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fought {
    pub(crate) mutant: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) seconds: f64,
    /// `None` if it printed no report.
    pub(crate) said: Option<Said>,
    /// What it wrote to stderr, if it printed no report.
    pub(crate) complaint: Option<String>,
    /// Its folder; gone if there is nothing to look into.
    pub(crate) dir: Option<PathBuf>,
}

/// What `e2e --json` says, as far as a drill wants to know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Said {
    pub(crate) run: Run,
    pub(crate) isolation: Isolation,
    pub(crate) drill: Option<Planted>,
    pub(crate) problems: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) users: u32,
    pub(crate) repeat: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Isolation {
    pub(crate) violations: u64,
    pub(crate) checks: Vec<Check>,
    #[serde(skip_serializing)]
    pub(crate) findings: Vec<Finding>,
    /// `None` if the run did not look.
    #[serde(default)]
    pub(crate) non_interference: Option<Seventh>,
}

/// The look beside the checks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Seventh {
    pub(crate) letter: char,
    pub(crate) state: String,
    /// Compared steps that were under way together with another user's.
    pub(crate) exposed: u64,
    pub(crate) units: u64,
    pub(crate) text: String,
    #[serde(skip_serializing)]
    pub(crate) differences: Vec<Finding>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Check {
    pub(crate) letter: char,
    pub(crate) state: String,
    /// Exposing events.
    pub(crate) events: u64,
    /// Exposed units: connection x phase x round.
    pub(crate) units: u64,
    pub(crate) text: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) at_us: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Planted {
    pub(crate) fired: u64,
    pub(crate) opportunities: Option<u64>,
    /// Opportunities that it took.
    pub(crate) acted: Option<u64>,
    /// Letters of the checks that are violated.
    pub(crate) caught_by: Vec<char>,
    pub(crate) matched: bool,
    pub(crate) summary: String,
}

impl Bout {
    /// With a leak planted.
    pub(crate) fn planted(mutant: &Mutant, rate: Option<f64>, number: u32) -> Self {
        let name = &mutant.name;
        let choice = rate.map_or_else(|| name.clone(), |rate| format!("{name}:{rate}"));
        let mut arguments = vec!["--mutant".to_owned(), choice];
        arguments.extend(mutant.needs_comparison().then(|| "--differential".to_owned()));
        Self {
            mutant: Some(name.clone()),
            folder: match rate {
                Some(rate) => format!("{name}-at-{rate}-{number}"),
                None => format!("{name}-{number}"),
            },
            arguments,
        }
    }

    /// With a leak planted, without the phases that make it act.
    pub(super) fn silenced(mutant: &Mutant, number: u32) -> Self {
        let mut bout = Self::planted(mutant, None, number);
        let without = mutant
            .traffic
            .iter()
            .map(|phase| format!("--without={}", phase.name()));
        bout.arguments.extend(without);
        bout
    }

    /// Of clean services, at the default size.
    pub(super) fn clean(number: u32) -> Self {
        Self {
            mutant: None,
            folder: format!("clean-{number}"),
            arguments: Vec::new(),
        }
    }

    /// Of clean services, at a size of its own.
    pub(super) fn varied(number: u32) -> Self {
        let mut rng = rand::rng();
        let users = rng.random_range(6..=40_u32);
        let sizes = [
            ("--users", users),
            ("--tenants", rng.random_range(2..=users / 3)),
            ("--rounds", rng.random_range(1..=4)),
        ];
        let mut arguments: Vec<String> = sizes
            .into_iter()
            .flat_map(|(name, size)| [name.to_owned(), size.to_string()])
            .collect();
        arguments.extend([
            "--duration".to_owned(),
            format!("{}ms", rng.random_range(300..=1500_u32)),
        ]);
        Self {
            mutant: None,
            folder: format!("clean-{number}"),
            arguments,
        }
    }

    /// Makes the run; `None` if a signal ended it. The signal is passed on, and the run ends in order.
    pub(crate) async fn fight(
        self,
        drill: &Path,
        postgres: &str,
        offline: bool,
        interrupt: &Interrupt,
    ) -> Option<Fought> {
        let began = Instant::now();
        let dir = drill.join(&self.folder);
        let outcome = self.run(&dir, postgres, offline, interrupt).await;
        let seconds = began.elapsed().as_secs_f64();
        let mut fought = Fought {
            mutant: self.mutant,
            exit_code: None,
            seconds,
            said: None,
            complaint: None,
            dir: Some(dir),
        };
        match outcome {
            Ok(_) if interrupt.seen().is_some() => return None,
            Ok(output) => {
                fought.exit_code = output.status.code();
                match serde_json::from_slice(&output.stdout) {
                    Ok(said) => fought.said = Some(said),
                    Err(_) => {
                        fought.complaint = Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())
                    }
                }
            }
            Err(error) => fought.complaint = Some(format!("{error:#}")),
        }
        fought.tidy_up();
        Some(fought)
    }

    async fn run(
        &self,
        dir: &Path,
        postgres: &str,
        offline: bool,
        interrupt: &Interrupt,
    ) -> Result<std::process::Output> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = tokio::process::Command::new(program);
        command
            .current_dir(workspace::root())
            .args(["e2e", "--json", "--only", "isolation", "--out"])
            .arg(dir)
            .args(&self.arguments)
            .env(POSTGRES_ENV, postgres)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // a terminal's signal comes to us, and from us to each run once
            .process_group(0);
        if offline {
            command.arg("--offline");
        }
        let child = command.spawn().context("cannot start a run")?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let output = child.wait_with_output();
        tokio::pin!(output);
        tokio::select! {
            ended = &mut output => return ended.context("cannot wait for a run"),
            _ = interrupt.came() => {}
        }
        if let Some(pid) = pid {
            // one that has just ended needs no signal
            let _ = kill_process(pid, Signal::TERM);
        }
        output.await.context("cannot wait for a run")
    }
}

impl Fought {
    pub(crate) fn planted(&self) -> Option<&Planted> {
        self.said.as_ref()?.drill.as_ref()
    }

    /// Whether it ended as a run of clean services must: without a violation. *Unknown* is no violation.
    pub(super) fn is_silent(&self) -> bool {
        self.said
            .as_ref()
            .is_some_and(|said| said.isolation.violations == 0)
    }

    pub(super) fn violated(&self) -> bool {
        self.exit_code == Some(i32::from(Exit::Violated.code()))
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let seconds = self.seconds;
        let Some(said) = &self.said else {
            let name = self.mutant.as_deref().unwrap_or("clean");
            return format!(
                "{name}: no report; {}",
                self.complaint.as_deref().unwrap_or_default()
            );
        };
        let seed = said.run.seed;
        match &said.drill {
            Some(planted) => format!("{} ({seconds:.1} s, seed {seed})", planted.summary),
            None => {
                let (code, violations) = (self.exit_code.unwrap_or(-1), said.isolation.violations);
                format!("clean: exit {code}, {violations} violations ({seconds:.1} s, seed {seed})")
            }
        }
    }

    /// A run that went as it should have left nothing worth its space.
    fn tidy_up(&mut self) {
        let well = match (&self.mutant, self.planted()) {
            (Some(_), Some(planted)) => planted.matched && self.violated(),
            (Some(_), None) => false,
            (None, _) => self.exit_code == Some(0),
        };
        if well
            && let Some(dir) = self.dir.take()
            && std::fs::remove_dir_all(&dir).is_err()
        {
            self.dir = Some(dir);
        }
    }
}
