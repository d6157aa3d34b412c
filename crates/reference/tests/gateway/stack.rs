//! The whole service as processes.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::client::Client;
use crate::common::Cluster;

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
const TRUST: [&str; 4] = ["--issuer", "iss", "--audience", "chat"];
/// Hashes passwords at once.
const CHEAP: [&str; 4] = ["--argon2-memory-kib", "64", "--argon2-passes", "1"];
pub(crate) const ORIGIN: &str = "https://chat.example";

/// One process of the service.
pub(crate) struct Process {
    pub(crate) child: Child,
    ports: Value,
}

impl Process {
    async fn start(binary: &str, arguments: &[&str], database: Option<&str>, folder: &Path) -> Self {
        let file = folder.join(format!("ports-{}", uuid::Uuid::new_v4()));
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .arg("--ports-file")
            .arg(&file)
            .env_remove("DATABASE_URL");
        if let Some(url) = database {
            command.env("DATABASE_URL", url);
        }
        let mut child = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let ports = poll("ports file", async || {
            assert!(
                child.try_wait().expect("it can be waited for").is_none(),
                "{binary} ended"
            );
            std::fs::read(&file).ok()
        });
        let ports = serde_json::from_slice(&ports.await).expect("it is renamed into place, so it is whole");
        Self { child, ports }
    }

    pub(crate) fn addr(&self) -> &str {
        self.ports["bind"].as_str().expect("an address")
    }

    pub(crate) async fn operator(&self, path: &str) -> (u16, String) {
        let addr = self.ports["operator"].as_str().expect("an address");
        let response = reqwest::get(format!("http://{addr}{path}"))
            .await
            .expect("it answers");
        (
            response.status().as_u16(),
            response.text().await.expect("a whole body"),
        )
    }

    /// The value of a line of the metrics; 0 if it is not there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.operator("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub(crate) async fn situation(&self, name: &str) -> f64 {
        self.metric(&format!("situation_total{{name=\"{name}\"}}")).await
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let told = std::process::Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill is on PATH").success());
    }
}

/// A connection that idles may be closed just when the next request is sent over it.
fn one_request_a_connection() -> reqwest::Client {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0);
    client.build().expect("it has no settings that could be wrong")
}

async fn start_auth(cluster: &Cluster, arguments: &[&str], folder: &Path) -> Process {
    let url = cluster.url("auth");
    Process::start(env!("CARGO_BIN_EXE_auth"), arguments, Some(&url), folder).await
}

/// Asks again and again until there is an answer.
pub(crate) async fn poll<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| panic!("no {what} in time"))
}

/// Further arguments of the processes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Further<'a> {
    pub(crate) auth: &'a [&'a str],
    pub(crate) agent: &'a [&'a str],
    pub(crate) gateway: &'a [&'a str],
}

/// PostgreSQL, auth, agent and two gateways.
pub(crate) struct Stack {
    pub(crate) gateways: Vec<Process>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) auth: Process,
    pub(crate) agent: Process,
    folder: TempDir,
    http: reqwest::Client,
}

/// A registered user.
pub(crate) struct Account {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    pub(crate) email: String,
}

/// A login.
pub(crate) struct Login {
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    pub(crate) session_id: String,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts everything; the gateways get further arguments.
    pub(crate) async fn start_with(further: &[&str]) -> Self {
        Self::start_all_with(&[], further).await
    }

    /// Starts everything; the authentication service and the gateways get further arguments.
    pub(crate) async fn start_all_with(auth: &[&str], gateway: &[&str]) -> Self {
        let further = Further {
            auth,
            gateway,
            ..Further::default()
        };
        Self::start_on(Arc::new(Cluster::start().await), further).await
    }

    /// Starts everything but PostgreSQL.
    pub(crate) async fn start_on(cluster: Arc<Cluster>, further: Further<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cheap = if further.auth.contains(&CHEAP[0]) {
            &[][..]
        } else {
            &CHEAP
        };
        let auth_arguments = [&TRUST, cheap, further.auth].concat();
        let auth = start_auth(&cluster, &auth_arguments, folder.path()).await;
        let agent = Process::start(env!("CARGO_BIN_EXE_agent"), further.agent, None, folder.path()).await;
        let jwks = format!("http://{}/.well-known/jwks.json", auth.addr());
        let url = cluster.url("gateway");
        let mut gateways = Vec::new();
        for replica in ["0", "1"] {
            let own = [
                "--replica",
                replica,
                "--jwks-url",
                &jwks,
                "--agent",
                agent.addr(),
                "--allow-origin",
                ORIGIN,
            ];
            let arguments: Vec<&str> = TRUST.iter().chain(&own).chain(further.gateway).copied().collect();
            gateways.push(
                Process::start(
                    env!("CARGO_BIN_EXE_gateway"),
                    &arguments,
                    Some(&url),
                    folder.path(),
                )
                .await,
            );
        }
        for gateway in &gateways {
            poll("healthy gateway", async || {
                (gateway.operator("/health").await.0 == 200).then_some(())
            })
            .await;
        }
        Self {
            gateways,
            cluster,
            auth,
            agent,
            folder,
            http: one_request_a_connection(),
        }
    }

    /// One more authentication service on the same accounts, with settings of its own.
    pub(crate) async fn another_auth(&self, arguments: &[&str]) -> Process {
        start_auth(&self.cluster, &[&CHEAP, arguments].concat(), self.folder.path()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, token: Option<&str>) -> (u16, Value) {
        let mut request = self
            .http
            .post(format!("http://{}{path}", self.auth.addr()))
            .json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("auth answers");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn register(&self, name: &str, tenant: &str) -> Account {
        let email = format!("{name}@{tenant}.example");
        let body = json!({
            "email": email, "password": "a long enough password", "name": name, "tenant": tenant, "tenant_key": "k",
        });
        let (status, account) = self.post("/register", &body, None).await;
        assert_eq!(status, 201, "{account}");
        Account {
            user_id: string(&account["user_id"]),
            tenant_id: string(&account["tenant_id"]),
            email,
        }
    }

    pub(crate) async fn login(&self, account: &Account, ttl_s: Option<u64>) -> Login {
        let mut body = json!({ "email": account.email, "password": "a long enough password" });
        if let Some(ttl_s) = ttl_s {
            body["ttl_s"] = ttl_s.into();
        }
        let (status, login) = self.post("/login", &body, None).await;
        assert_eq!(status, 200, "{login}");
        Login {
            token: string(&login["access_token"]),
            refresh_token: string(&login["refresh_token"]),
            session_id: string(&login["session_id"]),
        }
    }

    pub(crate) async fn logout(&self, login: &Login) {
        let (status, said) = self.post("/logout", &Value::Null, Some(&login.token)).await;
        assert_eq!(status, 204, "{said}");
    }

    /// A connection of that login to a replica.
    pub(crate) async fn connect(&self, replica: usize, login: &Login) -> Client {
        Client::connect(self.gateways[replica].addr(), &login.token).await
    }

    /// A new user's first connection.
    pub(crate) async fn enter(&self, name: &str, tenant: &str, replica: usize) -> (Account, Login, Client) {
        let account = self.register(name, tenant).await;
        let login = self.login(&account, None).await;
        let client = self.connect(replica, &login).await;
        (account, login, client)
    }

    /// The sum of a situation's counters over both gateways.
    pub(crate) async fn situation(&self, name: &str) -> f64 {
        self.gateways[0].situation(name).await + self.gateways[1].situation(name).await
    }
}

pub(crate) fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"))
        .to_owned()
}
