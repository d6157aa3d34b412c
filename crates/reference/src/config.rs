//! What all processes share: their ports, their signals, their log, and who they may be in the database.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// How long a process may take to end in order after SIGTERM; the protocol promises two seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// Why a process could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An address could not be bound.
    #[error("cannot bind {addr} for the {port} port")]
    Bind {
        /// Which port: `service` or `operator`.
        port: &'static str,
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The ports file could not be written.
    #[error("cannot write the ports file {}", path.display())]
    PortsFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A signal handler could not be installed.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// An environment variable is missing.
    #[error("the environment variable {name} is not set; it must hold {hint}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it is to hold.
        hint: &'static str,
    },
    /// The database role could see every row whatever the policies say.
    #[error(
        "the database role {role} is {fault}; row-level security would not bind it, use an ordinary role"
    )]
    RoleTooStrong {
        /// The role that this process connects as.
        role: String,
        /// `a superuser` or `allowed to bypass row-level security`.
        fault: &'static str,
    },
}

/// Where a process listens, and where it says so.
#[derive(Clone, Debug, clap::Args)]
pub struct Ports {
    /// Address of the service
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub bind: SocketAddr,
    /// Address of the operator port
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub operator_bind: SocketAddr,
    /// File to write the bound addresses to, once bound
    #[arg(long, value_name = "PATH")]
    pub ports_file: Option<PathBuf>,
}

impl Ports {
    /// Binds both ports.
    ///
    /// # Errors
    /// [`ConfigError::Bind`].
    pub async fn listen(&self) -> Result<Listeners, ConfigError> {
        let (service, service_addr) = bind("service", self.bind).await?;
        let (operator, operator_addr) = bind("operator", self.operator_bind).await?;
        let ports_file = self.ports_file.clone();
        Ok(Listeners {
            service,
            service_addr,
            operator,
            operator_addr,
            ports_file,
        })
    }
}

async fn bind(port: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ConfigError> {
    let fault = |source| ConfigError::Bind { port, addr, source };
    let listener = TcpListener::bind(addr).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    Ok((listener, bound))
}

/// Both bound ports of a process.
#[derive(Debug)]
pub struct Listeners {
    /// The service's listener.
    pub service: TcpListener,
    /// Its address.
    pub service_addr: SocketAddr,
    /// The operator port's listener.
    pub operator: TcpListener,
    /// Its address.
    pub operator_addr: SocketAddr,
    ports_file: Option<PathBuf>,
}

impl Listeners {
    /// Writes the ports file, if one was asked for. Whoever reads it finds it whole: it is renamed into place.
    ///
    /// # Errors
    /// [`ConfigError::PortsFile`].
    pub fn announce(&self) -> Result<(), ConfigError> {
        tracing::info!(bind = %self.service_addr, operator = %self.operator_addr, "listening");
        let Some(path) = &self.ports_file else {
            return Ok(());
        };
        let ports = json!({ "bind": self.service_addr, "operator": self.operator_addr });
        write_whole(path, &ports.to_string()).map_err(|source| ConfigError::PortsFile {
            path: path.clone(),
            source,
        })
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}

/// The wish that this process ends; every copy sees it.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Requests a [`Shutdown`]; dropping it requests it too.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    /// Requests the end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that the program requests by itself.
    #[must_use]
    pub fn manual() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownTrigger(sender), Self(receiver))
    }

    /// A shutdown that SIGTERM or SIGINT requests.
    ///
    /// # Errors
    /// [`ConfigError::Signals`] when the handlers cannot be installed.
    pub fn on_signals() -> Result<Self, ConfigError> {
        let (trigger, shutdown) = Self::manual();
        let mut terminate = signal(SignalKind::terminate()).map_err(ConfigError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ConfigError::Signals)?;
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "shutting down");
            trigger.request();
        });
        Ok(shutdown)
    }

    /// Waits until the end is requested.
    pub async fn requested(&mut self) {
        // an error means that the trigger is gone: nobody is left to keep this process alive
        let _ = self.0.wait_for(|requested| *requested).await;
    }

    /// Whether the end is requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Runs `work` to its end, but no longer than [`SHUTDOWN_GRACE`] after the end was requested; `None` if it had to be cut off.
    pub async fn bound<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        let overdue = async {
            self.requested().await;
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            done = work => Some(done),
            () = overdue => {
                tracing::warn!(grace_ms = SHUTDOWN_GRACE.as_millis(), "cut off what had not ended in time");
                None
            }
        }
    }
}

/// Sends the log to stderr, at `info` unless `RUST_LOG` says otherwise.
pub fn trace_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
}

/// The database's URL, from `DATABASE_URL`: never an argument, which every user of the machine could read.
///
/// # Errors
/// [`ConfigError::Missing`].
pub fn database_url() -> Result<String, ConfigError> {
    let missing = ConfigError::Missing {
        name: "DATABASE_URL",
        hint: "a postgresql:// URL",
    };
    std::env::var("DATABASE_URL").map_err(|_| missing)
}

/// Asks the database for the rights of the connected role and of all roles it could become: one row of
/// `role text, superuser bool, bypassrls bool`. Hand the row to [`refuse_strong_role`].
pub const ROLE_RIGHTS_SQL: &str = "SELECT session_user::text AS role, \
     coalesce(bool_or(rolsuper), false) AS superuser, coalesce(bool_or(rolbypassrls), false) AS bypassrls \
     FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')";

/// Refuses a role that row-level security does not bind.
///
/// # Errors
/// [`ConfigError::RoleTooStrong`].
pub fn refuse_strong_role(role: &str, superuser: bool, bypassrls: bool) -> Result<(), ConfigError> {
    let fault = match (superuser, bypassrls) {
        (true, _) => "a superuser",
        (false, true) => "allowed to bypass row-level security",
        (false, false) => return Ok(()),
    };
    Err(ConfigError::RoleTooStrong {
        role: role.to_owned(),
        fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ports_file_names_what_was_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ports.json");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let ports = Ports {
            bind: any,
            operator_bind: any,
            ports_file: Some(path.clone()),
        };
        let listeners = ports.listen().await.expect("loopback has free ports");
        listeners.announce().expect("the folder can be written");
        let found: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        assert_eq!(
            found,
            json!({"bind": listeners.service_addr, "operator": listeners.operator_addr})
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            1,
            "nothing temporary stays"
        );

        let taken = Ports {
            bind: listeners.service_addr,
            ..ports
        };
        let refused = taken.listen().await.expect_err("the port is taken");
        let expect = format!("cannot bind {} for the service port", listeners.service_addr);
        assert_eq!(refused.to_string(), expect);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cut_off_when_its_grace_is_over() {
        let (stop, shutdown) = Shutdown::manual();
        assert_eq!(shutdown.clone().bound(async { 7 }).await, Some(7));
        assert!(!shutdown.is_requested());
        stop.request();
        assert!(shutdown.is_requested());
        let requested = tokio::time::Instant::now();
        assert_eq!(shutdown.clone().bound(std::future::pending::<()>()).await, None);
        assert_eq!(requested.elapsed(), SHUTDOWN_GRACE);
        let last_breath = async { tokio::time::sleep(SHUTDOWN_GRACE / 2).await };
        assert_eq!(shutdown.bound(last_breath).await, Some(()));
    }

    #[tokio::test]
    async fn a_dropped_trigger_is_a_request() {
        let (stop, mut shutdown) = Shutdown::manual();
        drop(stop);
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
