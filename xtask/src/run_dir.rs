//! The folder of a run: its name, what lies where, and which old ones go.
//!
//! A run folder holds a file `.crosstalk-run`, locked as long as the run lasts. Pruning removes a folder only if its
//! name is one that we give, that file is in it, and nobody holds the lock: never a folder that is not ours, never a run
//! that another process is driving.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use crate::disk;

/// The file that makes a folder ours.
const MARKER: &str = ".crosstalk-run";
/// Owner only: a history holds everything that the users saw.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// With less than this free a disk is as good as full.
const FREE_BYTES_MIN: u64 = 64 << 10;

/// The folder of a run in progress.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    /// Locked until the run is over.
    _marker: File,
}

impl RunDir {
    /// A new folder `<runs>/<stamp>-<run>`.
    pub(crate) fn create_under(runs: &Path, started: DateTime<Utc>, run: u32) -> Result<Self> {
        Self::create(&runs.join(name(started, run)))
    }

    /// The folder `path`, which must be empty or not exist.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    bail!(
                        "{} is not empty; name a new folder, or remove what is in it",
                        path.display()
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(FOLDER_MODE);
                builder
                    .create(path)
                    .with_context(|| format!("cannot create {}", path.display()))?;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot use {}", path.display())),
        }
        let marker = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path.join(MARKER))
            .with_context(|| format!("cannot write into {}", path.display()))?;
        marker
            .try_lock()
            .with_context(|| format!("cannot lock {}", path.join(MARKER).display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot resolve {}", path.display()))?;
        let dir = Self {
            path,
            _marker: marker,
        };
        for folder in [dir.history(), dir.logs()] {
            DirBuilder::new()
                .mode(FOLDER_MODE)
                .create(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(dir)
    }

    /// The folder itself, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Event segments and their seal.
    pub(crate) fn history(&self) -> PathBuf {
        self.path.join("history")
    }

    /// What the services wrote.
    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What a planted leak wrote of itself, one file a service; made on demand.
    pub(crate) fn mutants(&self) -> Result<PathBuf> {
        let folder = self.path.join("mutants");
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// Whether its disk is full: what fails then fails in odd ways, and cannot even be logged.
    pub(crate) fn is_full(&self) -> bool {
        disk::free_bytes(&self.path).is_some_and(|free| free < FREE_BYTES_MIN)
    }

    /// Writes a file of the report.
    pub(crate) fn write(&self, file: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(file);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// `<UTC time>-<run, in hex>`: sorts by time.
fn name(started: DateTime<Utc>, run: u32) -> String {
    format!("{}-{run:07x}", started.format("%Y%m%d-%H%M%S"))
}

/// Whether `name` is one that [`name`] gives.
fn is_ours(name: &str) -> bool {
    const SHAPE: &str = "dddddddd-dddddd-xxxxxxx";
    name.len() == SHAPE.len()
        && name.bytes().zip(SHAPE.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            _ => byte == shape,
        })
}

/// Removes all but the newest `keep` finished runs under `runs`; how many went.
pub(crate) fn prune(runs: &Path, keep: usize) -> Result<usize> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("cannot list {}", runs.display())),
    };
    let mut old: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_ours)
        })
        .filter(|path| path.join(MARKER).is_file() && !path.is_symlink())
        .collect();
    old.sort_unstable();
    let surplus = old.len().saturating_sub(keep);
    let mut removed = 0;
    for path in &old[..surplus] {
        let marker =
            File::open(path.join(MARKER)).with_context(|| format!("cannot open {}", path.display()))?;
        if marker.try_lock().is_ok() {
            fs::remove_dir_all(path)
                .with_context(|| format!("cannot remove the old run {}", path.display()))?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_323_045 + second, 0).unwrap()
    }

    fn names(runs: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(runs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn names_sort_by_time_and_are_recognised() {
        assert_eq!(name(at(0), 0x1a2b3c), "20260102-030405-01a2b3c");
        assert!(is_ours(&name(at(0), 0x1ff_ffff)));
        for other in [
            "",
            "20260102-030405",
            "20260102-030405-01a2b3C",
            "important",
            "2026010a-030405-01a2b3c",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_folder_is_the_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = RunDir::create_under(root.path(), at(0), 1).unwrap();
        dir.write("report.json", b"{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.history()), 0o700);
        assert_eq!(mode(&dir.path().join("report.json")), 0o600);
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "years of work").unwrap();
        let error = RunDir::create(root.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty; name a new folder"), "{error}");
        let error = RunDir::create(Path::new("/proc/crosstalk"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "cannot create /proc/crosstalk");
    }

    #[test]
    fn pruning_keeps_the_newest_and_what_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path();
        for second in 0..5 {
            drop(RunDir::create_under(runs, at(second), 7).unwrap());
        }
        fs::create_dir(runs.join("important")).unwrap();
        fs::create_dir(runs.join("20250102-030405-01a2b3c")).unwrap();
        assert_eq!(prune(runs, 2).unwrap(), 3);
        assert_eq!(
            names(runs),
            [
                "20250102-030405-01a2b3c",
                "20260102-030408-0000007",
                "20260102-030409-0000007",
                "important",
            ],
            "a folder of our name without our marker is not ours"
        );
    }

    #[test]
    fn pruning_leaves_a_run_in_progress_alone() {
        let root = tempfile::tempdir().unwrap();
        let running = RunDir::create_under(root.path(), at(0), 1).unwrap();
        drop(RunDir::create_under(root.path(), at(1), 1).unwrap());
        assert_eq!(prune(root.path(), 1).unwrap(), 0);
        drop(running);
        assert_eq!(prune(root.path(), 1).unwrap(), 1);
        assert_eq!(prune(&root.path().join("none"), 1).unwrap(), 0);
    }
}
