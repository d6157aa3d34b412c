//! CPU time, memory and limits of this process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// CPU time of all threads of this process since it began.
pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// CPU time, and how the kernel says that it was divided.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// All of it, in nanoseconds.
    pub(crate) ns: f64,
    /// The share in the kernel, by its ticks.
    pub(crate) kernel: f64,
}

/// A point from which CPU time is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    used: Duration,
    ticks: [u64; 2],
}

impl Mark {
    pub(crate) fn now() -> Self {
        Self {
            used: used(),
            ticks: ticks().unwrap_or_default(),
        }
    }

    pub(crate) fn until(self, end: Self) -> Spent {
        let [user, kernel] = [0, 1].map(|at| (end.ticks[at] - self.ticks[at]) as f64);
        Spent {
            ns: (end.used - self.used).as_nanos() as f64,
            kernel: kernel / (user + kernel).max(1.0),
        }
    }
}

/// Ticks in user code and in the kernel: fields 14 and 15 of proc(5)'s `stat`.
fn ticks() -> Option<[u64; 2]> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some([fields.next()?.parse().ok()?, fields.next()?.parse().ok()?])
}

/// Proportional set size of this process in KiB: its own pages, and its part of those that it shares.
pub(crate) fn pss_kib() -> Result<u64> {
    let path = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.with_context(|| format!("no line Pss in {path}"))
}

/// Keeps this process, with all threads that it starts, on one of two CPUs; on a machine with one there is nothing to keep.
pub(crate) fn stay_on(cpu: usize) -> Result<()> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = CpuSet::new();
    set.set(cpu % cpus);
    sched_setaffinity(None, &set).with_context(|| format!("cannot stay on CPU {cpu}"))
}

/// Allows as many open files as this account may have; returns how many that are.
pub(crate) fn raise_open_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
