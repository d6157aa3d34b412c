//! The system under test, brought up in the order of its needs: PostgreSQL, and the reference services or those of a target.

mod databases;
mod own;
mod reference;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use dbpool::Stress;
use futures_util::future::{OptionFuture, join_all};
use services::{Death, Guard, GuardSpec, Postgres, PostgresConfig, PostgresSource, Process, RoleOptions};
use session::profile::{Profile, TargetFile};
use session::{Stranger, Target, Tls};
use tokio::sync::watch;

use databases::Databases;

use crate::operator::Operator;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::supply::Supply;

/// Gateways in front of one database.
pub(crate) const REPLICAS: u8 = 2;
/// The processes under test, by the names that reports and `--fault` know them by.
pub(crate) const SERVICES: [&str; 5] = [POSTGRES, "auth", "agent", "gateway-0", "gateway-1"];
/// The server, which is the only service if no users are driven.
pub(crate) const POSTGRES: &str = "postgres";

/// How long a process may take to bind, to answer for its health, or to migrate.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// Connections that the processes under test and the harness need besides those of the stress.
const CONNECTIONS: u16 = 100;
/// What a stack is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    /// `None` if no users are driven, or not through the reference services.
    pub(crate) binaries: Option<&'a Supply>,
    /// The target whose services these are; `None` for the reference services.
    pub(crate) target: Option<&'a TargetFile>,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) postgres: &'a PostgresSource,
    pub(crate) offline: bool,
    /// What `--mutant` said; the processes judge it, not we.
    pub(crate) mutant: Option<&'a str>,
}

impl Order<'_> {
    /// The reference services do, and the pools under stress; of others, those that say so.
    fn needs_postgres(&self) -> bool {
        let own = |target: &TargetFile| target.services.iter().any(|service| service.postgres);
        self.target.is_none_or(own)
    }

    async fn postgres(&self, guard: &Guard, progress: &Progress) -> Result<Postgres> {
        progress.stage("starting PostgreSQL");
        let mut config = PostgresConfig::new(cache_dir(), self.run_dir.path());
        config.source = self.postgres.clone();
        config.offline = self.offline;
        config.connections = CONNECTIONS;
        Ok(Postgres::start(config, guard, |line| progress.note(line)).await?)
    }
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
    /// `None` if nothing needs it.
    postgres: Option<Postgres>,
    deaths: watch::Receiver<Vec<Death>>,
    http: reqwest::Client,
    /// `None` if no users are driven.
    pub(crate) chat: Option<Chat>,
    /// What the pools are put through, in a database of its own; `None` if they are not.
    pub(crate) stress: Option<Stress>,
    /// What a report must say of the set-up.
    pub(crate) notes: Vec<String>,
    /// How long there was nothing to wait for but the build of the services.
    pub(crate) idle: Duration,
}

/// The services that users talk to.
pub(crate) struct Chat {
    /// Base URL of what is asked over HTTP, `http://host:port` or `https://host:port`.
    pub(crate) auth: String,
    /// `ws://host:port` or `wss://host:port` each, in the order of their replica numbers.
    pub(crate) gateways: Vec<String>,
    /// What connections to them over TLS are made with.
    pub(crate) tls: Tls,
    pub(crate) operators: Vec<Operator>,
    processes: Vec<Process>,
    /// Whether there are services that have forked away from what started them.
    forks: bool,
    /// Authentication services whose tokens are not for these gateways.
    pub(crate) strangers: Vec<Stranger>,
    /// How the audit reads the database; `None` if there is none to read.
    pub(crate) audit_url: Option<String>,
}

impl Chat {
    /// Where they are, and what.
    pub(crate) fn target(&self, profile: Profile) -> Target {
        Target {
            auth: self.auth.clone(),
            gateways: self.gateways.clone(),
            tls: self.tls.clone(),
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
        let binaries = async {
            match order.binaries {
                Some(supply) => supply.get().await.map(Some),
                None => Ok(None),
            }
        };
        // what compiles needs no database, and the database no compiler
        let (server, binaries) = tokio::try_join!(Server::start(guard, order, progress), binaries)?;
        let idle = server.up.elapsed();
        half_way.await;
        let Server {
            postgres,
            stress,
            databases,
            ..
        } = server;
        let mut notes: Vec<String> = postgres.iter().flat_map(Postgres::notes).cloned().collect();
        let chat = match (order.target, binaries, databases) {
            (Some(target), ..) => {
                progress.stage("starting the services");
                Some(own::start(target, guard, order, postgres.as_ref()).await?)
            }
            (None, Some(binaries), Some(databases)) => {
                progress.stage("starting the services");
                notes.push(reference::reduced_hashing());
                let starter = reference::Starter {
                    guard,
                    order,
                    binaries,
                    prefix: "",
                };
                Some(starter.all(databases).await?)
            }
            (None, ..) => None,
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
            idle,
            postgres,
        })
    }

    /// The same services once more, in a database of their own beside the first.
    pub(crate) async fn beside(&self, guard: &Guard, order: Order<'_>, prefix: &str) -> Result<Chat> {
        let supply = order.binaries.context("there are no services to start")?;
        let starter = reference::Starter {
            guard,
            order,
            binaries: supply.get().await?,
            prefix,
        };
        let postgres = self.postgres.as_ref().context("there is no database")?;
        starter.all(Databases::create(postgres, prefix).await?).await
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
            let postgres = self.postgres.as_ref().filter(|_| !lost.contains(POSTGRES))?;
            postgres.answers(within).await.is_err().then_some(POSTGRES)
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
        let mut all = services.chain(self.postgres.as_ref().and_then(Postgres::process));
        all.find(|process| process.name() == name)
    }

    /// Stops everything, at once; what went wrong with that, a sentence each.
    pub(crate) async fn stop(self, guard: Guard) -> Vec<String> {
        let mut problems = Vec::new();
        // what has forked away is the guard's to end, and the database, which it may need for that, after it
        let forks = self.chat.as_ref().is_some_and(|chat| chat.forks);
        // a service that cannot be stopped is the guard's to kill and to tell
        let services = OptionFuture::from(self.chat.map(Chat::stop));
        let postgres = OptionFuture::from(self.postgres.filter(|_| !forks).map(Postgres::stop));
        let (_, postgres) = tokio::join!(services, postgres);
        if let Some(Err(error)) = postgres {
            problems.push(format!("stopping postgresql: {error}"));
        }
        match guard.stop().await {
            Ok(farewell) => problems.extend(farewell.problems),
            Err(error) => problems.push(error.to_string()),
        }
        problems
    }
}

/// The database server, and what is made in it before there are services.
struct Server {
    /// `None` if nothing needs it.
    postgres: Option<Postgres>,
    /// As in [`Stack`].
    stress: Option<Stress>,
    /// Of the reference services; `None` if they are not started.
    databases: Option<Databases>,
    /// When all that was there.
    up: Instant,
}

impl Server {
    async fn start(guard: &Guard, order: Order<'_>, progress: &Progress) -> Result<Self> {
        let postgres = match order.needs_postgres() {
            true => Some(order.postgres(guard, progress).await?),
            false => None,
        };
        let (mut stress, mut databases) = (None, None);
        if let (None, Some(postgres)) = (order.target, &postgres) {
            stress = Some(stressed(postgres).await?);
            if order.binaries.is_some() {
                databases = Some(Databases::create(postgres, "").await?);
            }
        }
        Ok(Self {
            postgres,
            stress,
            databases,
            up: Instant::now(),
        })
    }
}

/// The database that the pools are stressed in.
async fn stressed(postgres: &Postgres) -> Result<Stress> {
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
