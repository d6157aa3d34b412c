//! The planted leaks are in no plain build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use memchr::memmem;

use crate::binaries::{Binaries, Build};
use crate::progress::Progress;
use crate::workspace;

/// No binary of a plain build holds the name of a planted leak, and no source of the harness does.
pub(super) fn builds_are_clean() -> Result<String> {
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
