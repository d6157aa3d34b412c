use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Account, Signal};

/// How long a service has to end after SIGTERM before its process group is killed.
pub const STOP_GRACE: Duration = Duration::from_secs(3);

/// Variables of the harness that a service inherits; every other one is withheld, so that no credential of the
/// harness reaches a service by accident.
pub const INHERITED_ENV: [&str; 9] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "RUST_BACKTRACE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
];

/// One step of stopping a process: a signal, and how long it has to end after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopStep {
    /// Sent to the process itself, not its group.
    pub signal: Signal,
    /// When this has passed the next step follows; after the last one SIGKILL for the whole group.
    pub grace: Duration,
}

/// What the guard is asked to start.
///
/// ```
/// let auth = services::Launch::new("auth", "/opt/app/auth", "/var/log/app/auth.log")
///     .args(["--bind", "127.0.0.1:0"])
///     .env("DATABASE_URL", "postgres://…");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(String, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) log: PathBuf,
    pub(crate) account: Option<Account>,
    pub(crate) stop: Vec<StopStep>,
    pub(crate) tier: u8,
    pub(crate) task: bool,
    pub(crate) undo: Option<Undo>,
}

/// What ends a service that has forked away from what started it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Undo {
    pub(crate) launch: Box<Launch>,
    /// How long it may take.
    pub(crate) within: Duration,
}

impl Launch {
    /// A process called `name` (unique among the living), whose standard output and error are appended to `log`. A
    /// `program` without a folder is looked for on `PATH`; relative paths start from the harness's present folder.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let (program, log) = (program.into(), log.into());
        let bare = program.components().count() == 1 && !program.is_absolute();
        Self {
            name: name.into(),
            program: if bare { program } else { absolute(program) },
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            log: absolute(log),
            account: None,
            stop: vec![StopStep {
                signal: Signal::Term,
                grace: STOP_GRACE,
            }],
            tier: 1,
            task: false,
            undo: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable, on top of [`INHERITED_ENV`].
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder it starts in; the harness's own by default.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// The account it runs under; the harness's own by default. Only root can choose.
    #[must_use]
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// The steps of stopping it, before SIGKILL; SIGTERM and [`STOP_GRACE`] by default.
    #[must_use]
    pub fn stop(mut self, steps: impl Into<Vec<StopStep>>) -> Self {
        self.stop = steps.into();
        self
    }

    /// When everything stops, higher tiers go first, and those of one tier together; 1 by default. What others
    /// depend on belongs in a lower tier.
    #[must_use]
    pub fn tier(mut self, tier: u8) -> Self {
        self.tier = tier;
        self
    }

    /// It is a task, not a service: it ends by itself, whoever waits for it hears how, and no end of it is a death.
    #[must_use]
    pub fn task(mut self) -> Self {
        self.task = true;
        self
    }

    /// It starts a service that forks away, and ends: no end of it is a death, and what it leaves running stays. However it ended,
    /// `undo` is run when its tier is stopped, and killed after `within`; what does not end by that is killed, where the system
    /// says what that is.
    #[must_use]
    pub fn undone_by(mut self, undo: Launch, within: Duration) -> Self {
        self.task = true;
        self.undo = Some(Undo {
            launch: Box::new(undo),
            within,
        });
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that gets its standard output and error.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// The path itself if the present folder is gone; then nothing relative works anyway.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
