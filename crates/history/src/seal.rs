//! What segments amount to, and the list of them that a run ends with.

use serde::{Deserialize, Serialize};

/// What a finished segment amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentSeal {
    /// The worker that wrote it.
    pub worker: u16,
    /// Records in it.
    pub records: u64,
    /// Bytes of it, headers and hashes among them.
    pub bytes: u64,
    /// The last block's hash, 64 hex digits.
    pub hash: String,
    /// Whether events were dropped because the segment had reached its limit.
    pub limit_hit: bool,
}

/// The list of all segments of a run: what is missing or was cut shows against it. It guards against
/// corruption, not against forgery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The run.
    pub run: u32,
    /// One for each worker.
    pub segments: Vec<SegmentSeal>,
}

/// Why segments are not those that a [`Seal`] lists.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A segment is of another run.
    #[error("the segment of worker {worker} is of run {found}, the seal is of run {run}")]
    OtherRun {
        /// Whose segment.
        worker: u16,
        /// The run that it names.
        found: u32,
        /// The seal's.
        run: u32,
    },
    /// A segment is not listed.
    #[error("the seal of run {run} does not list worker {worker}")]
    Unlisted {
        /// Whose segment.
        worker: u16,
        /// The seal's run.
        run: u32,
    },
    /// A listed segment is not there, or one is there twice.
    #[error(
        "the seal of run {run} lists one segment of worker {worker}, there are {found}; copy the whole run folder"
    )]
    Missing {
        /// Whose segment.
        worker: u16,
        /// How many there are.
        found: usize,
        /// The seal's run.
        run: u32,
    },
    /// A segment is whole, but holds another number of records.
    #[error("the segment of worker {worker} has {found} records, the seal lists {listed}")]
    Records {
        /// Whose segment.
        worker: u16,
        /// Records in it.
        found: u64,
        /// Records that the seal lists.
        listed: u64,
    },
    /// A segment is whole, but is not the one that was sealed.
    #[error("the segment of worker {worker} is not the one that was sealed: its last hash is another")]
    Exchanged {
        /// Whose segment.
        worker: u16,
    },
}

impl Seal {
    /// Checks one segment, read to its end, against the list.
    ///
    /// # Errors
    ///
    /// [`SealError`], but not [`SealError::Missing`].
    pub fn check(&self, run: u32, found: &SegmentSeal) -> Result<(), SealError> {
        let worker = found.worker;
        if run != self.run {
            return Err(SealError::OtherRun {
                worker,
                found: run,
                run: self.run,
            });
        }
        let listed = self.segments.iter().find(|listed| listed.worker == worker);
        let listed = listed.ok_or(SealError::Unlisted { worker, run })?;
        if listed.records != found.records {
            return Err(SealError::Records {
                worker,
                found: found.records,
                listed: listed.records,
            });
        }
        if listed != found {
            return Err(SealError::Exchanged { worker });
        }
        Ok(())
    }

    /// Checks that each listed worker occurs once among `workers`, the segments that are there.
    ///
    /// # Errors
    ///
    /// [`SealError::Missing`] or [`SealError::Unlisted`].
    pub fn check_workers(&self, workers: &[u16]) -> Result<(), SealError> {
        let run = self.run;
        let listed = |worker: &u16| self.segments.iter().any(|listed| listed.worker == *worker);
        if let Some(worker) = workers.iter().find(|worker| !listed(worker)) {
            return Err(SealError::Unlisted { worker: *worker, run });
        }
        for SegmentSeal { worker, .. } in &self.segments {
            let found = workers.iter().filter(|other| *other == worker).count();
            if found != 1 {
                return Err(SealError::Missing {
                    worker: *worker,
                    found,
                    run,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Seal, SealError, SegmentSeal};

    fn segment(worker: u16) -> SegmentSeal {
        SegmentSeal {
            worker,
            records: 10,
            bytes: 1_000,
            hash: "ab".repeat(32),
            limit_hit: false,
        }
    }

    fn seal() -> Seal {
        Seal {
            run: 7,
            segments: vec![segment(0), segment(1)],
        }
    }

    #[track_caller]
    fn check(found: Result<(), SealError>, expected: &str) {
        assert_eq!(found.unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_sealed_segments_pass() {
        assert_eq!(seal().check(7, &segment(1)), Ok(()));
        assert_eq!(seal().check_workers(&[1, 0]), Ok(()));
    }

    #[test]
    fn another_run() {
        check(
            seal().check(8, &segment(1)),
            "the segment of worker 1 is of run 8, the seal is of run 7",
        );
    }

    #[test]
    fn another_worker() {
        check(
            seal().check(7, &segment(2)),
            "the seal of run 7 does not list worker 2",
        );
        check(
            seal().check_workers(&[0, 1, 2]),
            "the seal of run 7 does not list worker 2",
        );
    }

    #[test]
    fn missing_and_twice() {
        let hint = "copy the whole run folder";
        check(
            seal().check_workers(&[0]),
            &format!("the seal of run 7 lists one segment of worker 1, there are 0; {hint}"),
        );
        check(
            seal().check_workers(&[0, 1, 1]),
            &format!("the seal of run 7 lists one segment of worker 1, there are 2; {hint}"),
        );
    }

    #[test]
    fn another_number_of_records() {
        let found = SegmentSeal {
            records: 9,
            ..segment(0)
        };
        check(
            seal().check(7, &found),
            "the segment of worker 0 has 9 records, the seal lists 10",
        );
    }

    #[test]
    fn another_hash() {
        let found = SegmentSeal {
            hash: "cd".repeat(32),
            ..segment(0)
        };
        check(
            seal().check(7, &found),
            "the segment of worker 0 is not the one that was sealed: its last hash is another",
        );
    }
}
