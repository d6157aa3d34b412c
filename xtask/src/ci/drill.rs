//! The planted leaks: in no plain build, and each of them caught.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use memchr::memmem;
use serde::Deserialize;

use super::step;
use crate::binaries::{Binaries, Build, Mutant};
use crate::exit::Exit;
use crate::progress::Progress;
use crate::workspace;

/// What `e2e --json` says of a drill.
#[derive(Deserialize)]
struct Said {
    exit_code: u8,
    drill: Option<Drill>,
    run: Run,
}

#[derive(Deserialize)]
struct Drill {
    /// Letters of checks.
    caught_by: Vec<char>,
    matched: bool,
    summary: String,
}

#[derive(Deserialize)]
struct Run {
    repeat: String,
}

/// No binary of a plain build holds the name of a planted leak, and no source of the harness does.
pub(super) fn plain_builds_are_clean() -> Result<String> {
    let quiet = Progress::new(true);
    let mutants = Binaries::build(Build::Mutants, false, &quiet)?.mutants()?;
    ensure!(!mutants.is_empty(), "the build with planted leaks lists none");
    let binaries = Binaries::build(Build::Plain, false, &quiet)?;
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut looked = 0;
    let paths = binaries.iter().map(|(_, path)| path).chain([own.as_path()]);
    for path in paths.map(Path::to_path_buf).chain(sources()?) {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if let Some(mutant) = mutants
            .iter()
            .find(|mutant| memmem::find(&bytes, mutant.name.as_bytes()).is_some())
        {
            bail!("{} holds the name of the mutant {}", path.display(), mutant.name);
        }
        looked += 1;
    }
    Ok(format!("  {} names in {looked} files", mutants.len()))
}

/// Sources that have no business with planted leaks: all but those of the reference services.
fn sources() -> Result<Vec<PathBuf>> {
    let root = workspace::root();
    let mut sources = workspace::sources(&root)?;
    sources.retain(|path| !path.starts_with(root.join("crates/reference")));
    Ok(sources)
}

/// Each, planted in a run of its own with a fresh seed, is caught by a check that must, and for the reason it gives.
pub(super) fn all_are_caught() -> Result<String> {
    let mutants = Binaries::build(Build::Mutants, false, &Progress::new(true))?.mutants()?;
    let missed: Vec<String> = mutants
        .iter()
        .filter_map(|mutant| caught(mutant).err())
        .map(|e| format!("{e:#}"))
        .collect();
    if missed.is_empty() {
        Ok(format!("  {} mutants", mutants.len()))
    } else {
        bail!("{}", missed.join("\n"))
    }
}

fn caught(mutant: &Mutant) -> Result<()> {
    let name = &mutant.name;
    let output = step::xtask()?
        .args(["e2e", "--json", "--mutant", name])
        .output()
        .with_context(|| format!("cannot run e2e with {name}"))?;
    let stderr = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let said: Said = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "{name}: e2e ended with {} and printed no report; {}",
            output.status,
            stderr()
        )
    })?;
    judge(mutant, &said).with_context(|| format!("{name} is not caught; again: {}", said.run.repeat))
}

fn judge(mutant: &Mutant, said: &Said) -> Result<()> {
    let drill = said.drill.as_ref().context("the report has no drill")?;
    ensure!(
        said.exit_code == Exit::Violated.code(),
        "exit code {}; {}",
        said.exit_code,
        drill.summary
    );
    let expected = drill.caught_by.iter().any(|check| mutant.checks.contains(*check));
    ensure!(
        expected,
        "none of the checks {} caught it; {}",
        mutant.checks,
        drill.summary
    );
    ensure!(drill.matched, "{}", drill.summary);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(exit_code: u8, caught_by: &[char], matched: bool, expect: Result<(), &str>) {
        let mutant = Mutant {
            name: "leak".into(),
            checks: "SR".into(),
        };
        let drill = Drill {
            caught_by: caught_by.to_vec(),
            matched,
            summary: "so it went".into(),
        };
        let said = Said {
            exit_code,
            drill: Some(drill),
            run: Run {
                repeat: "again".into(),
            },
        };
        assert_eq!(
            judge(&mutant, &said).map_err(|error| error.to_string()),
            expect.map_err(str::to_owned)
        );
    }

    #[test]
    fn caught_means_violated_by_an_expected_check_for_the_recorded_users() {
        check(10, &['T', 'S'], true, Ok(()));
        check(0, &[], false, Err("exit code 0; so it went"));
        check(12, &['S'], true, Err("exit code 12; so it went"));
        check(
            10,
            &['U'],
            true,
            Err("none of the checks SR caught it; so it went"),
        );
        check(10, &['R'], false, Err("so it went"));
    }
}
