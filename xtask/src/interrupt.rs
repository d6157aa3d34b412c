//! SIGINT and SIGTERM: the first asks for an orderly stop, the second ends the process at once.
//!
//! Ending at once leaves nothing behind either: the guard process sees the harness go and ends every service.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::watch;

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
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let (signals, signal) = watch::channel(None);
        let (raise, raised) = watch::channel(false);
        tokio::spawn(relay(interrupt, terminate, signals, raise));
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

    /// The same as a flag.
    pub(crate) fn flag(&self) -> watch::Receiver<bool> {
        self.raised.clone()
    }
}

async fn relay(
    mut interrupt: Stream,
    mut terminate: Stream,
    signals: watch::Sender<Option<Signal>>,
    raise: watch::Sender<bool>,
) {
    loop {
        let seen = tokio::select! {
            Some(()) = interrupt.recv() => Signal::Interrupt,
            Some(()) = terminate.recv() => Signal::Terminate,
            else => return,
        };
        if signals.borrow().is_some() {
            std::process::exit(i32::from(Exit::Interrupted(seen).code()));
        }
        signals.send_replace(Some(seen));
        raise.send_replace(true);
    }
}
