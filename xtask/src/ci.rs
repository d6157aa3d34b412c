//! Everything that must hold before a change lands, in the order in which a failure is cheapest to learn of.

mod plain;
mod step;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::cli::{CiArgs, usage};
use crate::exit::Exit;
use crate::screen::{self, Paint};
use crate::workspace;
use step::{Step, Task};

/// Runs the selected steps, all of them even if one fails.
pub(crate) fn run(args: &CiArgs) -> Result<Exit> {
    let selected =
        |step: &Step| args.only.is_empty() || args.only.iter().any(|only| step.name.contains(only));
    let steps: Vec<Step> = steps().into_iter().filter(selected).collect();
    if steps.is_empty() {
        bail!(usage("--only: no step is named like that; --list names them"));
    }
    if args.list {
        for step in &steps {
            screen::print(step.name)?;
        }
        return Ok(Exit::Done);
    }
    let paint = Paint::for_stdout();
    let began = Instant::now();
    let free_before = workspace::free_bytes();
    let mut failed = Vec::new();
    for step in &steps {
        screen::print(&format!("....    {}", step.name))?;
        let began = Instant::now();
        let outcome = step.run();
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(said) => screen::print(&format!(
                "{}  {:40} {seconds:7.1} s{said}",
                paint.good("passed"),
                step.name
            ))?,
            Err(error) => {
                failed.push(step.name);
                screen::print(&format!("{error:#}"))?;
                screen::print(&format!(
                    "{}  {:40} {seconds:7.1} s",
                    paint.bad("failed"),
                    step.name
                ))?;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if !failed.is_empty() {
        screen::print(&format!("failed: {}", failed.join(", ")))?;
    }
    screen::print(&format!("took {seconds:.1} s"))?;
    if let (Some(before), Some(after)) = (free_before, workspace::free_bytes()) {
        let [before, after] = [before, after].map(|bytes| bytes as f64 / f64::from(1 << 30));
        screen::print(&format!(
            "disk: {before:.1} GiB free before, {after:.1} GiB after"
        ))?;
    }
    screen::print(&format!(
        "{} passed, {} failed",
        steps.len() - failed.len(),
        failed.len()
    ))?;
    Ok(if failed.is_empty() {
        Exit::Done
    } else {
        Exit::Error
    })
}

fn steps() -> Vec<Step> {
    let words = |arguments: &'static str| arguments.split_whitespace().collect();
    let cargo = |name, arguments| Step {
        name,
        task: Task::Cargo(words(arguments)),
    };
    let own = |name, arguments| Step {
        name,
        task: Task::Xtask(words(arguments)),
    };
    let tests = if step::has_nextest() {
        "nextest run --workspace --no-fail-fast"
    } else {
        "test --workspace --lib --bins --tests --no-fail-fast"
    };
    vec![
        cargo("format", "fmt --all --check"),
        own("tidy", "tidy"),
        cargo("clippy", "clippy --workspace --all-targets -- -D warnings"),
        cargo(
            "clippy with mutants and echo",
            "clippy --workspace --all-targets --features reference/mutants,reference/echo -- -D warnings",
        ),
        cargo(
            "clippy of what fuzzing opens",
            "clippy --workspace --lib -- --cfg fuzzing -D warnings",
        ),
        cargo("docs", "doc --workspace --no-deps"),
        cargo("tests", tests),
        cargo("doctests", "test --workspace --doc"),
        own("e2e", "e2e"),
        Step {
            name: "mutants are out of plain builds",
            task: Task::Own(plain::builds_are_clean),
        },
        own("drill", "drill --quiet --one-per-check --one-per-phase"),
    ]
}
