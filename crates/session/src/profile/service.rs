//! Where a target's services are, and how those that a run starts itself are started. Placeholders in it are for the run to
//! [`fill`].

use std::time::Duration;

use crate::tls::Trust;

/// Where the services are, once they are up. `${port:NAME}` is a free port that the run chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Base URL of what is asked over HTTP, `http://host:port` or `https://host:port`; `None` if nothing is.
    pub http: Option<String>,
    /// Where one connects, `ws://host:port` or `wss://host:port` each; several are replicas of one another.
    pub web_sockets: Vec<String>,
    /// Whose word is taken on who that is, where TLS is spoken; of what the services are asked for their readiness, too.
    pub trust: Trust,
}

/// How a service is ended that forks away from what started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How long it may take.
    pub within: Duration,
}

/// A process that a run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in reports and of its log.
    pub name: String,
    /// Program and arguments. `${port:NAME}` is a free port, the same wherever the name is.
    pub command: Vec<String>,
    /// What ends it, if the command ends by itself once the service is there; `None` if the command is the service.
    pub stop: Option<Stop>,
    /// Its environment, on top of the few variables that every child gets. The same placeholders, and `${postgres}`: the
    /// URL of a private database.
    pub env: Vec<(String, String)>,
    /// The folder that it starts in.
    pub folder: std::path::PathBuf,
    /// Services that have to be ready before this one is started.
    pub after: Vec<String>,
    /// Whether it gets a private PostgreSQL database.
    pub postgres: bool,
    /// When it counts as ready.
    pub ready: Ready,
    /// How long that may take, and a start that ends by itself.
    pub ready_within: Duration,
}

/// When a service is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// This URL answers with a status of success.
    Http(String),
    /// Something listens at this address, `host:port`.
    Tcp(String),
    /// It has ended in success: a migration, say.
    Ended,
}

/// `text` with every `${NAME}` replaced by the `value` of its name.
///
/// # Errors
///
/// The first name that has no value, or the whole text if a brace is not closed.
///
/// ```
/// use session::profile::fill;
///
/// let port = |name: &str| (name == "port:web").then(|| "8000".to_owned());
/// assert_eq!(fill("ws://127.0.0.1:${port:web}", port), Ok("ws://127.0.0.1:8000".to_owned()));
/// assert_eq!(fill("${port:wbe}", port), Err("port:wbe".to_owned()));
/// ```
pub fn fill(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or_else(|| text.to_owned())?;
        filled.push_str(before);
        filled.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The environment variable that `NAME` or `NAME=DEFAULT` names; `None` if it is not set and there is no default.
#[must_use]
pub fn variable_of(name: &str) -> Option<String> {
    let (name, default) = match name.split_once('=') {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (name, None),
    };
    std::env::var(name).ok().or(default)
}
