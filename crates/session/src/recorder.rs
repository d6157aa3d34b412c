//! The one seam between what happens and those who keep, judge and time it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use history::{At, Event, Fact, SegmentSeal, SegmentWriter, WriteError};
use isolation::Judge;
use perf::Meter;

/// Bytes of history that one worker may write.
pub const HISTORY_LIMIT_BYTES: u64 = 4 << 30;
/// Bytes of events that are judged and metered together: few enough that nobody waits long for it, and many enough that the code which
/// judges is fetched into the processor's first cache once for all of them.
const BATCH_BYTES: usize = 16 * 1024;

/// Why events could not be recorded.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder or the file could not be made.
    #[error("cannot make {}", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The history could not be written.
    #[error("cannot write the history {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: WriteError,
    },
}

/// What a worker holds: the writer of its history, its judge and its meter.
///
/// Every event goes through [`Recorder::record`] into the history, and from there, a batch at a time, to the judge and the meter: they see
/// what a second judgement of the history sees, and nothing else reaches them.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    writer: SegmentWriter<BufWriter<File>>,
    judge: Judge,
    meter: Meter,
    failure: Option<WriteError>,
}

/// What is left of a recorder when its worker is done; the parts of all workers merge.
#[derive(Debug)]
pub struct Recorded {
    /// Seal of the worker's segment of the history, or why it is not whole.
    pub seal: Result<SegmentSeal, RecordError>,
    /// Whether the history's limit was hit, so that a second judgement from disk would lack events.
    pub limit_hit: bool,
    /// The judge, not finished.
    pub judge: Judge,
    /// The meter, not finished.
    pub meter: Meter,
}

impl Recorder {
    /// A recorder that writes to `<run_dir>/history/worker-<worker>.events`. Folder and file are the owner's alone.
    ///
    /// # Errors
    ///
    /// [`RecordError::Create`] if the file cannot be made (it must not exist).
    pub fn create(run_dir: &Path, run: u32, worker: u16) -> Result<Self, RecordError> {
        let folder = run_dir.join("history");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| RecordError::Create {
            path: folder.clone(),
            source,
        })?;
        let path = folder.join(format!("worker-{worker}.events"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|source| RecordError::Create {
            path: path.clone(),
            source,
        })?;
        let writer = SegmentWriter::new(BufWriter::new(file), run, worker, HISTORY_LIMIT_BYTES);
        Ok(Self {
            path,
            writer,
            judge: Judge::new(run),
            meter: Meter::new(),
            failure: None,
        })
    }

    /// Takes in what happened at `at`. A history that cannot be written is said once, by [`Recorder::finish`]; nothing that comes after
    /// is seen.
    #[inline]
    pub fn record(&mut self, at: At, fact: Fact<'_>) {
        self.take(&Event { at, fact });
    }

    fn take(&mut self, event: &Event<'_>) {
        if self.has_failed() {
            return;
        }
        let appended = self.writer.append(event);
        self.failure = appended.err();
        if self.writer.unread() >= BATCH_BYTES || self.writer.is_full() {
            self.catch_up();
        }
    }

    /// Has the judge and the meter see all that was recorded.
    fn catch_up(&mut self) {
        let (judge, meter) = (&mut self.judge, &mut self.meter);
        let seen = self.writer.read_back(|place, event| {
            meter.observe(event);
            judge.observe(place, event);
        });
        if let Err(error) = seen {
            self.failure.get_or_insert(error);
        }
    }

    /// Whether the history could not be written.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Ends the worker's history.
    pub fn finish(mut self) -> Recorded {
        self.catch_up();
        let Self {
            path,
            writer,
            judge,
            meter,
            failure,
        } = self;
        let limit_hit = writer.limit_hit();
        let sealed = match failure {
            Some(error) => Err(error),
            None => writer.finish(),
        };
        Recorded {
            seal: sealed.map_err(|source| RecordError::Write { path, source }),
            limit_hit,
            judge,
            meter,
        }
    }
}
