//! A private PostgreSQL, reached by a socket only, gone with its handle.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dbpool::Stress;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio_postgres::{Client, NoTls};

/// Longest that the server may take to answer.
const START_MAX: Duration = Duration::from_secs(60);

pub struct Cluster {
    folder: tempfile::TempDir,
    server: Child,
}

impl Cluster {
    /// With the roles `owner` (superuser), `worker`, and `spare`, which `worker` is a member of.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("xt-pg-")
            .tempdir()
            .expect("a temporary folder");
        let data = folder.path().join("data");
        if let Some((uid, gid)) = account() {
            chown(folder.path(), Some(uid), Some(gid)).expect("the folder is ours to give");
        }
        let initdb = unprivileged("initdb", folder.path())
            .args([
                "-U",
                "owner",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .expect("initdb is on PATH");
        assert!(
            initdb.status.success(),
            "{}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        let server = unprivileged("postgres", folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=40",
                "-k",
            ])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is on PATH");
        let cluster = Self { folder, server };
        let owner = cluster.connect_in_time().await;
        let roles = "CREATE ROLE spare; CREATE ROLE worker LOGIN IN ROLE spare";
        owner.batch_execute(roles).await.expect("roles can be made");
        cluster
    }

    pub fn url(&self, role: &str) -> String {
        format!(
            "postgres://{role}@/postgres?host={}",
            self.folder.path().display()
        )
    }

    pub fn stress(&self) -> Stress {
        Stress::new(self.url("owner"), self.url("worker"))
    }

    pub async fn connect(&self, role: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(role), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn connect_in_time(&self) -> Client {
        let late = Instant::now() + START_MAX;
        loop {
            match self.connect("owner").await {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < late, "no answer within {START_MAX:?}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An immediate shutdown: the data goes anyway.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let _ = self.server.wait();
    }
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some((uid, gid)) = account() {
        command.uid(uid).gid(gid);
    }
    command
}

/// User and group to drop to; `None` unless root.
fn account() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("accounts can be read");
    let find = |name: &str| {
        let mut fields = accounts
            .lines()
            .map(|line| line.split(':'))
            .find(|line| line.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("an unprivileged account exists"),
    )
}
