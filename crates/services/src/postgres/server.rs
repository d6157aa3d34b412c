//! How a server is reached, and how it is told something.

use std::fmt;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config, NoTls};

use crate::Error;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one administrative statement may take.
const STATEMENT: Duration = Duration::from_secs(30);
/// What the harness's own connections call themselves.
const APPLICATION: &str = "crosstalk";

/// An address and the administrator's credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Server {
    /// A host name or address, or the absolute path of a socket's folder.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) admin: String,
    pub(super) password: Option<String>,
    /// A database that exists already.
    pub(super) maintenance: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Without credentials.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Server {
    pub(super) fn url(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let secret = password.map_or_else(String::new, |password| format!(":{}", encode(password)));
        // Names and addresses must stay as they are; only the path of a socket needs encoding.
        let host = match self.host.starts_with('/') {
            true => encode(&self.host).to_string(),
            false if self.host.contains(':') => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!(
            "postgres://{}{secret}@{host}:{}/{}",
            encode(user),
            self.port,
            encode(database)
        )
    }

    pub(super) fn admin_url(&self, database: &str) -> String {
        self.url(&self.admin, self.password.as_deref(), database)
    }

    /// Connects to the maintenance database as the administrator.
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.admin)
            .dbname(&self.maintenance);
        config.application_name(APPLICATION).connect_timeout(CONNECT);
        if let Some(password) = &self.password {
            config.password(password);
        }
        let doing = format!("connect to {self} as {}", self.admin);
        let (client, connection) = timed(CONNECT, &doing, config.connect(NoTls)).await?;
        // Ends with the client, or with the server; what befell it then shows in the client's next call.
        tokio::spawn(connection);
        Ok(client)
    }
}

pub(super) async fn run_sql(client: &Client, doing: &str, sql: &str) -> Result<(), Error> {
    timed(STATEMENT, doing, client.batch_execute(sql)).await
}

/// A query for one row.
pub(super) async fn ask_sql(client: &Client, doing: &str, sql: &str) -> Result<tokio_postgres::Row, Error> {
    timed(STATEMENT, doing, client.query_one(sql, &[])).await
}

pub(super) async fn timed<T>(
    limit: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|source| Error::Sql {
            doing: doing.to_owned(),
            source,
        }),
        Err(_) => Err(Error::SqlTimeout {
            doing: doing.to_owned(),
            waited: limit,
        }),
    }
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// 128 random bits in letters and digits that need no quoting anywhere.
pub(super) fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, user: &str, password: Option<&str>, expect: &str) {
        let server = Server {
            host: host.into(),
            port: 5432,
            admin: "admin".into(),
            password: None,
            maintenance: "postgres".into(),
        };
        let url = server.url(user, password, "chat");
        assert_eq!(url, expect);
        let read: Config = url.parse().unwrap();
        assert_eq!(read.get_user(), Some(user));
        assert_eq!(read.get_password(), password.map(str::as_bytes));
        assert_eq!(read.get_dbname(), Some("chat"));
        let expected_host = match host.starts_with('/') {
            true => tokio_postgres::config::Host::Unix(host.into()),
            false => tokio_postgres::config::Host::Tcp(host.into()),
        };
        assert_eq!(read.get_hosts(), [expected_host]);
    }

    #[test]
    fn urls_survive_the_driver_s_parser() {
        check(
            "/tmp/ct-x",
            "auth",
            Some("0af"),
            "postgres://auth:0af@%2Ftmp%2Fct%2Dx:5432/chat",
        );
        check(
            "localhost",
            "a@b",
            Some("p/w:d %"),
            "postgres://a%40b:p%2Fw%3Ad%20%25@localhost:5432/chat",
        );
        check(
            "db-1.example.org",
            "auth",
            None,
            "postgres://auth@db-1.example.org:5432/chat",
        );
    }

    #[test]
    fn a_name_with_quotes_stays_one_name() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn passwords_do_not_repeat() {
        assert_ne!(random_password(), random_password());
        assert_eq!(random_password().len(), 32);
    }

    #[test]
    fn a_server_is_shown_without_its_password() {
        let server = Server {
            host: "h".into(),
            port: 1,
            admin: "a".into(),
            password: Some("hunter2".into()),
            maintenance: "m".into(),
        };
        assert_eq!(format!("{server} {server:?}"), "h:1 h:1");
    }
}
