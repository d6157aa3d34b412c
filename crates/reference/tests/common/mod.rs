//! A private PostgreSQL for one test: started in a temporary folder, on a Unix socket, gone when dropped.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reference::schema::{self, Roles};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Accounts to try when the test runs as root, which PostgreSQL refuses.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// A running cluster with a migrated database and the roles of the services.
pub(crate) struct Cluster {
    folder: TempDir,
    server: Child,
}

impl Cluster {
    /// Starts a cluster, makes the roles, applies the migrations and grants.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("xt")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder for the data");
        hand_over(folder.path(), &data);
        initialise(&data);
        let server = serve(folder.path(), &data);
        let mut cluster = Self { folder, server };
        let mut owner = cluster.ready().await;
        for statement in [
            "create role auth login",
            "create role gateway login",
            "create role audit login",
            "create role owner login",
            "create role mighty login bypassrls",
            "create database chat owner owner",
        ] {
            owner.execute(statement).await.expect(statement);
        }
        cluster.migrate().await.expect("the migrations apply");
        cluster
    }

    /// Applies the migrations and grants, again if need be.
    pub(crate) async fn migrate(&self) -> Result<(), schema::SchemaError> {
        let roles = Roles {
            auth_role: "auth".into(),
            gateway_role: "gateway".into(),
            audit_role: "audit".into(),
        };
        schema::migrate(&self.url("owner"), &roles).await
    }

    /// The migrated database's URL for a role: `auth`, `gateway`, `audit`, `owner`, `mighty` or the superuser `root`.
    pub(crate) fn url(&self, role: &str) -> String {
        self.url_of(role, "chat")
    }

    /// A connection as that role.
    pub(crate) async fn connect(&self, role: &str) -> PgConnection {
        PgConnection::connect(&self.url(role))
            .await
            .expect("the cluster takes connections")
    }

    fn url_of(&self, role: &str, database: &str) -> String {
        format!(
            "postgresql:///{database}?host={}&user={role}",
            self.folder.path().display()
        )
    }

    async fn ready(&mut self) -> PgConnection {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            match PgConnection::connect(&self.url_of("root", "postgres")).await {
                Ok(connection) => return connection,
                Err(error) => {
                    let ended = self.server.try_wait().expect("the server can be waited for");
                    assert!(ended.is_none(), "postgres ended ({ended:?}): {}", self.log());
                    assert!(
                        Instant::now() < deadline,
                        "postgres is not ready: {error}: {}",
                        self.log()
                    );
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the server logged so far: warnings and errors.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let id = self.server.id().to_string();
        // SIGQUIT is PostgreSQL's immediate shutdown: its backends go too
        let _ = Command::new("kill").args(["-QUIT", &id]).status();
        let _ = self.server.wait();
    }
}

fn initialise(data: &Path) {
    let arguments = [
        "--username=root",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ];
    let made = program("initdb")
        .args(arguments)
        .arg("-D")
        .arg(data)
        .stdin(Stdio::null())
        .output();
    let made = made.expect("initdb is on PATH: these tests need PostgreSQL's programs (postgres, initdb)");
    assert!(
        made.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

fn serve(folder: &Path, data: &Path) -> Child {
    let log = std::fs::File::create(folder.join("log")).expect("a log file");
    program("postgres")
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(folder)
        .args([
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=60",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres is on PATH: these tests need PostgreSQL's programs (postgres, initdb)")
}

/// A PostgreSQL program, run by an unprivileged account when we are root.
fn program(name: &str) -> Command {
    let Some(account) = account() else {
        return Command::new(name);
    };
    let mut command = Command::new("setpriv");
    command.args([
        format!("--reuid={account}"),
        format!("--regid={}", group(account)),
    ]);
    command.args(["--clear-groups", "--"]).arg(on_path(name));
    command
}

/// Gives the folders to the account that PostgreSQL runs as.
fn hand_over(folder: &Path, data: &Path) {
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("permissions can be set");
    std::fs::set_permissions(data, PermissionsExt::from_mode(0o700)).expect("permissions can be set");
    if let Some(account) = account() {
        let given = Command::new("chown").arg("-R").arg(account).arg(folder).status();
        assert!(
            given.is_ok_and(|status| status.success()),
            "{} cannot be given to {account}",
            folder.display()
        );
    }
}

fn account() -> Option<&'static str> {
    if id(&["-u"]) != "0" {
        return None;
    }
    let account = ACCOUNTS
        .into_iter()
        .find(|account| !id(&["-u", account]).is_empty());
    Some(account.expect("running as root needs an unprivileged account: postgres or nobody"))
}

fn group(account: &str) -> String {
    id(&["-g", account])
}

fn id(arguments: &[&str]) -> String {
    let output = Command::new("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .expect("id is on PATH");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH: these tests need PostgreSQL's programs"))
}
