//! What a round trip costs the harness, as a multiple of what it costs a bare WebSocket client; and what a user costs in
//! memory.
//!
//! One binary with four parts, each a process of its own: the server that sends everything back, the bare client, the
//! harness (the crate as it is used: log-in, connect, a measured round, all that is recorded and judged), and the replay
//! of a history, which says what recording and judging cost by themselves. CPU time is that of a whole process between
//! the first and the last round trip, so that a busy machine disturbs it little; bare client and harness take turns.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is what the bench is run for"
)]

mod bare;
mod child;
mod cpu;
mod echo;
mod harness;
mod memory;
mod ratio;
mod replay;
mod target;

use anyhow::{Result, bail};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Pairs of a bare client and the harness.
    pairs: usize,
    /// Milliseconds that each of them runs: the processor of a machine that others use too changes its pace from second to second, and
    /// both of a pair should meet the same.
    slice_ms: u64,
}

const FULL: Effort = Effort {
    pairs: 61,
    slice_ms: 400,
};
const BRIEF: Effort = Effort {
    pairs: 15,
    slice_ms: 400,
};

/// Arguments of the benches that have a value, as `cargo xtask bench` hands them to all.
const WITH_VALUE: [&str; 3] = ["--warm-up-time", "--measurement-time", "--sample-size"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut filter, mut effort, mut measure) = (None, FULL, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            child::ROLE => return play(arguments),
            "--bench" => measure = true,
            known if WITH_VALUE.contains(&known) => {
                effort = BRIEF;
                arguments.next();
            }
            option if option.starts_with('-') => {}
            name => filter = Some(name.to_owned()),
        }
    }
    if !measure {
        return Ok(());
    }
    let wanted = |group: &str| filter.as_deref().is_none_or(|filter| group.contains(filter));
    cpu::raise_open_files()?;
    if wanted(ratio::GROUP) {
        ratio::measure(effort)?;
    }
    if wanted(memory::GROUP) {
        memory::measure()?;
    }
    Ok(())
}

/// What a child process does.
fn play(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let role = arguments.next().unwrap_or_default();
    let order = arguments.next().unwrap_or_default();
    match role.as_str() {
        echo::ROLE => echo::serve(),
        bare::ROLE => child::answer(&bare::run(&serde_json::from_str(&order)?)?),
        harness::ROLE => child::answer(&harness::run(&serde_json::from_str(&order)?)?),
        replay::ROLE => child::answer(&replay::run(&serde_json::from_str(&order)?)?),
        role => bail!("there is no part {role:?}"),
    }
}
