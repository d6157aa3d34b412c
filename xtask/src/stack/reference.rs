//! The reference services: auth, agent and two gateways on one database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use history::Replica;
use services::{Guard, Launch, Ports, Process};
use session::{Stranger, Tls};

use super::databases::Databases;
use super::{Chat, Order, UP_WITHIN};
use crate::binaries::Binaries;
use crate::operator::Operator;

/// What the auth service signs as.
const ISSUER: &str = "https://auth.crosstalk.test";
/// Whom it signs for.
const AUDIENCE: &str = "crosstalk-chat";
/// Both.
const OURS: (&str, &str) = (ISSUER, AUDIENCE);
/// What a service signs as, or for, whose tokens ours must refuse.
const STRANGE: &str = "https://stranger.crosstalk.test";
/// Password hashing, reduced: at production cost every login takes 22 ms of a core.
const ARGON2_MEMORY_KIB: u32 = 64;
const ARGON2_PASSES: u32 = 1;
/// Connections of a service's pool. With eight, a default run took a twentieth longer on two cores: each backend has to learn tables and
/// statements anew.
const POOL_SIZE: u16 = 4;
/// Connections of a gateway to the agent, and replies in progress on each: few enough that users run out of them.
const AGENT_POOL_SIZE: u16 = 2;
const AGENT_PIPELINE: u16 = 8;

/// What a report must say of how passwords are hashed.
pub(super) fn reduced_hashing() -> String {
    format!("password hashing reduced to argon2id with {ARGON2_MEMORY_KIB} KiB and {ARGON2_PASSES} pass")
}

/// A process that answers, and where.
struct Started {
    process: Process,
    bind: SocketAddr,
    operator: SocketAddr,
}

impl Started {
    fn operator(&self, replica: Option<Replica>) -> Operator {
        Operator {
            name: self.process.name().to_owned(),
            replica,
            address: self.operator,
        }
    }
}

/// Starts them.
pub(super) struct Starter<'a> {
    pub(super) guard: &'a Guard,
    pub(super) order: Order<'a>,
    pub(super) binaries: &'a Binaries,
    /// What the names of processes and of what they keep begin with.
    pub(super) prefix: &'a str,
}

impl Starter<'_> {
    pub(super) async fn all(&self, databases: Databases) -> Result<Chat> {
        let key = self.order.run_dir.logs().join(format!("{}auth.key", self.prefix));
        let auth = async {
            self.migrate(&databases).await?;
            self.auth("auth", OURS, &databases, &key).await
        };
        let (auth, agent) = tokio::try_join!(auth, self.agent())?;
        let first = self.gateway(0, &databases, &auth, &agent);
        let second = self.gateway(1, &databases, &auth, &agent);
        let strangers = async {
            // of services that nobody attacks there are none
            if self.prefix.is_empty() {
                self.strangers(&databases, &key).await
            } else {
                Ok(Vec::new())
            }
        };
        let (first, second, strangers) = tokio::try_join!(first, second, strangers)?;
        let (strangers, theirs): (Vec<_>, Vec<_>) = strangers.into_iter().unzip();
        std::fs::remove_file(&key).with_context(|| format!("cannot remove {}", key.display()))?;
        let operators = vec![
            auth.operator(Some(Replica::AUTH)),
            agent.operator(None),
            first.operator(Some(Replica(0))),
            second.operator(Some(Replica(1))),
        ];
        let gateways = [first.bind, second.bind]
            .map(|bind| format!("ws://{bind}"))
            .into();
        Ok(Chat {
            auth: format!("http://{}", auth.bind),
            gateways,
            tls: Tls::default(),
            operators,
            processes: [auth, agent, first, second]
                .into_iter()
                .chain(theirs)
                .map(|started| started.process)
                .collect(),
            forks: false,
            strangers,
            audit_url: Some(databases.audit_url),
        })
    }

    async fn migrate(&self, databases: &Databases) -> Result<()> {
        let [auth, gateway, audit] = &databases.roles;
        let launch = self
            .launch("migrate", "migrate")?
            .args([
                "--auth-role",
                auth,
                "--gateway-role",
                gateway,
                "--audit-role",
                audit,
            ])
            .env("DATABASE_URL", &databases.owner_url)
            .task();
        let process = self.guard.spawn(launch).await?;
        process
            .finished("it had applied the migrations", UP_WITHIN)
            .await?;
        Ok(())
    }

    async fn auth(
        &self,
        name: &str,
        (issuer, audience): (&str, &str),
        databases: &Databases,
        key: &Path,
    ) -> Result<Started> {
        let launch = self
            .service("auth", name)?
            .env("DATABASE_URL", &databases.auth_url)
            .args(["--signing-key"])
            .args([key]);
        let launch = launch.args(["--issuer", issuer, "--audience", audience]).args([
            "--argon2-memory-kib".to_owned(),
            ARGON2_MEMORY_KIB.to_string(),
            "--argon2-passes".to_owned(),
            ARGON2_PASSES.to_string(),
            "--pool-size".to_owned(),
            POOL_SIZE.to_string(),
        ]);
        self.up(name, launch).await
    }

    /// Services on the same accounts and with the same key, each with one setting of its own.
    async fn strangers(&self, databases: &Databases, key: &Path) -> Result<Vec<(Stranger, Started)>> {
        let start = async |name, names, what| {
            let started = self.auth(name, names, databases, key).await?;
            let stranger = Stranger {
                name: what,
                auth: format!("http://{}", started.bind),
            };
            anyhow::Ok((stranger, started))
        };
        let issuer = start(
            "auth-of-another-issuer",
            (STRANGE, AUDIENCE),
            "token of another issuer",
        );
        let audience = start(
            "auth-for-another-audience",
            (ISSUER, STRANGE),
            "token for another audience",
        );
        let (issuer, audience) = tokio::try_join!(issuer, audience)?;
        Ok(vec![issuer, audience])
    }

    async fn agent(&self) -> Result<Started> {
        self.up("agent", self.service("agent", "agent")?).await
    }

    async fn gateway(
        &self,
        replica: u8,
        databases: &Databases,
        auth: &Started,
        agent: &Started,
    ) -> Result<Started> {
        let name = format!("gateway-{replica}");
        let launch = self
            .service("gateway", &name)?
            .env("DATABASE_URL", &databases.gateway_url);
        let launch = launch.args(["--issuer", ISSUER, "--audience", AUDIENCE]).args([
            "--replica".to_owned(),
            replica.to_string(),
            "--jwks-url".to_owned(),
            format!("http://{}/.well-known/jwks.json", auth.bind),
            "--agent".to_owned(),
            agent.bind.to_string(),
            "--pool-size".to_owned(),
            POOL_SIZE.to_string(),
            "--agent-pool-size".to_owned(),
            AGENT_POOL_SIZE.to_string(),
            "--agent-pipeline".to_owned(),
            AGENT_PIPELINE.to_string(),
        ]);
        self.up(&name, launch).await
    }

    /// A process that serves: it binds what it likes and writes that to its ports file.
    fn service(&self, binary: &str, name: &str) -> Result<Launch> {
        let ports = self.ports_file(name);
        let launch = self.launch(binary, name)?;
        let launch = launch.args([
            "--bind",
            "127.0.0.1:0",
            "--operator-bind",
            "127.0.0.1:0",
            "--ports-file",
        ]);
        let launch = launch.args([ports]);
        let Some(mutant) = self.order.mutant else {
            return Ok(launch);
        };
        let record = format!("{}{name}.jsonl", self.prefix);
        let record = self.order.run_dir.mutants()?.join(record);
        Ok(launch
            .args(["--mutant", mutant, "--mutant-record"])
            .args([record]))
    }

    fn launch(&self, binary: &str, name: &str) -> Result<Launch> {
        let name = format!("{}{name}", self.prefix);
        let log = self.order.run_dir.logs().join(format!("{name}.log"));
        Ok(Launch::new(name, self.binaries.path(binary)?, log))
    }

    /// Starts it and waits until it answers for its health.
    async fn up(&self, name: &str, launch: Launch) -> Result<Started> {
        let process = self.guard.spawn(launch).await?;
        let file = self.ports_file(name);
        let ports = process.ports(&file, UP_WITHIN).await?;
        let (bind, operator) = (port(&ports, "bind", &file)?, port(&ports, "operator", &file)?);
        process.healthy(operator, UP_WITHIN).await?;
        Ok(Started {
            process,
            bind,
            operator,
        })
    }

    fn ports_file(&self, name: &str) -> PathBuf {
        let file = format!("{}{name}.ports", self.prefix);
        self.order.run_dir.logs().join(file)
    }
}

fn port(ports: &Ports, name: &str, file: &Path) -> Result<SocketAddr> {
    ports
        .get(name)
        .copied()
        .with_context(|| format!("{} does not name the port `{name}`", file.display()))
}
