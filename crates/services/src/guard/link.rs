//! The harness's end of the two pipes to the guard.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use super::Farewell;
use super::children::command;
use super::protocol::{Order, Report};
use crate::launch::Undo;
use crate::log::tail;
use crate::{Death, Error, Exit, Launch, Leftover, Process};

/// How many orders may wait to be written to the guard.
const ORDERS_MAX: usize = 64;
/// How often a leftover is tried to be removed while killed processes still write to it, and how far apart.
const REMOVE_TRIES: u32 = 40;
const REMOVE_PAUSE: Duration = Duration::from_millis(50);

type Started = Result<(i32, watch::Receiver<Option<Exit>>), String>;

/// What the harness knows of a living process.
#[derive(Debug)]
struct Living {
    pid: Pid,
    exit: watch::Sender<Option<Exit>>,
}

#[derive(Debug, Default)]
struct Known {
    starting: HashMap<String, oneshot::Sender<Started>>,
    living: HashMap<String, Living>,
    kept: BTreeMap<u32, Leftover>,
    /// For those that fork away.
    undos: Vec<Undo>,
    clearing: HashMap<u32, oneshot::Sender<Option<String>>>,
    next_id: u32,
    farewell: Farewell,
}

/// Whether the guard speaks yet, still, or no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Listening,
    /// It said that everything is stopped.
    Done,
    /// It fell silent without having said so.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Link {
    orders: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    known: Mutex<Known>,
    stage: watch::Sender<Stage>,
    deaths: watch::Sender<Vec<Death>>,
    log: PathBuf,
    http: reqwest::Client,
}

impl Link {
    pub(super) fn open(
        stdin: ChildStdin,
        stdout: ChildStdout,
        log: PathBuf,
        http: reqwest::Client,
    ) -> Arc<Self> {
        let (orders, queued) = mpsc::channel(ORDERS_MAX);
        let link = Arc::new(Self {
            orders: Mutex::new(Some(orders)),
            known: Mutex::default(),
            stage: watch::Sender::new(Stage::Starting),
            deaths: watch::Sender::default(),
            log,
            http,
        });
        tokio::spawn(write_orders(stdin, queued));
        tokio::spawn(Arc::clone(&link).read_reports(stdout));
        link
    }

    /// Waits for the guard's first word; `false` if it never comes.
    pub(super) async fn ready(&self) -> bool {
        let mut stage = self.stage.subscribe();
        let stage = stage.wait_for(|stage| *stage != Stage::Starting).await;
        stage.is_ok_and(|stage| *stage == Stage::Listening)
    }

    /// Ends the orders, which tells the guard to end everything.
    pub(super) fn close(&self) {
        lock(&self.orders).take();
    }

    pub(super) async fn farewell(&self) -> Result<Farewell, Error> {
        let mut stage = self.stage.subscribe();
        let end = stage
            .wait_for(|stage| matches!(stage, Stage::Done | Stage::Lost))
            .await;
        if end.is_ok_and(|stage| *stage == Stage::Done) {
            return Ok(std::mem::take(&mut lock(&self.known).farewell));
        }
        Err(self.lost())
    }

    pub(super) fn deaths(&self) -> watch::Receiver<Vec<Death>> {
        self.deaths.subscribe()
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    fn lost(&self) -> Error {
        Error::GuardLost { log: tail(&self.log) }
    }

    pub(crate) async fn order(&self, order: Order) -> Result<(), Error> {
        let mut line = serde_json::to_vec(&order).map_err(|source| Error::Order { source })?;
        line.push(b'\n');
        let orders = lock(&self.orders).clone().ok_or_else(|| self.lost())?;
        orders.send(line).await.map_err(|_| self.lost())
    }

    pub(super) async fn spawn(self: &Arc<Self>, launch: Launch) -> Result<Process, Error> {
        let (name, program, log) = (launch.name.clone(), launch.program.clone(), launch.log.clone());
        let refused = |reason| Error::Spawn {
            name: name.clone(),
            program: program.clone(),
            reason,
        };
        let forks = launch.undo.is_some();
        let (tell, told) = oneshot::channel();
        if !lock(&self.known).expect_start(&name, tell) {
            return Err(refused("a process of that name runs already".into()));
        }
        lock(&self.known).undos.extend(launch.undo.clone());
        if let Err(error) = self.order(Order::Spawn { launch }).await {
            lock(&self.known).starting.remove(&name);
            return Err(error);
        }
        let started = told.await.map_err(|_| self.lost())?;
        let (pid, exit) = started.map_err(refused)?;
        let process = Process::new(Arc::clone(self), name, pid, log, exit);
        Ok(if forks { process.forking() } else { process })
    }

    pub(super) async fn keep(&self, leftover: Leftover) -> Result<u32, Error> {
        let id = lock(&self.known).keep(leftover.clone());
        self.order(Order::Keep { id, leftover }).await?;
        Ok(id)
    }

    pub(super) async fn clear(&self, id: u32) -> Result<(), Error> {
        let (tell, told) = oneshot::channel();
        lock(&self.known).clearing.insert(id, tell);
        self.order(Order::Clear { id }).await?;
        let problem = told.await.map_err(|_| self.lost())?;
        problem.map_or(Ok(()), |problem| Err(Error::NotRemoved { problem }))
    }

    async fn read_reports(self: Arc<Self>, stdout: ChildStdout) {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(report) => self.take_in(report),
                Err(_) => break,
            }
        }
        if *self.stage.borrow() != Stage::Done {
            self.take_over().await;
        }
    }

    fn take_in(&self, report: Report) {
        let mut known = lock(&self.known);
        match report {
            Report::Ready => drop(self.stage.send_replace(Stage::Listening)),
            Report::Started { name, pid } => known.started(name, pid),
            Report::Refused { name, reason } => {
                if let Some(tell) = known.starting.remove(&name) {
                    let _ = tell.send(Err(reason));
                }
            }
            Report::Exited {
                name,
                exit,
                asked,
                forced,
            } => {
                if forced {
                    known.farewell.forced.push(name.clone());
                }
                let ended = known.living.remove(&name);
                // Before its end: whoever saw the end asks whether it was a death.
                if !asked {
                    self.deaths
                        .send_modify(|deaths| deaths.push(Death { name, exit }));
                }
                if let Some(process) = ended {
                    process.exit.send_replace(Some(exit));
                }
            }
            Report::Cleared { id, problem } => {
                known.kept.remove(&id);
                if let Some(tell) = known.clearing.remove(&id) {
                    let _ = tell.send(problem);
                }
            }
            Report::Done { problems } => {
                self.close();
                known.give_up_waiting();
                // Dropping the senders tells whoever watches one that nobody saw end.
                known.living.clear();
                known.farewell.problems = problems;
                self.stage.send_replace(Stage::Done);
            }
        }
    }

    /// The guard is gone without having stopped anything: kills and removes in its place.
    async fn take_over(&self) {
        self.close();
        let (living, kept, undos) = {
            let mut known = lock(&self.known);
            known.give_up_waiting();
            let (living, kept) = (std::mem::take(&mut known.living), std::mem::take(&mut known.kept));
            (living, kept, std::mem::take(&mut known.undos))
        };
        for (name, process) in living {
            let _ = kill_process_group(process.pid, rustix::process::Signal::KILL);
            self.deaths.send_modify(|deaths| {
                deaths.push(Death {
                    name,
                    exit: Exit::Unseen,
                })
            });
            process.exit.send_replace(Some(Exit::Unseen));
        }
        for undo in undos {
            // whoever stops the guard is told that the guard is lost, which is worse than what may fail here
            let Ok(mut command) = command(&undo.launch).map(tokio::process::Command::from) else {
                continue;
            };
            let _ = tokio::time::timeout(undo.within, command.kill_on_drop(true).status()).await;
        }
        for leftover in kept.into_values().rev() {
            // If it stays: whoever stops the guard is told that the guard is lost, which is worse.
            for _ in 0..REMOVE_TRIES {
                if leftover.remove().await.is_ok() {
                    break;
                }
                tokio::time::sleep(REMOVE_PAUSE).await;
            }
        }
        self.stage.send_replace(Stage::Lost);
    }
}

impl Known {
    /// Notes who waits for a start; `false` if the name is taken.
    fn expect_start(&mut self, name: &str, tell: oneshot::Sender<Started>) -> bool {
        let free = !self.living.contains_key(name) && !self.starting.contains_key(name);
        if free {
            self.starting.insert(name.to_owned(), tell);
        }
        free
    }

    fn keep(&mut self, leftover: Leftover) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.kept.insert(id, leftover);
        id
    }

    /// The guard will answer nobody any more: dropping the senders tells whoever waits.
    fn give_up_waiting(&mut self) {
        self.starting.clear();
        self.clearing.clear();
    }

    fn started(&mut self, name: String, raw: i32) {
        let (exit, watched) = watch::channel(None);
        if let Some(pid) = Pid::from_raw(raw) {
            self.living.insert(name.clone(), Living { pid, exit });
        }
        if let Some(tell) = self.starting.remove(&name) {
            let _ = tell.send(Ok((raw, watched)));
        }
    }
}

async fn write_orders(mut stdin: ChildStdin, mut orders: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = orders.recv().await {
        if stdin.write_all(&line).await.is_err() {
            break;
        }
    }
}

/// Nothing under these locks can panic; a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
