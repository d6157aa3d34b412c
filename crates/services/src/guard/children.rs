//! The processes that a guard owns: started, stopped step by step, reaped.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};

use crate::launch::{INHERITED_ENV, Undo};
use crate::log::tail;
use crate::{Exit, Launch, Signal, StopStep};

/// How many processes a guard owns at most.
const CHILDREN_MAX: usize = 256;

struct Child {
    name: String,
    pid: Pid,
    tier: u8,
    steps: VecDeque<StopStep>,
    /// When the present stop step's grace is over; `None` while nobody wants it stopped.
    deadline: Option<Instant>,
    asked: bool,
    forced: bool,
    /// What ends what it has started, if that goes on without it.
    undo: Option<Undo>,
    /// Whether it is there to end what another has started.
    undoes: Option<Box<Launch>>,
}

/// A service that has forked away from what started it.
struct Away {
    tier: u8,
    undo: Undo,
}

/// A child that was reaped.
pub(super) struct Reaped {
    pub(super) name: String,
    pub(super) exit: Exit,
    pub(super) asked: bool,
    pub(super) forced: bool,
}

#[derive(Default)]
pub(super) struct Children {
    living: Vec<Child>,
    away: Vec<Away>,
    /// What went wrong with ending those that were away, a sentence each; `None` if nobody was.
    undone: Option<Vec<String>>,
}

impl Children {
    pub(super) fn spawn(&mut self, launch: Launch) -> io::Result<i32> {
        if self.living.len() >= CHILDREN_MAX {
            return Err(io::Error::other(format!(
                "{CHILDREN_MAX} processes run already, the limit"
            )));
        }
        if self.find(&launch.name).is_some() {
            return Err(io::Error::other("a process of that name runs already"));
        }
        let raw = start(&launch)?;
        let pid = Pid::from_raw(raw).ok_or_else(|| io::Error::other("the system gave it no process id"))?;
        self.living.push(Child {
            name: launch.name,
            pid,
            tier: launch.tier,
            steps: launch.stop.into(),
            deadline: None,
            asked: launch.task,
            forced: false,
            undo: launch.undo,
            undoes: None,
        });
        Ok(raw)
    }

    fn find(&mut self, name: &str) -> Option<&mut Child> {
        self.living.iter_mut().find(|child| child.name == name)
    }

    /// Begins to stop a child; a name that is not alive has its `Exited` report already behind it.
    pub(super) fn stop(&mut self, name: &str) {
        if let Some(child) = self.find(name) {
            child.begin_stop();
        }
    }

    pub(super) fn signal(&mut self, name: &str, signal: Signal, asked: bool) {
        if let Some(child) = self.find(name) {
            child.asked |= asked && signal.ends();
            child.send(signal);
        }
    }

    /// Begins to stop the highest tier that lives or is away; `false` if nobody does.
    pub(super) fn stop_highest_tier(&mut self) -> bool {
        let living = self.living.iter().map(|child| child.tier);
        let Some(tier) = living.chain(self.away.iter().map(|away| away.tier)).max() else {
            return false;
        };
        for away in self
            .away
            .extract_if(.., |away| away.tier == tier)
            .collect::<Vec<_>>()
        {
            self.undo(away);
        }
        self.living
            .iter_mut()
            .filter(|child| child.tier == tier)
            .for_each(Child::begin_stop);
        true
    }

    /// Begins to end what has forked away.
    fn undo(&mut self, Away { tier, undo }: Away) {
        let problems = self.undone.get_or_insert_default();
        let started = start(&undo.launch).map(Pid::from_raw);
        let Ok(Some(pid)) = started else {
            let why = started.map_or_else(|error| error.to_string(), |_| "it has no process id".to_owned());
            problems.push(format!("{} cannot be run: {why}", undo.launch.name));
            return;
        };
        self.living.push(Child {
            name: undo.launch.name.clone(),
            pid,
            tier,
            steps: VecDeque::new(),
            deadline: Some(Instant::now() + undo.within),
            asked: true,
            forced: false,
            undo: None,
            undoes: Some(undo.launch),
        });
    }

    /// How long ending those who are away may take.
    pub(super) fn undoing(&self) -> Duration {
        let undos = self.away.iter().map(|away| &away.undo);
        let living = self.living.iter().filter_map(|child| child.undo.as_ref());
        undos
            .chain(living)
            .map(|undo| undo.within)
            .max()
            .unwrap_or_default()
    }

    /// What went wrong with ending those who were away, a sentence each; `None` if nobody was.
    pub(super) fn undone(&mut self) -> Option<Vec<String>> {
        self.undone.take()
    }

    pub(super) fn kill_all(&mut self) {
        self.living.iter_mut().for_each(Child::kill);
    }

    /// The next instant at which a stop step runs out.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.living.iter().filter_map(|child| child.deadline).min()
    }

    /// Goes on to the next stop step where one has run out.
    pub(super) fn escalate(&mut self, now: Instant) {
        self.living
            .iter_mut()
            .filter(|child| child.deadline.is_some_and(|deadline| deadline <= now))
            .for_each(Child::next_step);
    }

    /// Collects whoever has ended, adopted orphans included.
    pub(super) fn reap(&mut self) -> Vec<Reaped> {
        let mut reaped = Vec::new();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let (Some(at), Some(exit)) = (
                self.living.iter().position(|child| child.pid == pid),
                exit_of(status),
            ) else {
                continue;
            };
            let child = self.living.remove(at);
            // What it left behind in its group goes with it, but for what it was to start; no such group is the good case.
            if child.undo.is_none() || child.is_stopped() {
                let _ = kill_process_group(pid, rustix::process::Signal::KILL);
            }
            if let Some(launch) = &child.undoes {
                let problem = failed(&child, launch, exit);
                self.undone.get_or_insert_default().extend(problem);
            }
            if let Some(undo) = child.undo {
                let tier = child.tier;
                self.away.push(Away { tier, undo });
            }
            reaped.push(Reaped {
                name: child.name,
                exit,
                asked: child.asked,
                forced: child.forced,
            });
        }
        reaped
    }
}

/// What went wrong with ending what has forked away, if anything did.
fn failed(child: &Child, launch: &Launch, exit: Exit) -> Option<String> {
    let name = &child.name;
    let how = match (child.forced, exit.success()) {
        (true, _) => "did not come to an end in time and was killed".to_owned(),
        (false, false) => format!("failed, {exit}"),
        (false, true) => return None,
    };
    let said = tail(&launch.log);
    let last = said.lines.last().map(|line| format!(": {line}"));
    Some(format!("{name} {how}{}", last.unwrap_or_default()))
}

impl Child {
    /// Whether it was told to end.
    fn is_stopped(&self) -> bool {
        self.deadline.is_some() || self.forced
    }

    fn begin_stop(&mut self) {
        if self.deadline.is_none() {
            self.asked = true;
            self.next_step();
        }
    }

    fn next_step(&mut self) {
        match self.steps.pop_front() {
            Some(step) => {
                self.send(step.signal);
                // A frozen process ends only once it is thawed.
                self.send(Signal::Cont);
                self.deadline = Some(Instant::now() + step.grace);
            }
            None => self.kill(),
        }
    }

    fn kill(&mut self) {
        self.asked = true;
        self.forced = true;
        self.deadline = None;
        self.steps.clear();
        let _ = kill_process_group(self.pid, rustix::process::Signal::KILL);
        self.send(Signal::Kill);
    }

    /// To the process itself; a freeze or a thaw to all that it has started too, as a server of many processes would go
    /// on by halves, or wait for a frozen half at its end.
    fn send(&self, signal: Signal) {
        // It may have ended a moment ago; then its exit is reported next.
        let _ = kill_process(self.pid, signal.raw());
        if !signal.ends() {
            for below in descendants(self.pid) {
                let _ = kill_process(below, signal.raw());
            }
        }
    }
}

/// Starts a process.
fn start(launch: &Launch) -> io::Result<i32> {
    // Not waited for through the handle: `Children::reap` collects every child of the guard.
    let child = command(launch)?.spawn()?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

/// A process in a group of its own, out of reach of the terminal's signals.
pub(super) fn command(launch: &Launch) -> io::Result<Command> {
    let log = OpenOptions::new().create(true).append(true).open(&launch.log)?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    command.env_clear();
    command.envs(
        INHERITED_ENV
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &launch.cwd {
        command.current_dir(folder);
    }
    if let Some(account) = &launch.account {
        // The standard library drops root's supplementary groups when it changes the user.
        command.uid(account.uid).gid(account.gid);
    }
    Ok(command)
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    let code = status.exit_status().map(Exit::Code);
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Kills the processes that the guard adopted when their parents died; `false` once it has no children left.
pub(super) fn kill_adopted() -> bool {
    adopted()
        .map(|pid| kill_process(pid, rustix::process::Signal::KILL))
        .fold(false, |_some, _sent| true)
}

/// The guard's children, those included that it adopted.
pub(super) fn adopted() -> impl Iterator<Item = Pid> {
    let me = rustix::process::getpid();
    let all = parents().into_iter();
    all.filter(move |(_, parent)| *parent == me).map(|(pid, _)| pid)
}

/// All processes that stem from this one, the nearest first.
fn descendants(of: Pid) -> Vec<Pid> {
    let parents = parents();
    let mut found = vec![of];
    let mut looked = 0;
    while let Some(parent) = found.get(looked).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        looked += 1;
    }
    found.split_off(1)
}

/// Every process of this machine and its parent.
#[cfg(target_os = "linux")]
fn parents() -> Vec<(Pid, Pid)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((Pid::from_raw(pid)?, Pid::from_raw(parent_of(pid)?)?)))
        .collect()
}

/// The fourth field of a process's `stat`; the second, its name, may hold anything but ends at the last `)`.
#[cfg(target_os = "linux")]
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Orphans go to the system's first process here, not to the guard, and nobody says who is whose.
#[cfg(not(target_os = "linux"))]
fn parents() -> Vec<(Pid, Pid)> {
    Vec::new()
}
