//! The agent: replies to messages.

use std::sync::Arc;

use clap::Parser;
use reference::agent::batch::Batching;
use reference::agent::server;
use reference::config::{self, Ports, Shutdown};
use reference::http;
use reference::metrics::Metrics;
use reference::operator::Operator;

/// Reply to messages, streamed, in batches
#[derive(Parser)]
struct Arguments {
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    mutant: reference::mutant::Planting,
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    batching: Batching,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    config::trace_to_stderr();
    #[cfg(feature = "mutants")]
    let _tally = arguments.mutant.arm("agent")?;
    let shutdown = Shutdown::on_signals()?;
    let metrics = Metrics::new();
    let operator = Operator::new(
        "agent",
        Arc::clone(&metrics),
        Arc::new(|| Box::pin(async { Ok(()) })),
    );
    let listeners = arguments.ports.listen().await?;
    listeners.announce()?;
    let serve = async {
        tokio::join!(
            server::serve(listeners.service, arguments.batching, metrics, shutdown.clone()),
            http::serve(listeners.operator, operator.router(), shutdown.clone()),
        )
    };
    shutdown.clone().bound(serve).await;
    Ok(())
}
