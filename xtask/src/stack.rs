//! The system under test: PostgreSQL, auth, agent and two gateways, brought up in the order of their needs.

mod databases;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use dbpool::Stress;
use futures_util::future::join_all;
use history::Replica;
use services::{
    Death, Guard, GuardSpec, Launch, Ports, Postgres, PostgresConfig, PostgresSource, Process, RoleOptions,
};
use session::profile::Profile;
use session::{Stranger, Target};
use tokio::sync::watch;

use crate::binaries::Binaries;
use crate::operator::Operator;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use databases::Databases;

/// Gateways in front of one database.
pub(crate) const REPLICAS: u8 = 2;
/// The processes under test, by the names that reports and `--fault` know them by.
pub(crate) const SERVICES: [&str; 5] = [POSTGRES, "auth", "agent", "gateway-0", "gateway-1"];
/// The server, which is the only service if no users are driven.
pub(crate) const POSTGRES: &str = "postgres";

/// How long a process may take to bind, to answer for its health, or to migrate.
const UP_WITHIN: Duration = Duration::from_secs(20);
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
/// Connections that the processes under test and the harness need besides those of the stress.
const POOL_SIZE: u16 = 8;
const CONNECTIONS: u16 = 100;
/// Connections of a gateway to the agent, and replies in progress on each: few enough that users run out of them.
const AGENT_POOL_SIZE: u16 = 2;
const AGENT_PIPELINE: u16 = 16;

/// What a stack is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// `None` if no users are driven, so that PostgreSQL is all that is needed.
    pub(crate) binaries: Option<&'a Binaries>,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) postgres: &'a PostgresSource,
    pub(crate) offline: bool,
    /// What `--mutant` said; the processes judge it, not we.
    pub(crate) mutant: Option<&'a str>,
}

/// The process that owns all others of a run.
pub(crate) async fn guard(run_dir: &RunDir) -> Result<Guard> {
    let spec = GuardSpec {
        program: std::env::current_exe().context("cannot find this program")?,
        args: vec!["guard".into()],
        log: run_dir.logs().join("guard.log"),
    };
    Ok(Guard::start(spec).await?)
}

/// The running system.
pub(crate) struct Stack {
    postgres: Postgres,
    deaths: watch::Receiver<Vec<Death>>,
    http: reqwest::Client,
    /// `None` if no users are driven.
    pub(crate) chat: Option<Chat>,
    /// What the pools are put through, in a database of its own.
    pub(crate) stress: Stress,
    /// What a report must say of the set-up.
    pub(crate) notes: Vec<String>,
}

/// The services that users talk to.
pub(crate) struct Chat {
    pub(crate) auth: SocketAddr,
    /// In the order of their replica numbers.
    pub(crate) gateways: Vec<SocketAddr>,
    pub(crate) operators: Vec<Operator>,
    processes: Vec<Process>,
    /// Authentication services whose tokens are not for these gateways.
    pub(crate) strangers: Vec<Stranger>,
    /// Reads everything, writes nothing; no service gets it.
    pub(crate) audit_url: String,
}

impl Chat {
    /// Where they are, and what.
    pub(crate) fn target(&self, profile: Profile) -> Target {
        Target {
            auth: format!("http://{}", self.auth),
            gateways: self.gateways.iter().map(ToString::to_string).collect(),
            profile,
            strangers: self.strangers.clone(),
        }
    }

    /// Stops its processes.
    pub(crate) async fn stop(self) -> Result<()> {
        let all = join_all(self.processes.iter().map(Process::stop)).await;
        all.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

impl Stack {
    /// Starts everything and waits until it answers for its health; what comes `half_way` comes when the database is up and
    /// the services are not.
    pub(crate) async fn start(
        guard: &Guard,
        order: Order<'_>,
        progress: &Progress,
        half_way: impl Future<Output = ()>,
    ) -> Result<Self> {
        progress.stage("starting PostgreSQL");
        let mut config = PostgresConfig::new(cache_dir(), order.run_dir.path());
        config.source = order.postgres.clone();
        config.offline = order.offline;
        config.connections = CONNECTIONS;
        let postgres = Postgres::start(config, guard, |line| progress.note(line)).await?;
        let stress = stress(&postgres).await?;
        half_way.await;
        let mut notes = postgres.notes().to_vec();
        let chat = match order.binaries {
            Some(binaries) => {
                progress.stage("starting the services");
                notes.push(format!(
                    "password hashing reduced to argon2id with {ARGON2_MEMORY_KIB} KiB and {ARGON2_PASSES} pass"
                ));
                Some(
                    Starter {
                        guard,
                        order,
                        binaries,
                        prefix: "",
                    }
                    .all(&postgres)
                    .await?,
                )
            }
            None => None,
        };
        if let Some(mutant) = order.mutant {
            notes.push(format!("a leak is planted: {mutant}"));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            deaths: guard.deaths(),
            http,
            chat,
            stress,
            notes,
            postgres,
        })
    }

    /// The same services once more, in a database of their own beside the first.
    pub(crate) async fn beside(&self, guard: &Guard, order: Order<'_>, prefix: &str) -> Result<Chat> {
        let starter = Starter {
            guard,
            order,
            binaries: order.binaries.context("there are no services to start")?,
            prefix,
        };
        starter.all(&self.postgres).await
    }

    /// The processes that ended unasked so far.
    pub(crate) fn deaths(&self) -> Vec<Death> {
        self.deaths.borrow().clone()
    }

    /// Changes with every death.
    pub(crate) fn watch_deaths(&self) -> watch::Receiver<Vec<Death>> {
        self.deaths.clone()
    }

    /// For what is asked of operator ports.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks all services at once, but for those that are `lost` already: who does not answer in time.
    pub(crate) async fn silent(&self, within: Duration, lost: &BTreeSet<String>) -> Vec<&str> {
        let postgres = async {
            let silent = !lost.contains(POSTGRES) && self.postgres.answers(within).await.is_err();
            silent.then_some(POSTGRES)
        };
        let operators = self.chat.iter().flat_map(|chat| &chat.operators);
        let others = operators.map(async |operator| {
            let silent = !lost.contains(&operator.name) && !operator.answers(&self.http, within).await;
            silent.then_some(operator.name.as_str())
        });
        let (postgres, others) = tokio::join!(postgres, join_all(others));
        others.into_iter().chain([postgres]).flatten().collect()
    }

    /// A process of the run; `None` if it is not ours.
    pub(crate) fn process(&self, name: &str) -> Option<&Process> {
        let services = self.chat.iter().flat_map(|chat| &chat.processes);
        let mut all = services.chain(self.postgres.process());
        all.find(|process| process.name() == name)
    }

    /// Stops everything; what went wrong with that, a sentence each.
    pub(crate) async fn stop(self, guard: Guard) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(error) = self.postgres.stop().await {
            problems.push(format!("stopping postgresql: {error}"));
        }
        match guard.stop().await {
            Ok(farewell) => problems.extend(farewell.problems),
            Err(error) => problems.push(error.to_string()),
        }
        problems
    }
}

async fn stress(postgres: &Postgres) -> Result<Stress> {
    let owner = postgres
        .create_role("stress_owner", RoleOptions::default())
        .await?;
    let worker = postgres.create_role("stress", RoleOptions::default()).await?;
    let pools = postgres.create_database("stress", &owner).await?;
    postgres.admit(&worker, &pools).await?;
    Ok(Stress::new(
        postgres.url(&owner, &pools),
        postgres.url(&worker, &pools),
    ))
}

/// Where fetched binaries and templates are kept between runs.
pub(crate) fn cache_dir() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    base.or_else(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("crosstalk")
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

struct Starter<'a> {
    guard: &'a Guard,
    order: Order<'a>,
    binaries: &'a Binaries,
    /// What the names of processes and of what they keep begin with.
    prefix: &'a str,
}

impl Starter<'_> {
    async fn all(&self, postgres: &Postgres) -> Result<Chat> {
        let databases = Databases::create(postgres, self.prefix).await?;
        self.migrate(&databases).await?;
        let key = self.order.run_dir.logs().join(format!("{}auth.key", self.prefix));
        let (auth, agent) = tokio::try_join!(self.auth("auth", OURS, &databases, &key), self.agent())?;
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
        std::fs::remove_file(&key).with_context(|| format!("cannot remove {}", key.display()))?;
        let operators = vec![
            auth.operator(Some(Replica::AUTH)),
            agent.operator(None),
            first.operator(Some(Replica(0))),
            second.operator(Some(Replica(1))),
        ];
        let gateways = vec![first.bind, second.bind];
        Ok(Chat {
            auth: auth.bind,
            gateways,
            operators,
            processes: vec![auth.process, agent.process, first.process, second.process],
            strangers,
            audit_url: databases.audit_url,
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
    async fn strangers(&self, databases: &Databases, key: &Path) -> Result<Vec<Stranger>> {
        let start = async |name, names, what| {
            let started = self.auth(name, names, databases, key).await?;
            anyhow::Ok(Stranger {
                name: what,
                auth: format!("http://{}", started.bind),
            })
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
