//! A PostgreSQL server to test with.

mod archive;
mod binaries;
mod cluster;
mod external;
mod fetch;
mod find;
mod folder;
pub(crate) mod segment;
mod server;
mod settings;
mod source;
mod survey;
mod template;
mod tree;

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Client;

pub use external::External;
pub use find::POSTGRES_VERSION_MIN;
pub use source::{POSTGRES_ENV, PostgresSource};

use crate::{Error, Guard, Kept, Process};
use server::{Server, quoted, random_password, run_sql, timed};

/// Connections that all services together may open, unless said otherwise; a server as it comes has room for them.
const CONNECTIONS: u16 = 80;

/// Which server to use, and how.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// Where the server comes from.
    pub source: PostgresSource,
    /// Never fetch binaries.
    pub offline: bool,
    /// Keeps fetched binaries and initialised templates between runs.
    pub cache_dir: PathBuf,
    /// The run's folder: gets a link `postgres` to the cluster while it lives.
    pub run_dir: PathBuf,
    /// The server's log.
    pub log: PathBuf,
    /// How many connections all services together may open, the harness's own included.
    pub connections: u16,
}

impl PostgresConfig {
    /// Whatever server is installed, or else a fetched one, for 80 connections, with its log at
    /// `logs/postgres.log` in the run's folder.
    pub fn new(cache_dir: impl Into<PathBuf>, run_dir: impl Into<PathBuf>) -> Self {
        let run_dir = run_dir.into();
        Self {
            source: PostgresSource::Any,
            offline: false,
            cache_dir: cache_dir.into(),
            log: run_dir.join("logs").join("postgres.log"),
            run_dir,
            connections: CONNECTIONS,
        }
    }
}

/// A role that [`Postgres::create_role`] made.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    name: String,
    password: String,
}

impl Role {
    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Role")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a role may do beyond logging in. None is ever a superuser, or may create databases or roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleOptions {
    /// Row-level security does not apply to it.
    pub bypass_rls: bool,
}

/// A database that [`Postgres::create_database`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    name: String,
}

impl Database {
    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A running server: a private cluster, or somebody's, where it keeps to databases and roles of its own.
///
/// When the [`Guard`] ends, however it does, the private cluster is stopped and its folder removed, or the databases
/// and roles are dropped.
pub struct Postgres {
    server: Server,
    admin: Client,
    /// Put before every name, so that two runs on one server do not meet; empty on a private cluster.
    prefix: String,
    /// The private cluster's.
    process: Option<Process>,
    leftovers: Vec<Kept>,
    notes: Vec<String>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Starts a private cluster, or connects to the server given by URL and checks what it can do.
    ///
    /// `progress` gets a line for each thing that takes long (fetching, the first initialisation).
    ///
    /// # Errors
    /// [`Error::PostgresMissing`] where there is none and none could be fetched, [`Error::PostgresUnfit`] and
    /// [`Error::PostgresUrl`] for the server of a URL; the others when a step failed.
    pub async fn start(
        config: PostgresConfig,
        guard: &Guard,
        mut progress: impl FnMut(&str),
    ) -> Result<Self, Error> {
        match config.source.clone() {
            PostgresSource::Url(url) => external::attach(&url, &config, guard).await,
            _ => cluster::start(&config, guard, &mut progress).await,
        }
    }

    /// Creates a role that can log in, with a random password.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::SqlTimeout`].
    pub async fn create_role(&self, name: &str, options: RoleOptions) -> Result<Role, Error> {
        let role = Role {
            name: format!("{}{name}", self.prefix),
            password: random_password(),
        };
        let bypass = if options.bypass_rls { " BYPASSRLS" } else { "" };
        let sql = format!(
            "CREATE ROLE {} LOGIN{bypass} PASSWORD '{}'",
            quoted(&role.name),
            role.password
        );
        self.run(&format!("create the role {}", role.name), &sql).await?;
        if self.process.is_none() {
            // An administrator who is no superuser can give a database only to a role that it is a member of.
            let sql = format!("GRANT {} TO CURRENT_USER", quoted(&role.name));
            self.run(&format!("become a member of the role {}", role.name), &sql)
                .await?;
        }
        Ok(role)
    }

    /// Creates an empty database that `owner` owns.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::SqlTimeout`].
    pub async fn create_database(&self, name: &str, owner: &Role) -> Result<Database, Error> {
        let name = format!("{}{name}", self.prefix);
        let sql = format!("CREATE DATABASE {} OWNER {}", quoted(&name), quoted(&owner.name));
        self.run(&format!("create the database {name}"), &sql).await?;
        let sql = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", quoted(&name));
        self.run(&format!("close the database {name} to the public"), &sql)
            .await?;
        Ok(Database { name })
    }

    /// Lets a role other than its owner connect to a database and make temporary tables there; rights to anything in it
    /// are for the owner to grant.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::SqlTimeout`].
    pub async fn admit(&self, role: &Role, database: &Database) -> Result<(), Error> {
        let (role, database) = (quoted(&role.name), quoted(&database.name));
        let sql = format!("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}");
        self.run(&format!("admit the role {role} to the database {database}"), &sql)
            .await
    }

    /// The URL by which a role reaches a database, password included; `tokio-postgres`, `sqlx` and libpq read it.
    #[must_use]
    pub fn url(&self, role: &Role, database: &Database) -> String {
        self.server.url(&role.name, Some(&role.password), &database.name)
    }

    /// The URL by which the administrator reaches a database: the superuser of a private cluster, or whoever the
    /// given URL named. Never hand it to a service under test.
    #[must_use]
    pub fn admin_url(&self, database: &Database) -> String {
        self.server.admin_url(&database.name)
    }

    /// What a report should say of the server, a sentence each: version, where it came from, durability.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The private cluster's process, to watch or to break; `None` for somebody else's server.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Asks the server for an answer, over a connection that is open already.
    ///
    /// # Errors
    /// [`Error::Sql`]; [`Error::SqlTimeout`] after `within`.
    pub async fn answers(&self, within: Duration) -> Result<(), Error> {
        timed(within, "answer", self.admin.batch_execute("SELECT 1")).await
    }

    /// Stops the private cluster and removes its folder, or drops databases and roles, now.
    ///
    /// # Errors
    /// [`Error::NotRemoved`], [`Error::GuardLost`].
    pub async fn stop(self) -> Result<(), Error> {
        drop(self.admin);
        if let Some(process) = self.process {
            process.stop().await?;
        }
        for leftover in self.leftovers.into_iter().rev() {
            leftover.clear().await?;
        }
        Ok(())
    }

    async fn run(&self, doing: &str, sql: &str) -> Result<(), Error> {
        run_sql(&self.admin, doing, sql).await
    }
}
