//! The gateway: chat over WebSockets.

#[cfg(feature = "mutants")]
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use futures_util::future::BoxFuture;
use reference::config::{self, Ports, Shutdown};
use reference::gateway::{Replica, Settings};
use reference::http;
use reference::metrics::Metrics;
use reference::operator::Operator;

/// Serve chat over WebSockets; any number of replicas share one database
///
/// DATABASE_URL names the database, as a role without special rights.
#[derive(Parser)]
struct Arguments {
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    mutant: reference::mutant::Planting,
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    #[cfg(feature = "mutants")]
    if std::env::args().any(|argument| argument == "--list-mutants") {
        std::io::stdout().write_all(reference::mutant::list().as_bytes())?;
        return Ok(());
    }
    let arguments = Arguments::parse();
    config::trace_to_stderr();
    #[cfg(feature = "mutants")]
    let _tally = arguments
        .mutant
        .arm("gateway")
        .context("cannot open the record of the planted leak")?;
    let Arguments { ports, settings, .. } = arguments;
    let shutdown = Shutdown::on_signals()?;
    let metrics = Metrics::new();
    let url = config::database_url()?;
    let name = settings.replica.clone();
    let replica = Replica::start(settings, &url, Arc::clone(&metrics))
        .await
        .context("cannot start")?;
    let listeners = ports.listen().await?;
    listeners.announce()?;
    let checked = replica.clone();
    let health = move || -> BoxFuture<'static, Result<(), String>> {
        let replica = checked.clone();
        Box::pin(async move { replica.health().await })
    };
    let operator = Operator::new("gateway", metrics, Arc::new(health)).replica(name);
    let serve = async {
        tokio::join!(
            replica.serve(listeners.service, shutdown.clone()),
            http::serve(listeners.operator, operator.router(), shutdown.clone()),
        )
    };
    shutdown.clone().bound(serve).await;
    Ok(())
}
