//! Bare client and harness in turns, and what the difference is made of.

use std::path::Path;

use anyhow::Result;

use crate::child::{self, Server};
use crate::echo::{self, Echo};
use crate::target::Frame;
use crate::{Effort, bare, harness, replay};

pub(crate) const GROUP: &str = "round trip";
const USERS: u32 = 50;
/// Of the median, in CPU time of the bare client.
const TARGET: f64 = 1.25;
/// How many times the lower quartile of the ratios the upper one may be; beyond, their median says nothing. Of eight full measurements on
/// a machine that others use, too, six had 1.1 to 1.2, and two were off with 1.3 and 1.9.
const SPREAD_MAX: f64 = 1.3;
/// Milliseconds of a run that is replayed.
const REPLAYED_MS: u64 = 1_000;

/// One turn of both, in CPU nanoseconds of a round trip.
#[derive(Clone, Copy, Debug)]
struct Pair {
    bare: Cost,
    harness: Cost,
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    user: f64,
    kernel: f64,
}

impl Cost {
    fn of(spent: crate::cpu::Spent, round_trips: u64) -> Self {
        let ns = spent.ns / round_trips.max(1) as f64;
        let kernel = ns * spent.kernel;
        Self {
            user: ns - kernel,
            kernel,
        }
    }

    fn all(self) -> f64 {
        self.user + self.kernel
    }
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.harness.all() / self.bare.all()
    }
}

/// Measures and prints.
pub(crate) fn measure(effort: Effort) -> Result<()> {
    let (_server, echo) = Server::start::<Echo>(echo::ROLE)?;
    for frame in Frame::ALL {
        let mut pairs = Vec::new();
        for turn in 0..effort.pairs {
            let pair = pair(&echo, effort.slice_ms, frame, turn % 2 == 0)?;
            eprintln!(
                "{GROUP}, {frame:?}: bare {:.2} us, harness {:.2} us, {:.3} x",
                pair.bare.all() / 1e3,
                pair.harness.all() / 1e3,
                pair.ratio()
            );
            pairs.push(pair);
        }
        report(frame, &pairs, parts(&echo, frame)?);
    }
    Ok(())
}

/// One turn of both; who begins takes turns, too.
fn pair(echo: &Echo, slice_ms: u64, frame: Frame, bare_first: bool) -> Result<Pair> {
    let bare = || -> Result<Cost> {
        let order = bare::Order {
            gateway: echo.gateway.clone(),
            users: USERS as usize,
            slice_ms,
            frame,
        };
        let done: bare::Done = child::run(bare::ROLE, &order)?;
        Ok(Cost::of(done.spent, done.round_trips))
    };
    let harness = || -> Result<Cost> {
        let folder = tempfile::tempdir()?;
        let done = drive(echo, slice_ms, frame, folder.path())?;
        Ok(Cost::of(done.spent, done.round_trips))
    };
    Ok(if bare_first {
        let bare = bare()?;
        Pair {
            bare,
            harness: harness()?,
        }
    } else {
        let harness = harness()?;
        Pair {
            bare: bare()?,
            harness,
        }
    })
}

fn drive(echo: &Echo, slice_ms: u64, frame: Frame, folder: &Path) -> Result<harness::Done> {
    let order = harness::Order {
        echo: echo.clone(),
        users: USERS,
        slice_ms,
        frame,
        folder: folder.to_path_buf(),
    };
    child::run(harness::ROLE, &order)
}

/// What the parts of recording and judging cost by themselves, of a round trip.
fn parts(echo: &Echo, frame: Frame) -> Result<replay::Done> {
    let folder = tempfile::tempdir()?;
    let driven = drive(echo, REPLAYED_MS, frame, folder.path())?;
    let order = replay::Order {
        folder: folder.path().to_path_buf(),
        frame,
    };
    let replayed: replay::Done = child::run(replay::ROLE, &order)?;
    let each = |ns: f64| ns / driven.round_trips.max(1) as f64;
    Ok(replay::Done {
        encode: replayed.encode,
        decode: each(replayed.decode),
        append: each(replayed.append),
        judge: each(replayed.judge),
        meter: each(replayed.meter),
    })
}

/// The value that a share of all values is below.
fn quantile(pairs: &[Pair], share: f64, of: impl Fn(&Pair) -> f64) -> f64 {
    let mut values: Vec<f64> = pairs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// The medians over all pairs, and what the harness spent on what.
fn report(frame: Frame, pairs: &[Pair], parts: replay::Done) {
    let bytes = frame.bare(0).len();
    let say = |what: &str, value: String, target: &str| {
        println!("figure: {GROUP}, {bytes} bytes, {USERS} users | {what} | {value} | {target}");
    };
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(pairs, share, Pair::ratio));
    let steady = low > 0.0 && high / low <= SPREAD_MAX;
    let ratio = match steady {
        true => format!("{median:.2} x"),
        false => "too unsteady, measure again".to_owned(),
    };
    say(
        "CPU, harness / bare client",
        format!("{ratio} (half of {} pairs: {low:.2} to {high:.2})", pairs.len()),
        &format!("at most {TARGET} x"),
    );
    let median = |of: fn(Cost) -> f64| {
        let harness = quantile(pairs, 0.5, |pair| of(pair.harness));
        (harness, quantile(pairs, 0.5, |pair| of(pair.bare)))
    };
    let both = |of: fn(Cost) -> f64| {
        let (harness, bare) = median(of);
        format!("{:.2} us, bare {:.2} us", harness / 1e3, bare / 1e3)
    };
    say("  all", both(Cost::all), "");
    say(
        "  kernel: socket write, read, wait, files",
        both(|cost| cost.kernel),
        "",
    );
    let replay::Done {
        encode,
        decode,
        append,
        judge,
        meter,
    } = parts;
    let (user, bare) = median(|cost| cost.user);
    let rest = user - (encode + decode + append + judge + meter);
    let parts = [
        ("  user: mint, encode", encode),
        ("  user: decode", decode),
        ("  user: history", append),
        ("  user: judge", judge),
        ("  user: meter", meter),
    ];
    for (what, ns) in parts {
        say(what, format!("{:.2} us", ns / 1e3), "");
    }
    say(
        "  user: the rest (framing, tasks, ledger)",
        format!("{:.2} us, bare {:.2} us", rest / 1e3, bare / 1e3),
        "",
    );
}
