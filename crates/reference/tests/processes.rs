//! The binaries as processes: ports, health, signals, refusals.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::Cluster;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(20);
const AUTH: [&str; 8] = [
    "--issuer",
    "iss",
    "--audience",
    "aud",
    "--argon2-memory-kib",
    "64",
    "--argon2-passes",
    "1",
];

struct Process {
    child: Child,
    ports: Value,
    _folder: TempDir,
}

impl Process {
    async fn start(binary: &str, arguments: &[&str], database: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("ports.json");
        let mut command = command(binary, arguments, database);
        let child = command
            .arg("--ports-file")
            .arg(&file)
            .spawn()
            .expect("the binary starts");
        let ports = tokio::time::timeout(PATIENCE, ports(&file))
            .await
            .expect("it reports its ports");
        Self {
            child,
            ports,
            _folder: folder,
        }
    }

    async fn get(&self, port: &str, path: &str) -> (u16, String) {
        let addr = self.ports[port].as_str().expect("an address");
        let response = reqwest::get(format!("http://{addr}{path}"))
            .await
            .expect("it answers");
        (
            response.status().as_u16(),
            response.text().await.expect("a whole body"),
        )
    }

    /// Sends SIGTERM and waits for an end in order.
    async fn terminate(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("kill is on PATH");
        assert!(told.success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends");
        assert!(ended.expect("it can be waited for").success());
    }
}

fn command(binary: &str, arguments: &[&str], database: Option<&str>) -> Command {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env_remove("DATABASE_URL")
        .kill_on_drop(true);
    if let Some(url) = database {
        command.env("DATABASE_URL", url);
    }
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

async fn ports(file: &Path) -> Value {
    loop {
        if let Ok(bytes) = std::fs::read(file) {
            // renamed into place, so it is whole as soon as it is there
            return serde_json::from_slice(&bytes).expect("JSON");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn auth_serves_tells_its_health_and_ends_on_sigterm() {
    let cluster = Cluster::start().await;
    let auth = Process::start(env!("CARGO_BIN_EXE_auth"), &AUTH, Some(&cluster.url("auth"))).await;
    let (status, key_set) = auth.get("bind", "/.well-known/jwks.json").await;
    assert_eq!(status, 200);
    assert!(
        key_set.contains("\"ES256\"") && !key_set.contains("\"d\""),
        "{key_set}"
    );
    assert_eq!(
        auth.get("operator", "/health").await,
        (200, r#"{"process":"auth","status":"ok"}"#.into())
    );
    let (_, metrics) = auth.get("operator", "/metrics").await;
    assert!(metrics.contains("pool_size{pool=\"db\"} 8\n"), "{metrics}");
    assert!(
        metrics.contains("requests_total{op=\"jwks\",outcome=\"ok\"} 1\n"),
        "{metrics}"
    );
    auth.terminate().await;
}

#[tokio::test]
async fn agent_tells_its_health_and_ends_on_sigterm() {
    let agent = Process::start(env!("CARGO_BIN_EXE_agent"), &[], None).await;
    assert_eq!(
        agent.get("operator", "/health").await,
        (200, r#"{"process":"agent","status":"ok"}"#.into())
    );
    agent.terminate().await;
}

/// Runs a process that refuses to start, and gives what it says.
async fn refusal(binary: &str, arguments: &[&str], database: Option<&str>) -> String {
    let ended = tokio::time::timeout(PATIENCE, command(binary, arguments, database).output()).await;
    let output = ended.expect("it ends").expect("the binary starts");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn auth_says_why_it_does_not_start() {
    let binary = env!("CARGO_BIN_EXE_auth");
    let said = refusal(binary, &AUTH, None).await;
    assert!(
        said.contains("the environment variable DATABASE_URL is not set"),
        "{said}"
    );
    let said = refusal(
        binary,
        &AUTH,
        Some("postgresql:///chat?host=/nonexistent&user=auth"),
    )
    .await;
    assert!(said.contains("the database failed"), "{said}");
    let cluster = Cluster::start().await;
    let said = refusal(binary, &AUTH, Some(&cluster.url("root"))).await;
    assert!(said.contains("the database role root is a superuser"), "{said}");
}

#[tokio::test]
async fn migrate_brings_a_database_up_to_date_again() {
    let cluster = Cluster::start().await;
    let roles = [
        "--auth-role",
        "auth",
        "--gateway-role",
        "gateway",
        "--audit-role",
        "audit",
    ];
    let binary = env!("CARGO_BIN_EXE_migrate");
    let output = command(binary, &roles, Some(&cluster.url("owner")))
        .output()
        .await
        .expect("the binary starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let twice = [
        "--auth-role",
        "auth",
        "--gateway-role",
        "auth",
        "--audit-role",
        "audit",
    ];
    let said = refusal(binary, &twice, Some(&cluster.url("owner"))).await;
    assert!(
        said.contains("the database role \"auth\" is named twice"),
        "{said}"
    );
}
