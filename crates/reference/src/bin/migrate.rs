//! Brings the database's schema and the services' rights up to date. Run it as the database's owner.

use anyhow::Context as _;
use clap::Parser;
use reference::config;
use reference::schema::{self, Roles};

/// Apply the migrations, then grant the services' roles their rights
///
/// DATABASE_URL names the database, as its owner.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    roles: Roles,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    config::trace_to_stderr();
    let url = config::database_url()?;
    schema::migrate(&url, &arguments.roles)
        .await
        .context("the database was not brought up to date")
}
