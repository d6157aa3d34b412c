//! Bare client and harness in turns, and what the difference is made of.

use anyhow::Result;

use crate::child::{self, Server};
use crate::echo::{self, Echo};
use crate::target::Frame;
use crate::{Effort, bare, harness, replay};

pub(crate) const GROUP: &str = "round trip";
const USERS: u32 = 50;
/// Of the median, in CPU time of the bare client.
const TARGET: f64 = 1.25;

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
        let (mut pairs, mut parts) = (Vec::new(), None);
        for _ in 0..effort.pairs {
            let (pair, replayed) = turn(&echo, effort, frame)?;
            eprintln!(
                "{GROUP}, {frame:?}: bare {:.2} us, harness {:.2} us, {:.3} x",
                pair.bare.all() / 1e3,
                pair.harness.all() / 1e3,
                pair.ratio()
            );
            pairs.push(pair);
            parts = Some(replayed);
        }
        pairs.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        if let Some(parts) = parts {
            report(frame, &pairs, parts);
        }
    }
    Ok(())
}

/// The bare client, the harness, and the replay of what that left, whose sums are of a round trip.
fn turn(echo: &Echo, effort: Effort, frame: Frame) -> Result<(Pair, replay::Done)> {
    let seconds = effort.seconds;
    let bare: bare::Done = child::run(
        bare::ROLE,
        &bare::Order {
            gateway: echo.gateway.clone(),
            users: USERS as usize,
            seconds,
            frame,
        },
    )?;
    let folder = tempfile::tempdir()?;
    let harness: harness::Done = child::run(
        harness::ROLE,
        &harness::Order {
            echo: echo.clone(),
            users: USERS,
            seconds,
            frame,
            folder: folder.path().to_path_buf(),
        },
    )?;
    let replayed: replay::Done = child::run(
        replay::ROLE,
        &replay::Order {
            folder: folder.path().to_path_buf(),
            frame,
        },
    )?;
    let pair = Pair {
        bare: Cost::of(bare.spent, bare.round_trips),
        harness: Cost::of(harness.spent, harness.round_trips),
    };
    let each = |ns: f64| ns / harness.round_trips.max(1) as f64;
    let replayed = replay::Done {
        encode: replayed.encode,
        decode: each(replayed.decode),
        append: each(replayed.append),
        judge: each(replayed.judge),
        meter: each(replayed.meter),
    };
    Ok((pair, replayed))
}

/// The pair of the median ratio, and what its harness spent on what.
fn report(frame: Frame, pairs: &[Pair], parts: replay::Done) {
    let bytes = frame.bare(0).len();
    let median = pairs[pairs.len() / 2];
    let (least, most) = (pairs[0].ratio(), pairs[pairs.len() - 1].ratio());
    let say = |what: &str, value: String, target: &str| {
        println!("figure: {GROUP}, {bytes} bytes, {USERS} users | {what} | {value} | {target}");
    };
    say(
        "CPU, harness / bare client",
        format!(
            "{:.2} x ({least:.2} to {most:.2}, {} pairs)",
            median.ratio(),
            pairs.len()
        ),
        &format!("at most {TARGET} x"),
    );
    let both = |of: fn(Cost) -> f64| {
        format!(
            "{:.2} us, bare {:.2} us",
            of(median.harness) / 1e3,
            of(median.bare) / 1e3
        )
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
    let rest = median.harness.user - (encode + decode + append + judge + meter);
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
        format!("{:.2} us, bare {:.2} us", rest / 1e3, median.bare.user / 1e3),
        "",
    );
}
