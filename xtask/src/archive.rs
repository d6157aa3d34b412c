//! The history of a finished run on disk: whole and unaltered, or an error.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use history::{Event, Place, Seal, SegmentReader, SegmentSeal};

/// The file that lists all segments.
const SEAL: &str = "seal.json";

/// A sealed history.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    seal: Seal,
}

impl Archive {
    /// Seals the history under `run_dir`: from now on it can be read.
    pub(crate) fn seal(run_dir: &Path, run: u32, segments: Vec<SegmentSeal>) -> Result<Self> {
        let folder = run_dir.join("history");
        let seal = Seal { run, segments };
        let path = folder.join(SEAL);
        let text = serde_json::to_vec_pretty(&seal).context("cannot write the seal as JSON")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { folder, seal })
    }

    /// Opens the history under `run_dir` and checks that it is all there; its content is checked as it is read.
    pub(crate) fn open(run_dir: &Path) -> Result<Self> {
        let folder = run_dir.join("history");
        let path = folder.join(SEAL);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{} is missing: {} is no run folder, or the run ended before its history was sealed",
                path.display(),
                run_dir.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let seal = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let archive = Self { folder, seal };
        archive.check_files()?;
        Ok(archive)
    }

    /// Number of the run.
    pub(crate) fn run(&self) -> u32 {
        self.seal.run
    }

    /// Workers whose history was cut by its limit, so that events are missing.
    pub(crate) fn cut_by_limit(&self) -> impl Iterator<Item = u16> {
        self.seal
            .segments
            .iter()
            .filter(|segment| segment.limit_hit)
            .map(|segment| segment.worker)
    }

    /// All events, worker by worker, each in its order.
    pub(crate) fn read(&self, mut observe: impl FnMut(Place, &Event<'_>)) -> Result<()> {
        for segment in &self.seal.segments {
            let path = self.path(segment);
            self.read_one(segment, &mut observe)
                .with_context(|| format!("{} cannot be trusted", path.display()))?;
        }
        Ok(())
    }

    fn read_one(&self, segment: &SegmentSeal, observe: &mut impl FnMut(Place, &Event<'_>)) -> Result<()> {
        let file = File::open(self.path(segment))?;
        let mut reader = SegmentReader::open(BufReader::new(file))?;
        while let Some((place, event)) = reader.next()? {
            observe(place, &event);
        }
        let found = reader.seal().context("it has no end")?;
        Ok(self.seal.check(reader.run(), found)?)
    }

    /// Every listed segment is there, and no other.
    fn check_files(&self) -> Result<()> {
        let entries =
            fs::read_dir(&self.folder).with_context(|| format!("cannot list {}", self.folder.display()))?;
        let mut workers = Vec::new();
        for entry in entries {
            let name = entry
                .with_context(|| format!("cannot list {}", self.folder.display()))?
                .file_name();
            let number = name.to_str().and_then(|name| {
                name.strip_prefix("worker-")?
                    .strip_suffix(".events")?
                    .parse()
                    .ok()
            });
            workers.extend::<Option<u16>>(number);
        }
        let folder = self.folder.display();
        self.seal
            .check_workers(&workers)
            .with_context(|| format!("{folder} does not hold what it should"))
    }

    fn path(&self, segment: &SegmentSeal) -> PathBuf {
        self.folder.join(format!("worker-{}.events", segment.worker))
    }
}
