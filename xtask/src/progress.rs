//! What is going on, on stderr: a live line on a terminal, plain lines elsewhere, nothing when asked to be quiet.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where progress goes; what is cloned from it goes there too.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    sink: Sink,
    began: Instant,
}

#[derive(Clone, Debug)]
enum Sink {
    Live(ProgressBar),
    Lines,
    Silent,
}

/// How often the live line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

impl Progress {
    /// Fitting for stderr as it is.
    pub(crate) fn new(quiet: bool) -> Self {
        let sink = if quiet {
            Sink::Silent
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{spinner} {elapsed:>4} {msg}"));
            bar.enable_steady_tick(TICK);
            Sink::Live(bar)
        } else {
            Sink::Lines
        };
        Self {
            sink,
            began: Instant::now(),
        }
    }

    /// A new stage begins.
    pub(crate) fn stage(&self, what: &str) {
        match &self.sink {
            Sink::Live(bar) => {
                bar.unset_length();
                bar.set_style(style("{spinner} {elapsed:>4} {msg}"));
                bar.set_message(what.to_owned());
            }
            Sink::Lines => self.line(what),
            Sink::Silent => {}
        }
    }

    /// `done` of `all`, within the stage; not worth a line of its own.
    pub(crate) fn step(&self, what: &str, done: u64, all: u64) {
        if let Sink::Live(bar) = &self.sink {
            if bar.length() != Some(all) {
                bar.set_length(all);
                bar.set_style(style("{spinner} {elapsed:>4} {msg} {bar:30} {pos}/{len}"));
            }
            bar.set_message(what.to_owned());
            bar.set_position(done);
        }
    }

    /// Something to remember: stays on the screen.
    pub(crate) fn note(&self, what: &str) {
        match &self.sink {
            Sink::Live(bar) => bar.suspend(|| to_stderr(what)),
            Sink::Lines => self.line(what),
            Sink::Silent => {}
        }
    }

    /// The live line goes.
    pub(crate) fn clear(&self) {
        if let Sink::Live(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }

    fn line(&self, what: &str) {
        to_stderr(&format!("[{:7.2} s] {what}", self.began.elapsed().as_secs_f64()));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Nobody can be told that stderr is gone.
fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
