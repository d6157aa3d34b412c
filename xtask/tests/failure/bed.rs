//! Where a run is put to be watched to its end: a folder of its own for everything it could leave, and a parent that every
//! orphan comes to.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};
use serde_json::Value;

/// How long a run may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(120);
/// How long what it has started may take to go after it.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// How long a run may take to make a file that is waited for.
const MADE_WITHIN: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Orphans come to this process whoever started them, so that one run is watched at a time.
static ONE: Mutex<()> = Mutex::new(());

/// A folder for a run, which is the only one that is being watched.
pub(crate) struct Bed {
    folder: tempfile::TempDir,
    /// Shared memory that was there before.
    before: BTreeSet<String>,
    _one: MutexGuard<'static, ()>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code, or 128 and the number of the signal.
    pub(crate) code: i32,
    /// Until it and all that it had started were gone.
    pub(crate) took: Duration,
    /// Exit codes of the processes that outlived it.
    pub(crate) orphans: Vec<i32>,
    /// What it left: processes, folders, shared memory.
    pub(crate) left: Vec<String>,
    /// `report.json`, if there is one.
    pub(crate) report: Value,
    /// What it printed, on both streams.
    pub(crate) said: String,
}

impl Ended {
    /// Acknowledged messages that are not in the database; `None` if nobody knows.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.report["isolation"]["lost_acks"]["count"].as_u64()
    }
}

/// The command under test.
pub(crate) fn xtask() -> &'static str {
    env!("CARGO_BIN_EXE_xtask")
}

/// Waits until a run has made it, or for as long as that may take.
pub(crate) fn await_file(path: &Path) {
    let limit = Instant::now() + MADE_WITHIN;
    while !path.exists() && Instant::now() < limit {
        thread::sleep(LOOK);
    }
}

impl Bed {
    pub(crate) fn new() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        set_child_subreaper(Some(getpid())).unwrap();
        // in memory if there is such a place, as the clusters of ordinary runs are
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = tempfile::Builder::new().prefix("bed-").tempdir_in(root).unwrap();
        let before = shared().into_iter().map(|(segment, _)| segment).collect();
        let bed = Self {
            folder,
            before,
            _one: one,
        };
        fs::create_dir(bed.tmp()).unwrap();
        for (path, mode) in [(bed.path(""), 0o755), (bed.tmp(), 0o1777)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the run; that of another at the same time has a name that begins alike.
    pub(crate) fn out(&self) -> PathBuf {
        self.path("run")
    }

    /// Where it makes its temporary folders.
    fn tmp(&self) -> PathBuf {
        self.path("t")
    }

    /// The reference services, built as `e2e` builds them, before anything is watched: cargo is not what is looked at.
    #[expect(clippy::unused_self, reason = "cargo must not be among what is watched")]
    pub(crate) fn binaries(&self) -> &'static Path {
        static BUILT: OnceLock<PathBuf> = OnceLock::new();
        BUILT.get_or_init(|| {
            let built = Command::new(env!("CARGO"))
                .args([
                    "build",
                    "--release",
                    "--quiet",
                    "--package",
                    "reference",
                    "--bins",
                ])
                .status()
                .unwrap();
            assert!(built.success(), "the reference services cannot be built");
            let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
            target.join("release")
        })
    }

    /// `program`, to be run here. Templates of clusters are kept for all.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("TMPDIR", self.tmp())
            .env(
                "XDG_CACHE_HOME",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .env_remove("CROSSTALK_POSTGRES")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Watches commands that run at the same time until nothing of them is left, or for as long as anything may take.
    pub(crate) fn watch(&self, commands: impl IntoIterator<Item = Command>) -> Vec<Ended> {
        self.watch_and(commands, |_| {})
    }

    /// The same, and does something to them as soon as they run.
    pub(crate) fn watch_and(
        &self,
        commands: impl IntoIterator<Item = Command>,
        act: impl FnOnce(&mut [Running]),
    ) -> Vec<Ended> {
        let began = Instant::now();
        let mut started: Vec<Running> = commands.into_iter().map(Running::start).collect();
        act(&mut started);
        let mut ended: Vec<Ended> = started.into_iter().map(|one| one.end(began)).collect();
        let mut statuses = Vec::new();
        let limit = Instant::now() + GONE_WITHIN;
        while !self.children(&mut statuses).is_empty() && Instant::now() < limit {
            thread::sleep(LOOK);
        }
        let took = began.elapsed();
        let left = self.left(&mut statuses);
        for (one, out) in ended.iter_mut().zip(self.outs()) {
            one.took = took;
            one.left.clone_from(&left);
            one.orphans = statuses
                .iter()
                .filter_map(|status| status.exit_status())
                .collect();
            let report = fs::read(out.join("report.json")).unwrap_or_default();
            one.report = serde_json::from_slice(&report).unwrap_or_default();
        }
        ended
    }

    /// The same for one.
    pub(crate) fn watch_one(&self, command: Command) -> Ended {
        self.watch([command]).remove(0)
    }

    /// The folders of the runs, in order.
    fn outs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("")).unwrap().flatten();
        let outs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("run"));
        let mut outs: Vec<_> = outs.map(|entry| entry.path()).collect();
        outs.sort();
        outs
    }

    /// Everything that should be gone; processes are ended, so that the next run is not blamed for them.
    fn left(&self, statuses: &mut Vec<WaitStatus>) -> Vec<String> {
        let mut left = Vec::new();
        for (pid, name) in self.children(statuses) {
            left.push(format!("process {} ({name})", pid.as_raw_nonzero()));
            let _ = kill_process(pid, Signal::KILL);
        }
        let folders = fs::read_dir(self.tmp()).unwrap().flatten();
        left.extend(folders.map(|entry| format!("folder {}", entry.path().display())));
        for out in self.outs() {
            let link = out.join("postgres");
            if fs::symlink_metadata(&link).is_ok() {
                left.push(format!("link {}", link.display()));
            }
            let segments = segments(&out).into_iter().filter(|id| !self.before.contains(id));
            left.extend(segments.map(|id| format!("shared memory {id}")));
        }
        left
    }

    /// Children of this process that live, orphans that came to it among them; the dead are collected.
    #[expect(clippy::unused_self, reason = "whoever holds a bed may look")]
    fn children(&self, statuses: &mut Vec<WaitStatus>) -> Vec<(Pid, String)> {
        while let Ok(Some((_, status))) = wait(WaitOptions::NOHANG) {
            statuses.push(status);
        }
        let me = getpid().as_raw_nonzero().get().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        stats
            .filter_map(|stat| {
                let (head, tail) = stat.rsplit_once(')')?;
                let (pid, name) = head.split_once(" (")?;
                let parent = tail.split_whitespace().nth(1)?;
                let pid = Pid::from_raw(pid.parse().ok()?)?;
                (parent == me).then(|| (pid, name.to_owned()))
            })
            .collect()
    }
}

/// System V shared memory that a PostgreSQL server of the run has made: its log has the process ids.
fn segments(out: &Path) -> Vec<String> {
    let log = fs::read_to_string(out.join("logs/postgres.log")).unwrap_or_default();
    let pids: BTreeSet<&str> = log
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .collect();
    let made = shared()
        .into_iter()
        .filter(|(_, maker)| pids.contains(maker.as_str()));
    made.map(|(segment, _)| segment).collect()
}

/// All System V shared memory: the segment's number, and the process that made it.
fn shared() -> Vec<(String, String)> {
    let listed = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let fields = listed.lines().skip(1).map(|line| line.split_whitespace());
    fields
        .filter_map(|mut fields| Some((fields.nth(1)?.to_owned(), fields.nth(2)?.to_owned())))
        .collect()
}

/// A command that was started, and who reads what it says.
pub(crate) struct Running {
    pub(crate) child: Child,
    said: Vec<thread::JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = [child.stdout.take().map(listen), child.stderr.take().map(listen)];
        Self {
            child,
            said: said.into_iter().flatten().collect(),
        }
    }

    fn end(mut self, began: Instant) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > HUNG {
                self.child.kill().unwrap();
            }
            thread::sleep(LOOK);
        };
        use std::os::unix::process::ExitStatusExt as _;
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        Ended {
            code: code.unwrap_or(-1),
            took: began.elapsed(),
            orphans: Vec::new(),
            left: Vec::new(),
            report: Value::Null,
            said: self
                .said
                .into_iter()
                .map(|said| said.join().unwrap())
                .collect::<Vec<_>>()
                .concat(),
        }
    }
}

/// Until nobody holds the other end any more.
fn listen(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
