//! A private cluster: a copy of the template in a short temporary folder, a server on a Unix socket in it.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::Client;

use super::find::Installation;
use super::server::{Server, random_password, run_sql};
use super::template::Template;
use super::{Postgres, PostgresConfig, binaries, folder, settings};
use crate::{Account, Error, Guard, Launch, Leftover, Process, Signal, StopStep};

/// How long the server may take until it answers.
const ANSWER: Duration = Duration::from_secs(20);
/// Stopping: *immediate*, since what an orderly end would write is thrown away with the cluster; then SIGKILL. PostgreSQL itself
/// gives its children five seconds.
const STOP: [StopStep; 1] = [StopStep {
    signal: Signal::Quit,
    grace: Duration::from_secs(7),
}];
/// The port names the socket; nothing listens on the network.
pub(super) const PORT: u16 = 5432;

pub(super) async fn start(
    config: &PostgresConfig,
    guard: &Guard,
    progress: &mut impl FnMut(&str),
) -> Result<Postgres, Error> {
    let account = Account::unprivileged()?;
    let (folder, mut leftovers) = folder::make(config, account.as_ref(), guard).await?;
    let installation = binaries::choose(config, account.as_ref(), &folder, guard, progress).await?;
    let template = Template::of(
        &installation,
        &config.cache_dir,
        &folder,
        account.as_ref(),
        guard,
        progress,
    )
    .await?;
    let data = folder.join("data");
    template.copy_to(&data, account.as_ref()).await?;

    leftovers.push(guard.keep(Leftover::SharedMemory(data.clone())).await?);
    let process = guard
        .spawn(launch(config, &installation, &folder, &data, account.as_ref()))
        .await?;
    let mut server = Server {
        host: folder.display().to_string(),
        port: PORT,
        admin: settings::SUPERUSER.into(),
        password: Some(template.password()?),
        maintenance: "postgres".into(),
    };
    let admin = answering(&process, &server).await?;
    let password = random_password();
    let sql = format!("ALTER ROLE {} PASSWORD '{password}'", settings::SUPERUSER);
    run_sql(&admin, "change the superuser's password", &sql).await?;
    server.password = Some(password);

    let notes = notes(&installation, &folder, account.as_ref());
    Ok(Postgres {
        server,
        admin,
        prefix: String::new(),
        process: Some(process),
        leftovers,
        notes,
    })
}

fn launch(
    config: &PostgresConfig,
    installation: &Installation,
    folder: &Path,
    data: &Path,
    account: Option<&Account>,
) -> Launch {
    let connections = config.connections.saturating_add(settings::RESERVED);
    let mut launch = Launch::new("postgres", installation.bin.join("postgres"), &config.log)
        .arg("-D")
        .arg(data)
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .arg("-c")
        .arg(format!("max_connections={connections}"))
        .arg("-c")
        .arg(format!("superuser_reserved_connections={}", settings::RESERVED))
        .env("LC_ALL", "C")
        .account(account.cloned())
        .cwd(folder)
        .stop(STOP)
        .tier(0);
    for (name, value) in settings::SERVER {
        launch = launch.arg("-c").arg(format!("{name}={value}"));
    }
    launch
}

async fn answering(process: &Process, server: &Server) -> Result<Client, Error> {
    let ask = || async { server.connect().await.map_err(|error| chain(&error)) };
    process.until("it answered as its superuser", ANSWER, ask).await
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn notes(installation: &Installation, folder: &Path, account: Option<&Account>) -> Vec<String> {
    let Installation { bin, version, origin } = installation;
    let whose = account.map_or_else(String::new, |account| format!(", run as {}", account.name));
    vec![
        format!("PostgreSQL {version}, {origin}, from {}{whose}", bin.display()),
        format!(
            "a private cluster in {}: Unix socket only, scram-sha-256",
            folder.display()
        ),
        settings::DURABILITY.to_owned(),
    ]
}
