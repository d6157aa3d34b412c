//! Where the workspace lies, and cargo within it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::disk;

/// The workspace that this binary was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Where runs are kept when nobody says otherwise: in the workspace, or, for a program that was installed, where it was started.
pub(crate) fn runs() -> PathBuf {
    let here = std::env::current_dir().ok();
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    home(root(), here, by_cargo).join(".crosstalk").join("runs")
}

fn home(root: PathBuf, here: Option<PathBuf>, by_cargo: bool) -> PathBuf {
    let elsewhere = here.filter(|here| !by_cargo && !here.starts_with(&root));
    elsewhere.unwrap_or(root)
}

/// How the variables begin in which cargo tells a program that it runs of that program's package.
const OF_OUR_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Cargo, in the workspace: the very one that runs us, if cargo does. It is not told of our package: build scripts look at that, and would
/// run anew, with all that hangs on them, whenever a cargo that we start takes turns with one that starts us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        if OF_OUR_PACKAGE
            .iter()
            .any(|begin| name.to_string_lossy().starts_with(begin))
        {
            command.env_remove(name);
        }
    }
    command
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .with_context(|| format!("cannot read the workspace at {}", root().display()))
}

/// Bytes that are free on the disk that cargo builds on; `None` if that cannot be told.
pub(crate) fn free_bytes() -> Option<u64> {
    disk::free_bytes(metadata().ok()?.target_directory.as_std_path())
}

/// All Rust sources of the workspace.
pub(crate) fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut open = vec![root.join("crates"), root.join("xtask")];
    let mut sources = Vec::new();
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot list {}", folder.display()))?
                .path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// `path` as seen from the folder we were started in, if it lies under it: shorter to read and to paste.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    match short {
        Some(short) if !short.as_os_str().is_empty() => short.display().to_string(),
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    /// The tests are run by a cargo, too.
    #[test]
    fn the_cargo_that_we_start_is_not_told_of_our_package() {
        let told = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"].map(OsStr::new);
        assert!(told.iter().all(|name| std::env::var_os(name).is_some()));
        let cargo = cargo();
        for name in told {
            assert!(cargo.get_envs().any(|set| set == (name, None)), "{name:?}");
        }
    }

    #[track_caller]
    fn check(here: &str, by_cargo: bool, expect: &str) {
        let home = home("/src/crosstalk".into(), Some(here.into()), by_cargo);
        assert_eq!(home, Path::new(expect));
    }

    #[test]
    fn an_installed_program_keeps_its_runs_where_it_is_started() {
        check("/src/crosstalk/docs", false, "/src/crosstalk");
        check("/src/crosstalk", true, "/src/crosstalk");
        check("/home/me/service", true, "/src/crosstalk");
        check("/home/me/service", false, "/home/me/service");
    }
}
