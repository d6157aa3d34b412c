//! A private PostgreSQL for as long as standard input is open: `scratch-postgres CACHE_DIR RUN_DIR`.
//!
//! It prints one line of JSON (`guard` and `postgres`: process ids; `folder`; `url` of the database `scratch`) and
//! leaves nothing behind, however it ends.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use services::{Guard, GuardSpec, Postgres, PostgresConfig, PostgresSource, RoleOptions};
use tokio::io::AsyncReadExt;

fn main() -> Result<ExitCode> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match args.as_slice() {
        [mode] if mode == "guard" => Ok(services::guard::run()),
        [cache_dir, run_dir] => {
            let mut config = PostgresConfig::new(cache_dir, run_dir);
            config.source = PostgresSource::from_env();
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(hold(config))?;
            // The reader of standard input may still be blocked in it.
            runtime.shutdown_background();
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            writeln!(io::stderr(), "usage: scratch-postgres CACHE_DIR RUN_DIR")?;
            Ok(ExitCode::from(2))
        }
    }
}

async fn hold(config: PostgresConfig) -> Result<()> {
    std::fs::create_dir_all(&config.run_dir).context("cannot create the run's folder")?;
    let spec = GuardSpec {
        program: std::env::current_exe()?,
        args: vec!["guard".into()],
        log: config.run_dir.join("guard.log"),
    };
    let guard = Guard::start(spec).await?;
    let held = serve(config, &guard).await;
    let farewell = guard.stop().await?;
    held?;
    anyhow::ensure!(
        farewell.problems.is_empty(),
        "left behind: {}",
        farewell.problems.join("; ")
    );
    Ok(())
}

/// Until standard input ends, or Ctrl-C.
async fn serve(config: PostgresConfig, guard: &Guard) -> Result<()> {
    let link = config.run_dir.join("postgres");
    let postgres = Postgres::start(config, guard, |line| drop(writeln!(io::stderr(), "{line}"))).await?;
    let owner = postgres.create_role("scratch", RoleOptions::default()).await?;
    let database = postgres.create_database("scratch", &owner).await?;
    let facts = serde_json::json!({
        "guard": guard.pid(),
        "postgres": postgres.process().map(services::Process::pid),
        "folder": std::fs::read_link(link).ok(),
        "url": postgres.url(&owner, &database),
    });
    writeln!(io::stdout(), "{facts}")?;

    tokio::select! {
        _ = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(postgres.stop().await?)
}
