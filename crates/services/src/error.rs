use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Exit;

/// The last lines of a service's log, kept beside the error of a start that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTail {
    /// Where the whole log is.
    pub path: PathBuf,
    /// Its last lines (at most [`LOG_TAIL_LINES`](crate::LOG_TAIL_LINES)), oldest first.
    pub lines: Vec<String>,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return write!(f, "its log {} is empty", self.path.display());
        }
        write!(f, "the end of its log {}:", self.path.display())?;
        self.lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// What kept a service from starting, answering or stopping.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The guard process could not be started.
    #[error("the guard process {program} did not start")]
    GuardStart {
        /// The program that should have been the guard.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The HTTP client that asks services for their health cannot be made.
    #[error("cannot make an http client")]
    Http {
        /// What the client said.
        source: reqwest::Error,
    },
    /// The guard process is gone, or never spoke.
    #[error("the guard process is gone; {log}")]
    GuardLost {
        /// What the guard wrote before.
        log: Box<LogTail>,
    },
    /// An order to the guard cannot be written down: a path in it is not UTF-8.
    #[error("cannot tell the guard what to do; the paths of services must be utf-8")]
    Order {
        /// What the encoder said.
        source: serde_json::Error,
    },
    /// Something that was to be removed is still there.
    #[error("something was left behind: {problem}")]
    NotRemoved {
        /// What, and why.
        problem: String,
    },
    /// The guard did not end in time after it was told to.
    #[error("the guard process was still stopping services after {waited:?} and was killed")]
    GuardStuck {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The program of a service could not be started at all.
    #[error("{name} did not start: {program}: {reason}")]
    Spawn {
        /// The service.
        name: String,
        /// Its program.
        program: PathBuf,
        /// What the system said to the guard.
        reason: String,
    },
    /// A service ended while something was waited for.
    #[error("{name} {exit} before {awaited}; {log}")]
    Died {
        /// The service.
        name: String,
        /// How it ended.
        exit: Exit,
        /// What it should have done first.
        awaited: String,
        /// The end of its log.
        log: Box<LogTail>,
    },
    /// A service runs but did not do in time what was waited for.
    #[error("{name} was not ready: waited {waited:?} until {awaited}, but {last}; {log}")]
    NotReady {
        /// The service.
        name: String,
        /// What it should have done.
        awaited: String,
        /// The last thing seen instead.
        last: String,
        /// How long it was waited for.
        waited: Duration,
        /// The end of its log.
        log: Box<LogTail>,
    },
    /// A file or folder could not be read, written or made.
    #[error("cannot {doing} {path}")]
    File {
        /// What was attempted, as a verb: `read`, `create the folder`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path of a Unix socket would be too long for the system.
    #[error(
        "the socket path {path} is {bytes} bytes long, the limit is {limit}; set TMPDIR to a shorter folder"
    )]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
        /// The longest that works.
        limit: usize,
    },
    /// No account without special rights exists, and PostgreSQL refuses to run as root.
    #[error(
        "postgresql refuses to run as root, and none of the accounts {tried} exists; run as an ordinary user"
    )]
    NoAccount {
        /// The accounts that were looked for.
        tried: String,
    },
    /// There is no PostgreSQL here and none could be fetched.
    #[error("no usable postgresql: {reason}{looked}\n{hint}")]
    PostgresMissing {
        /// Why none could be used or fetched.
        reason: String,
        /// Where it was looked for, and what was wrong with what was found.
        looked: Looked,
        /// How to install it here.
        hint: String,
    },
    /// The server or account given by URL cannot do what is needed.
    #[error("the postgresql server at {server} cannot be used: {lacks}; {hint}")]
    PostgresUnfit {
        /// Host and port, without credentials.
        server: String,
        /// What it lacks.
        lacks: String,
        /// What to do about it.
        hint: String,
    },
    /// The URL of the server cannot be read.
    #[error("the postgresql url cannot be read (its text is withheld, it may hold a password)")]
    PostgresUrl {
        /// What the parser said.
        source: tokio_postgres::Error,
    },
    /// A connection or statement failed.
    #[error("postgresql failed to {doing}")]
    Sql {
        /// What was attempted.
        doing: String,
        /// What the driver said.
        source: tokio_postgres::Error,
    },
    /// PostgreSQL did not answer in time.
    #[error("postgresql did not {doing} within {waited:?}")]
    SqlTimeout {
        /// What was attempted.
        doing: String,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// Places that were searched for PostgreSQL, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked(pub Vec<String>);

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|place| write!(f, "\n    {place}"))
    }
}

/// Puts the path and the attempt beside an [`io::Error`].
pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { doing, path, source }
}
