//! SIGINT and SIGTERM: the first asks for an orderly stop, the second ends the process at once.
//!
//! Ending at once leaves nothing behind either: the guard process sees the harness go and ends every service.

use anyhow::{Context as _, Result};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Exit, Signal};

/// Listens from now on; the receiver holds the first signal.
pub(crate) fn listen(runtime: &Handle) -> Result<watch::Receiver<Option<Signal>>> {
    let _context = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let (sender, receiver) = watch::channel(None);
    runtime.spawn(async move {
        loop {
            let seen = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                else => return,
            };
            if sender.borrow().is_some() {
                std::process::exit(i32::from(Exit::Interrupted(seen).code()));
            }
            sender.send_replace(Some(seen));
        }
    });
    Ok(receiver)
}
