//! A private cluster: a copy of the template in a short temporary folder, a server on a Unix socket in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Client;

use super::fetch::{self, Fetched};
use super::find::{self, Installation};
use super::server::{Server, random_password, run_sql};
use super::template::Template;
use super::{Postgres, PostgresConfig, PostgresSource, settings, tree};
use crate::error::at;
use crate::{Account, Error, Guard, Kept, Launch, Leftover, Looked, Process, Signal, StopStep};

/// How long the server may take until it answers.
const ANSWER: Duration = Duration::from_secs(20);
/// Stopping: *fast* (rolls back, then ends in order), then *immediate* (ends), then SIGKILL.
const STOP: [StopStep; 2] = [
    StopStep {
        signal: Signal::Int,
        grace: Duration::from_secs(5),
    },
    StopStep {
        signal: Signal::Quit,
        grace: Duration::from_secs(3),
    },
];
/// The port names the socket; nothing listens on the network.
const PORT: u16 = 5432;
/// The longest path of a Unix socket.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The server's process.
pub(super) struct Cluster {
    pub(super) process: Process,
}

pub(super) async fn start(
    config: &PostgresConfig,
    guard: &Guard,
    progress: &mut impl FnMut(&str),
) -> Result<Postgres, Error> {
    let account = Account::unprivileged()?;
    let (folder, leftovers) = make_folder(config, account.as_ref(), guard).await?;
    let installation = binaries(config, account.as_ref(), &folder, guard, progress).await?;
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

    let notes = notes(&installation, account.as_ref());
    Ok(Postgres {
        server,
        admin,
        prefix: String::new(),
        cluster: Some(Cluster { process }),
        leftovers,
        notes,
    })
}

/// Binaries from where the configuration says.
async fn binaries(
    config: &PostgresConfig,
    account: Option<&Account>,
    workplace: &Path,
    guard: &Guard,
    progress: &mut impl FnMut(&str),
) -> Result<Installation, Error> {
    let missing = |reason: &str, looked| Error::PostgresMissing {
        reason: reason.to_owned(),
        looked: Looked(looked),
        hint: find::how_to_install(),
    };
    let mut looked = match &config.source {
        PostgresSource::BinDir(bin) => match find::usable(bin, "chosen", account).await {
            Ok(found) => return Ok(found),
            Err(why) => return Err(missing("the chosen folder will not do", vec![why])),
        },
        PostgresSource::Fetched => vec!["installed ones were not looked for".to_owned()],
        _ => match find::installed(account).await {
            Ok(found) => return Ok(found),
            Err(wrong) if wrong.is_empty() => vec!["none is on PATH or in the usual folders".to_owned()],
            Err(wrong) => wrong,
        },
    };
    let logs = config.log.parent().unwrap_or(&config.run_dir);
    match fetch::fetched(&config.cache_dir, logs, config.offline, guard, progress).await {
        Ok(fetched) => match within_reach(fetched, workplace, account).await {
            Ok(found) => return Ok(found),
            Err(why) => looked.push(why),
        },
        Err(wrong) => looked.extend(wrong),
    }
    Err(missing("none is installed, and none could be fetched", looked))
}

/// Fetched binaries as the account can run them: from a copy of its own if it cannot enter the cache.
async fn within_reach(
    fetched: Fetched,
    workplace: &Path,
    account: Option<&Account>,
) -> Result<Installation, String> {
    let there = find::usable(&fetched.bin, &fetched.origin, account).await;
    let (Err(why), Some(account)) = (&there, account) else {
        return there;
    };
    let copy = workplace.join("postgresql");
    let copied = tree::copy(&fetched.folder, &copy, Some(account));
    copied.map_err(|error| format!("{why}; no copy in {}: {error}", copy.display()))?;
    let bin = fetched.bin.strip_prefix(&fetched.folder).unwrap_or(&fetched.bin);
    find::usable(&copy.join(bin), &fetched.origin, Some(account)).await
}

/// A new folder, as short as can be, that the account owns; linked from the run's folder.
async fn make_folder(
    config: &PostgresConfig,
    account: Option<&Account>,
    guard: &Guard,
) -> Result<(PathBuf, Vec<Kept>), Error> {
    let root = short_root(account);
    let made = tempfile::Builder::new().prefix("ct-").tempdir_in(&root);
    let folder = made.map_err(at("create a folder in", &root))?.keep();
    let mut leftovers = vec![guard.keep(Leftover::Path(folder.clone())).await?];
    tree::own(&folder, account).map_err(at("give away", &folder))?;
    let socket = folder.join(format!(".s.PGSQL.{PORT}"));
    let bytes = socket.as_os_str().len();
    if bytes > SOCKET_PATH_MAX {
        return Err(Error::SocketPathTooLong {
            path: socket,
            bytes,
            limit: SOCKET_PATH_MAX,
        });
    }

    fs::create_dir_all(&config.run_dir).map_err(at("create the folder", &config.run_dir))?;
    if let Some(logs) = config.log.parent() {
        fs::create_dir_all(logs).map_err(at("create the folder", logs))?;
    }
    let link = config.run_dir.join("postgres");
    symlink(&folder, &link).map_err(at("make the link", &link))?;
    leftovers.push(guard.keep(Leftover::Path(link)).await?);
    Ok((folder, leftovers))
}

/// The temporary folder of the environment, unless its name is long or the account cannot get there.
fn short_root(account: Option<&Account>) -> PathBuf {
    let chosen = std::env::temp_dir();
    let room = "/ct-abcdef/.s.PGSQL.5432".len();
    let short = chosen.as_os_str().len() + room <= SOCKET_PATH_MAX;
    if short && (account.is_none() || anybody_can_enter(&chosen)) {
        chosen
    } else {
        "/tmp".into()
    }
}

fn anybody_can_enter(folder: &Path) -> bool {
    let open = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    };
    folder.is_absolute() && folder.ancestors().all(open)
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

fn notes(installation: &Installation, account: Option<&Account>) -> Vec<String> {
    let Installation { bin, version, origin } = installation;
    let whose = account.map_or_else(String::new, |account| format!(", run as {}", account.name));
    vec![
        format!("PostgreSQL {version}, {origin}, from {}{whose}", bin.display()),
        "a private cluster of this run: Unix socket only, scram-sha-256".to_owned(),
        settings::DURABILITY.to_owned(),
    ]
}
