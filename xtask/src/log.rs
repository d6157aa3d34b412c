//! What the composing thread records, as worker 0, and what it could not do.

use std::collections::BTreeSet;

use anyhow::Result;
use history::{At, Fact, Interval, RunHeader};
use session::{Clock, Recorded, Recorder};

use crate::run_dir::RunDir;
use crate::vigil::Vigil;

/// What worker 0 records, and what went wrong besides.
pub(crate) struct Log {
    pub(crate) clock: Clock,
    recorder: Recorder,
    flawed: bool,
    /// Services of which something could not be had: their doing if they are lost, else ours.
    blamed: BTreeSet<String>,
}

impl Log {
    /// Begins with the header.
    pub(crate) fn begin(run_dir: &RunDir, header: &RunHeader, clock: Clock) -> Result<Self> {
        let mut recorder = Recorder::create(run_dir.path(), header.run, 0)?;
        recorder.record(At::START, Fact::Run(Box::new(header.clone())));
        Ok(Self {
            clock,
            recorder,
            flawed: false,
            blamed: BTreeSet::new(),
        })
    }

    /// Records what happens now.
    pub(crate) fn record(&mut self, fact: Fact<'_>) {
        self.recorder.record(self.clock.now(), fact);
    }

    /// Records a stage that ends now.
    pub(crate) fn stage(&mut self, name: &str, from: At) {
        let to = self.clock.now();
        self.recorder.record(
            to,
            Fact::Stage {
                name: name.into(),
                during: Interval { from, to },
            },
        );
    }

    /// Records the services that were lost since the last time.
    pub(crate) fn note(&mut self, vigil: &mut Vigil<'_>) {
        for loss in vigil.take() {
            self.recorder.record(loss.at, loss.fact());
        }
    }

    /// What the harness could not do: in the history too, so that no verdict is valid for want of it.
    pub(crate) fn trouble(&mut self, what: String) {
        self.record(Fact::LimitHit { what: what.into() });
        self.flawed = true;
    }

    /// The outcome, or trouble.
    pub(crate) fn survive<T>(&mut self, doing: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(done) => Some(done),
            Err(error) => {
                self.trouble(format!("{doing} failed: {error:#}"));
                None
            }
        }
    }

    /// The outcome of what takes this service, or trouble if the service turns out to be well.
    pub(crate) fn survive_of<T>(&mut self, service: &str, doing: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(done) => Some(done),
            Err(error) => {
                let what = format!("{doing} failed: {error:#}").into();
                self.record(Fact::LimitHit { what });
                self.blamed.insert(service.to_owned());
                None
            }
        }
    }

    /// Services of which something could not be had.
    pub(crate) fn blamed(&self) -> &BTreeSet<String> {
        &self.blamed
    }

    /// Decides who is to blame, now that it is known who is lost.
    pub(crate) fn settle(&mut self, vigil: &Vigil<'_>) {
        self.flawed |= self.blamed.iter().any(|service| !vigil.lacks(service));
    }

    /// What was recorded, and whether there was trouble.
    pub(crate) fn finish(self) -> (Recorded, bool) {
        (self.recorder.finish(), self.flawed)
    }
}
