//! SIGINT, SIGTERM and SIGHUP (the terminal is gone): the first asks for an orderly stop, the second ends the process at once.
//! Whoever starts us with SIGHUP ignored, as `nohup` does, wants us to live on.
//!
//! Ending at once leaves nothing behind either: the guard process sees the harness go and ends every service.

use anyhow::{Context as _, Result};
use rustix::process::{Pid, kill_process_group};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::exit::{Exit, Signal};

/// Whether a signal came.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    signal: watch::Receiver<Option<Signal>>,
    raised: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on. Call it inside a tokio runtime that has other threads to run it.
    pub(crate) fn listen() -> Result<Self> {
        let heeded = !hangup_is_ignored();
        let streams = Streams {
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            hangup: heeded
                .then(|| signal(SignalKind::hangup()).context("cannot listen for SIGHUP"))
                .transpose()?,
        };
        let (signals, signal) = watch::channel(None);
        let (raise, raised) = watch::channel(false);
        tokio::spawn(relay(streams, signals, raise));
        Ok(Self { signal, raised })
    }

    /// The first signal, if one came.
    pub(crate) fn seen(&self) -> Option<Signal> {
        *self.signal.borrow()
    }

    /// Resolves with the first signal.
    pub(crate) async fn came(&self) -> Signal {
        let mut signal = self.signal.clone();
        match signal.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }

    /// Has SIGTERM sent to a process group when a signal comes, until the answer is dropped.
    pub(crate) fn ends_group(&self, leader: u32) -> Leash {
        let group = i32::try_from(leader).ok().and_then(Pid::from_raw);
        let interrupt = self.clone();
        let held = tokio::spawn(async move {
            interrupt.came().await;
            end(group);
        });
        Leash { group, held }
    }

    /// The same as a flag.
    pub(crate) fn flag(&self) -> watch::Receiver<bool> {
        self.raised.clone()
    }
}

/// See [`Interrupt::ends_group`].
#[derive(Debug)]
pub(crate) struct Leash {
    group: Option<Pid>,
    held: JoinHandle<()>,
}

impl Leash {
    /// Has it end now.
    pub(crate) fn pull(&self) {
        end(self.group);
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.held.abort();
    }
}

fn end(group: Option<Pid>) {
    if let Some(group) = group {
        // it may have ended by itself just now
        let _ = kill_process_group(group, rustix::process::Signal::TERM);
    }
}

struct Streams {
    interrupt: Stream,
    terminate: Stream,
    hangup: Option<Stream>,
}

impl Streams {
    async fn next(&mut self) -> Option<Signal> {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = self.interrupt.recv() => Some(Signal::Interrupt),
            Some(()) = self.terminate.recv() => Some(Signal::Terminate),
            Some(()) = hangup => Some(Signal::HangUp),
            else => None,
        }
    }
}

async fn relay(mut streams: Streams, signals: watch::Sender<Option<Signal>>, raise: watch::Sender<bool>) {
    while let Some(seen) = streams.next().await {
        if signals.borrow().is_some() {
            std::process::exit(i32::from(Exit::Interrupted(seen).code()));
        }
        signals.send_replace(Some(seen));
        raise.send_replace(true);
    }
}

/// What we were started with; where the system does not say, nobody has asked for it.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, rustix::process::Signal::HUP.as_raw())
}

/// The line `SigIgn` is a mask in hexadecimal, in which the lowest bit is signal 1.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\txtask\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2));
        assert!(!ignores("", 1));
    }
}
