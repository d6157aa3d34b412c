//! The guard's own side: a small process that owns the services and outlives the harness by just as long as it
//! takes to stop them.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};
use tokio::sync::mpsc;

use super::children::{Children, adopted, kill_adopted};
use super::protocol::{Order, Report};
use crate::{Leftover, STOP_GRACE};

/// How many orders may wait to be carried out.
const ORDERS_MAX: usize = 64;
/// How long stopping every service may take in all before each that still lives is killed; on top of what ending those that forked
/// away may take.
const STOP_ALL: Duration = Duration::from_secs(15);
/// How long killed processes and adopted orphans may take to vanish.
const SWEEP: Duration = Duration::from_secs(3);
/// How long databases on somebody else's server may take to be dropped.
const REMOVAL: Duration = Duration::from_secs(10);
/// How often orphans are looked for while some are left.
const SWEEP_POLL: Duration = Duration::from_millis(20);

/// Runs this process as a guard until its standard input ends or it gets SIGTERM, then stops every service,
/// removes what was registered, and returns.
///
/// A binary calls this in a mode of its own, started by [`Guard::start`](crate::Guard::start), and returns the
/// code from `main`: success if nothing was left behind.
#[must_use]
pub fn run() -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            match Running::begin() {
                Ok(guard) => guard.run().await,
                Err(error) => failed(&error),
            }
        }),
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    complain(&format!("the guard cannot run: {error}"));
    ExitCode::FAILURE
}

/// Into the guard's log, which is where its standard error goes.
fn complain(what: &str) {
    // Nobody is left to tell if even the log cannot be written.
    let _ = writeln!(io::stderr(), "{what}");
}

struct Running {
    orders: mpsc::Receiver<Order>,
    child_ended: Incoming,
    told_to_end: Incoming,
    /// Handled only to be ignored: a terminal's signals are the harness's business.
    ignored: [Incoming; 2],
    children: Children,
    leftovers: Vec<(u32, Leftover)>,
}

impl Running {
    fn begin() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let guard = Self {
            child_ended: signal(SignalKind::child())?,
            told_to_end: signal(SignalKind::terminate())?,
            ignored: [signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?],
            orders: listen(),
            children: Children::default(),
            leftovers: Vec::new(),
        };
        tell(&Report::Ready);
        Ok(guard)
    }

    async fn run(mut self) -> ExitCode {
        while self.serve().await {}
        let problems = self.end().await;
        problems.iter().for_each(|problem| complain(problem));
        let clean = problems.is_empty();
        tell(&Report::Done { problems });
        if clean {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Handles the next thing that happens; `false` when it is time to end.
    async fn serve(&mut self) -> bool {
        let deadline = self.children.next_deadline();
        let [interrupt, hangup] = &mut self.ignored;
        tokio::select! {
            order = self.orders.recv() => match order {
                Some(order) => self.carry_out(order).await,
                None => return false,
            },
            _ = self.told_to_end.recv() => return false,
            _ = self.child_ended.recv() => self.reap(),
            () = until(deadline) => self.children.escalate(Instant::now()),
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        true
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Spawn { launch } => {
                let name = launch.name.clone();
                tell(&match self.children.spawn(launch) {
                    Ok(pid) => Report::Started { name, pid },
                    Err(error) => Report::Refused {
                        name,
                        reason: error.to_string(),
                    },
                });
            }
            Order::Stop { name } => self.children.stop(&name),
            Order::Signal { name, signal, asked } => self.children.signal(&name, signal, asked),
            Order::Keep { id, leftover } => self.leftovers.push((id, leftover)),
            Order::Clear { id } => {
                let problem = match self.leftovers.iter().position(|(kept, _)| *kept == id) {
                    Some(at) => remove(&self.leftovers.remove(at).1).await,
                    None => None,
                };
                tell(&Report::Cleared { id, problem });
            }
        }
    }

    fn reap(&mut self) {
        for ended in self.children.reap() {
            let (name, exit, asked, forced) = (ended.name, ended.exit, ended.asked, ended.forced);
            tell(&Report::Exited {
                name,
                exit,
                asked,
                forced,
            });
        }
    }

    /// Stops everything tier by tier, then removes everything, latest first; what could not be removed.
    async fn end(&mut self) -> Vec<String> {
        let limit = Instant::now() + STOP_ALL + self.children.undoing();
        while Instant::now() < limit && self.children.stop_highest_tier() {
            let next = self
                .children
                .next_deadline()
                .map_or(limit, |deadline| deadline.min(limit));
            self.pass_time(next).await;
        }
        self.children.kill_all();
        let mut problems = match self.children.undone() {
            Some(problems) => problems.into_iter().chain(self.outlast().await).collect(),
            None => Vec::new(),
        };
        problems.extend(self.sweep().await);
        while let Some((_, leftover)) = self.leftovers.pop() {
            problems.extend(remove(&leftover).await);
        }
        problems
    }

    /// Waits for a child to end or for the instant to come, and does what is due.
    async fn pass_time(&mut self, until_then: Instant) {
        tokio::select! {
            _ = self.child_ended.recv() => self.reap(),
            () = until(Some(until_then)) => self.children.escalate(Instant::now()),
        }
    }

    /// Waits for what had forked away to end, once it was told to.
    async fn outlast(&mut self) -> Option<String> {
        let limit = Instant::now() + STOP_GRACE;
        loop {
            self.reap();
            adopted().next()?;
            if Instant::now() >= limit {
                return Some(format!(
                    "what had forked away was still there {STOP_GRACE:?} after its stop command, and is killed"
                ));
            }
            self.pass_time(Instant::now() + SWEEP_POLL).await;
        }
    }

    /// Waits until no process is left, killed ones and orphans included.
    async fn sweep(&mut self) -> Option<String> {
        let limit = Instant::now() + SWEEP;
        loop {
            self.reap();
            let adopted = kill_adopted();
            if !adopted && !self.children.stop_highest_tier() {
                return None;
            }
            if Instant::now() >= limit {
                return Some(format!("some processes were still there {SWEEP:?} after SIGKILL"));
            }
            self.pass_time(Instant::now() + SWEEP_POLL).await;
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn remove(leftover: &Leftover) -> Option<String> {
    match tokio::time::timeout(REMOVAL, leftover.remove()).await {
        Ok(removed) => removed.err(),
        Err(_) => Some(format!("removing what is left took more than {REMOVAL:?}")),
    }
}

/// Reads orders on a thread of its own, as standard input cannot be awaited. The channel closes at its end, and at
/// a line that is no order, as nothing after it could be trusted.
fn listen() -> mpsc::Receiver<Order> {
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let order = match serde_json::from_str(&line) {
                Ok(order) => order,
                Err(error) => {
                    return complain(&format!("the guard was given a line that is no order: {error}"));
                }
            };
            if orders.blocking_send(order).is_err() {
                return;
            }
        }
    });
    received
}

/// Reports to the harness; if it is gone, the end of standard input says so too.
fn tell(report: &Report) {
    if let Ok(line) = serde_json::to_string(report) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
