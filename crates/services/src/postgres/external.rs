//! Somebody else's server, in databases and roles of one's own.

use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};

use super::find::POSTGRES_VERSION_MIN;
use super::server::{Server, ask_sql, quoted, run_sql};
use super::{Postgres, PostgresConfig};
use crate::{Error, Guard, Leftover};

/// The databases and roles of one run on somebody else's server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    server: Server,
    /// How their names begin; nobody else's do.
    prefix: String,
}

impl External {
    /// Drops every database, then every role, whose name begins with the prefix.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        let client = self.server.connect().await?;
        let (databases, roles) = (
            self.named(&client, "datname", "pg_database").await?,
            self.named(&client, "rolname", "pg_roles").await?,
        );
        for name in databases {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&name));
            run_sql(&client, &format!("drop the database {name}"), &sql).await?;
        }
        for name in roles {
            let sql = format!("DROP ROLE IF EXISTS {}", quoted(&name));
            run_sql(&client, &format!("drop the role {name}"), &sql).await?;
        }
        Ok(())
    }

    async fn named(&self, client: &Client, column: &str, catalogue: &str) -> Result<Vec<String>, Error> {
        let sql = format!(
            "select coalesce(array_agg({column}::text), '{{}}') from {catalogue}
             where starts_with({column}::text, '{}')",
            self.prefix
        );
        let row = ask_sql(
            client,
            &format!("look for what this run made in {catalogue}"),
            &sql,
        )
        .await?;
        Ok(row.get(0))
    }
}

/// Connects, checks version and rights, and has what will be made dropped at the end. Of the URL's parameters host,
/// port, user, password, database and `sslmode` count.
pub(super) async fn attach(url: &str, config: &PostgresConfig, guard: &Guard) -> Result<Postgres, Error> {
    let server = read(url)?;
    let admin = server.connect().await?;
    let facts = Facts::ask(&admin).await?;
    facts.check(&server, config.connections)?;
    let prefix = format!("crosstalk_{:012x}_", rand::random::<u64>() >> 16);
    let external = External {
        server: server.clone(),
        prefix: prefix.clone(),
    };
    let leftovers = vec![guard.keep(Leftover::External(external)).await?];
    let notes = facts.notes(&server);
    Ok(Postgres {
        server,
        admin,
        prefix,
        process: None,
        leftovers,
        notes,
    })
}

fn read(url: &str) -> Result<Server, Error> {
    let read: Config = url.parse().map_err(|source| Error::PostgresUrl { source })?;
    let host = match read.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => "localhost".to_owned(),
    };
    let server = Server {
        host,
        port: read.get_ports().first().copied().unwrap_or(5432),
        admin: read.get_user().unwrap_or("postgres").to_owned(),
        password: read
            .get_password()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        maintenance: read.get_dbname().unwrap_or("postgres").to_owned(),
    };
    if read.get_ssl_mode() == SslMode::Require {
        let hint = "reach it over loopback, a Unix socket or a tunnel, with sslmode=disable".to_owned();
        let lacks = "its url asks for tls, which is not supported".to_owned();
        return Err(Error::PostgresUnfit {
            server: server.to_string(),
            lacks,
            hint,
        });
    }
    Ok(server)
}

/// What a server and the administrator's role there are.
struct Facts {
    version: String,
    version_num: i32,
    role: String,
    superuser: bool,
    create_db: bool,
    create_role: bool,
    free_connections: i32,
    fsync: String,
    synchronous_commit: String,
    full_page_writes: String,
}

impl Facts {
    async fn ask(client: &Client) -> Result<Self, Error> {
        let sql = "select current_setting('server_version'), current_setting('server_version_num')::int,
                rolname::text, rolsuper, rolcreatedb, rolcreaterole,
                current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                    - (select count(*)::int from pg_stat_activity
                       where backend_type = 'client backend' and pid <> pg_backend_pid()),
                current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')
            from pg_roles where rolname = current_user";
        let row = ask_sql(client, "ask the server what it is", sql).await?;
        Ok(Self {
            version: row.get(0),
            version_num: row.get(1),
            role: row.get(2),
            superuser: row.get(3),
            create_db: row.get(4),
            create_role: row.get(5),
            free_connections: row.get(6),
            fsync: row.get(7),
            synchronous_commit: row.get(8),
            full_page_writes: row.get(9),
        })
    }

    fn check(&self, server: &Server, connections: u16) -> Result<(), Error> {
        let unfit = |lacks: String, hint: String| {
            Err(Error::PostgresUnfit {
                server: server.to_string(),
                lacks,
                hint,
            })
        };
        if self.version_num / 10_000 < i32::try_from(POSTGRES_VERSION_MIN).unwrap_or(i32::MAX) {
            let lacks = format!("version {} is below {POSTGRES_VERSION_MIN}", self.version);
            return unfit(lacks, "use a newer server".into());
        }
        let rights = [("CREATEDB", self.create_db), ("CREATEROLE", self.create_role)];
        let missing: Vec<&str> = rights
            .into_iter()
            .filter(|(_, has)| !has && !self.superuser)
            .map(|(right, _)| right)
            .collect();
        if !missing.is_empty() {
            let lacks = format!("its role {} has no {}", self.role, missing.join(" and no "));
            return unfit(
                lacks,
                format!("ALTER ROLE {} {}", quoted(&self.role), missing.join(" ")),
            );
        }
        if self.free_connections < i32::from(connections) {
            let lacks = format!(
                "{} connections are free, {connections} are needed",
                self.free_connections
            );
            return unfit(lacks, "raise its max_connections".into());
        }
        Ok(())
    }

    fn notes(&self, server: &Server) -> Vec<String> {
        let Self {
            version,
            role,
            fsync,
            synchronous_commit,
            full_page_writes,
            ..
        } = self;
        vec![
            format!("PostgreSQL {version} at {server}, as {role}; databases and roles of this run alone"),
            format!(
                "durability, as the server has it: fsync {fsync}, synchronous_commit {synchronous_commit}, \
                 full_page_writes {full_page_writes}"
            ),
        ]
    }
}
