//! Builds the reference services with cargo, and says where their binaries are.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use cargo_metadata::Message;
use history::Check;
use session::plan::PhaseKind;

use crate::progress::Progress;
use crate::workspace;

/// The binaries of one build.
#[derive(Debug)]
pub(crate) struct Binaries(BTreeMap<String, PathBuf>);

/// A leak that can be planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// Letters of the checks that must catch it.
    pub(crate) checks: String,
    /// Phases that make its situation: without them it is silent. None if ordinary load does.
    pub(crate) traffic: Vec<PhaseKind>,
}

impl Mutant {
    /// Whether none of the six checks is expected to catch it, so that a run has to compare users alone and in company.
    pub(crate) fn needs_comparison(&self) -> bool {
        !Check::ALL
            .iter()
            .any(|check| self.checks.contains(check.letter()))
    }

    /// Reads `NAME LETTERS PHASE...`.
    fn read(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(name), Some(checks)) = (words.next(), words.next()) else {
            bail!("`{line}` is not `NAME CHECKS PHASE...`");
        };
        let phase = |name: String| {
            PhaseKind::named(&name).with_context(|| format!("`{line}`: there is no phase `{name}`"))
        };
        let traffic = words.map(phase).collect::<Result<_>>()?;
        Ok(Self {
            name,
            checks,
            traffic,
        })
    }
}

/// Which build of the reference services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As one would ship it.
    Plain,
    /// With the planted leaks compiled in, apart from the plain one.
    Mutants,
}

impl Build {
    /// The cargo that builds what is not fresh; `offline` keeps it from the network.
    pub(crate) fn command(self, offline: bool) -> Result<Command> {
        let mut cargo = workspace::cargo();
        cargo.args(["build", "--release", "--package", "reference", "--bins"]);
        cargo.arg("--message-format=json-render-diagnostics");
        if self == Self::Mutants {
            let workspace = workspace::metadata()?;
            let target = workspace.target_directory.join("mutants");
            cargo.args(["--features", "mutants", "--target-dir", target.as_str()]);
            // only the programs lie apart: what the dependencies compile to is the plain build's
            let shared = workspace.build_directory.unwrap_or(workspace.target_directory);
            cargo.env("CARGO_BUILD_BUILD_DIR", shared);
        }
        if offline {
            cargo.arg("--offline");
        }
        cargo
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(cargo)
    }
}

/// The reference services cannot be built: what the error of a build is.
#[derive(Debug)]
pub(crate) struct NotBuilt;

impl fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot build the reference services")
    }
}

/// What a run starts.
const NEEDED: [&str; 4] = ["auth", "agent", "gateway", "migrate"];

/// Lines of compiler output that an error carries at most.
const ERROR_LINES_MAX: usize = 200;

impl Binaries {
    /// Builds what is not fresh; `offline` keeps cargo from the network.
    ///
    /// # Errors
    /// [`NotBuilt`], with what cargo said.
    pub(crate) fn build(build: Build, offline: bool, progress: &Progress) -> Result<Self> {
        let cargo = build.command(offline)?.spawn().context("cannot run cargo")?;
        Self::made_by(cargo, progress)
    }

    /// What a running [`Build::command`] makes, once it has ended.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub(crate) fn made_by(mut cargo: Child, progress: &Progress) -> Result<Self> {
        progress.stage("building the reference services");
        let built = watch(&mut cargo, progress);
        let status = cargo.wait().context("cannot wait for cargo")?;
        let (binaries, said) = built?;
        if !status.success() {
            return Err(anyhow!("cargo ended with {status}\n{}", said.join("\n")).context(NotBuilt));
        }
        Ok(Self(binaries))
    }

    /// Those in a folder, which somebody has built.
    ///
    /// # Errors
    /// If one is not there.
    pub(crate) fn found(folder: &Path) -> Result<Self> {
        let found = NEEDED.map(|name| {
            let path = folder.join(name);
            if !path.is_file() {
                bail!(
                    "{} is missing: `cargo build --release -p reference` makes it",
                    path.display()
                );
            }
            Ok((name.to_owned(), std::path::absolute(path)?))
        });
        found.into_iter().collect::<Result<_>>().map(Self)
    }

    /// The path of a binary.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        self.0
            .get(name)
            .map(PathBuf::as_path)
            .with_context(|| format!("the reference package has no binary `{name}`"))
    }

    /// The leaks that this build can plant, as its gateway lists them.
    pub(crate) fn mutants(&self) -> Result<Vec<Mutant>> {
        let output = Command::new(self.path("gateway")?)
            .arg("--list-mutants")
            .output()
            .context("cannot run the gateway")?;
        if !output.status.success() {
            bail!(
                "the gateway cannot list its mutants: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let text = String::from_utf8(output.stdout).context("the gateway's list of mutants is no text")?;
        text.lines().map(Mutant::read).collect()
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.0.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }
}

/// Reads both streams of cargo to their ends: the executables, and what it said besides progress.
fn watch(child: &mut Child, progress: &Progress) -> Result<(BTreeMap<String, PathBuf>, Vec<String>)> {
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let stderr = child.stderr.take().context("cargo has no stderr")?;
    std::thread::scope(|scope| {
        let said = scope.spawn(|| follow(stderr, progress));
        let binaries = executables(stdout);
        let said = said.join().ok().context("the reader of cargo's output failed")?;
        Ok((binaries?, said))
    })
}

fn executables(stdout: impl Read) -> Result<BTreeMap<String, PathBuf>> {
    let mut binaries = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read cargo's messages")?
            && let Some(path) = artifact.executable
        {
            binaries.insert(artifact.target.name, path.into_std_path_buf());
        }
    }
    Ok(binaries)
}

/// Shows which crate is being compiled, and keeps the last lines of the rest.
fn follow(stderr: impl Read, progress: &Progress) -> Vec<String> {
    let mut said = Vec::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Compiling"), Some(name)) => {
                progress.stage(&format!("building the reference services: {name}"))
            }
            (Some("Finished" | "Blocking" | "Downloading" | "Downloaded" | "Updating"), _) => {}
            _ => said.push(line),
        }
    }
    let surplus = said.len().saturating_sub(ERROR_LINES_MAX);
    said.split_off(surplus)
}
