//! The auth service: accounts, sessions, tokens.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use reference::auth::{self, Auth, PasswordCost, Settings};
use reference::config::{self, Ports, Shutdown};
use reference::http;
use reference::metrics::Metrics;
use reference::operator::Operator;
use reference::token::SigningKey;

/// Register users, log them in, sign their tokens
///
/// DATABASE_URL names the database, as a role without special rights.
#[derive(Parser)]
struct Arguments {
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    mutant: reference::mutant::Planting,
    #[command(flatten)]
    ports: Ports,
    /// `iss` of the tokens
    #[arg(long, value_name = "TEXT")]
    issuer: String,
    /// `aud` of the tokens
    #[arg(long, value_name = "TEXT")]
    audience: String,
    /// Longest life of an access token, in seconds
    #[arg(long, default_value_t = 900, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    access_ttl_s: u64,
    #[command(flatten)]
    password_cost: PasswordCost,
    /// Connections to the database
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pool_size: u32,
    /// Connections of clients at once
    #[arg(long, default_value_t = http::CONNECTIONS_MAX, value_name = "N")]
    connections_max: usize,
    /// Key that signs the tokens (PEM, PKCS#8, P-256), made there if it is not there; without it a new one is made at every start
    #[arg(long, value_name = "PATH")]
    signing_key: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    config::trace_to_stderr();
    #[cfg(feature = "mutants")]
    let _tally = arguments.mutant.arm("auth")?;
    let shutdown = Shutdown::on_signals()?;
    let metrics = Metrics::new();
    let settings = Settings {
        issuer: arguments.issuer,
        audience: arguments.audience,
        access_ttl: Duration::from_secs(arguments.access_ttl_s),
        password_cost: arguments.password_cost,
        pool_size: arguments.pool_size,
    };
    let key = signing_key(arguments.signing_key.as_deref())?;
    let url = config::database_url()?;
    let auth = Auth::start(&url, settings, key, Arc::clone(&metrics))
        .await
        .context("cannot start")?;
    let listeners = arguments.ports.listen().await?;
    listeners.announce()?;
    let health = Arc::clone(&auth);
    let health = move || -> futures_util::future::BoxFuture<'static, _> {
        let auth = Arc::clone(&health);
        Box::pin(async move { auth.health().await })
    };
    let operator = Operator::new("auth", metrics, Arc::new(health));
    let serve = async {
        tokio::join!(
            http::serve_within(
                arguments.connections_max,
                listeners.service,
                auth::router(Arc::clone(&auth)),
                shutdown.clone()
            ),
            http::serve(listeners.operator, operator.router(), shutdown.clone()),
        );
        auth.close().await;
    };
    tokio::select! {
        _ = shutdown.clone().bound(serve) => Ok(()),
        () = auth.prune() => Ok(()),
    }
}

fn signing_key(path: Option<&Path>) -> anyhow::Result<SigningKey> {
    let Some(path) = path else {
        return Ok(SigningKey::generate()?);
    };
    let pem = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => write_key(path)?,
        read => read.with_context(|| format!("cannot read the signing key {}", path.display()))?,
    };
    SigningKey::from_pem(&pem).with_context(|| format!("cannot use the signing key {}", path.display()))
}

/// Makes a key and writes it to `path`, which nobody else may read.
fn write_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let pem = SigningKey::new_pem()?.into_bytes();
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(&pem))
        .with_context(|| format!("cannot write the signing key {}", path.display()))?;
    Ok(pem)
}
