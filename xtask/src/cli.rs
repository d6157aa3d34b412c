//! What a user can type.

mod target;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use history::Check;
use isolation::NON_INTERFERENCE_LETTER;
use services::PostgresSource;
use session::plan::PhaseKind;

use crate::fault::Fault;
pub(crate) use target::{TargetCheckArgs, TargetCommand, TargetNewArgs};

/// Do many users at once stay apart, and are they served fairly and fast?
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start real services, drive real users, judge what they saw.
    E2e(Box<E2eArgs>),
    /// Judge a finished run again, from its history alone.
    Judge(JudgeArgs),
    /// Measure the parts of the harness that run while users do.
    Bench(BenchArgs),
    /// Prove that the judge catches planted leaks: the kill matrix, with clean runs beside it.
    Drill(DrillArgs),
    /// Say what this machine lacks, and how to get it.
    Doctor(DoctorArgs),
    /// Target profiles: how to drive a service of one's own.
    #[command(subcommand)]
    Target(TargetCommand),
    /// Everything that must hold before a change lands.
    Ci(CiArgs),
    /// Check the rules of the house: crate directions, file lengths, docs.
    Tidy,
    /// Owns the processes under test; not for people.
    #[command(hide = true)]
    Guard,
}

const E2E_EXAMPLES: &str = "\
Examples:
  cargo xtask e2e                                      twelve users, six checks, every gate
  cargo xtask e2e --users 200 --tenants 10 --repeat 3  more users, three runs with seeds of their own
  cargo xtask e2e --gate 'latency_p99 < 250ms' --gate 'throughput > 200/s'
  cargo xtask e2e --only isolation --seed 7            one plane, a workload that is known
  cargo xtask e2e --target my.toml                     a service of your own, by its profile
  cargo xtask e2e --mutant NAME                        prove that a planted leak is caught; a wrong NAME lists them
  cargo xtask e2e --differential                       are users answered in company as they are alone?
  cargo xtask e2e --fault kill:gateway-0@round         see what a run says when a service dies in its first round

Exit codes, the first that holds:
  129, 130, 143  interrupted by SIGHUP, SIGINT, SIGTERM (10 if a violation was seen before)
  10  violated: something of one user reached another    12  unknown: no evidence either way
  1   the harness could not do its work                  11  a gate was missed
  13  the services did not come up                       2   bad usage
  0   all verdicts valid, all gates met";

/// `e2e`.
#[derive(Debug, Args)]
#[command(after_help = E2E_EXAMPLES)]
pub(crate) struct E2eArgs {
    /// Virtual users, each with an account, tokens and connections of its own; with fewer than six, situations that a
    /// verdict needs may not arise, and it is unknown [default: 12, or all that the target has]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_USERS))]
    pub(crate) users: Option<u32>,

    /// Tenants that the users are spread over, no more than users [default: 3, or one for every 25 users if that is more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_USERS))]
    pub(crate) tenants: Option<u32>,

    /// Measured rounds; consistency over them is gated by `round_spread`
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) rounds: u16,

    /// Length of a round: a number with ms, s or m
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = parse_duration)]
    pub(crate) duration: Duration,

    /// Leave out a phase (join, leave, solo, burst, cancel, exhaust, ...): its situations do not arise, and verdicts that
    /// need them are unknown; may be given again
    #[arg(long, value_name = "PHASE", value_parser = parse_optional_phase)]
    pub(crate) without: Vec<PhaseKind>,

    /// Ops per second over all users, on a schedule of their own and timed from the intended start
    /// [default: each user asks again as soon as it was answered]
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,

    /// Seed of the workload: one seed is one workload, not one interleaving [default: random, printed]
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,

    /// Runs, one after the other; each gets a folder and, without --seed, a random seed of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,

    /// Run this plane alone; may be given again [default: all three]
    #[arg(long, value_name = "PLANE", value_enum)]
    pub(crate) only: Vec<Plane>,

    /// A threshold on top of the floor, as in `latency_p99 < 250ms`; may be given again
    #[arg(long = "gate", value_name = "EXPR")]
    pub(crate) gates: Vec<String>,

    /// Folder of the run; must be empty or not exist [default: .crosstalk/runs/TIME-RUN]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Drive the service of this profile, not the reference services; docs/targets.md
    #[arg(long, value_name = "FILE")]
    pub(crate) target: Option<PathBuf>,

    /// Host that the target may be at, beside loopback; may be given again. A run attacks what it reaches: only what is yours
    #[arg(long, value_name = "HOST", requires = "target")]
    pub(crate) allow_host: Vec<String>,

    /// Plant a leak in the reference services, firing at RATE (0 to 1) of its opportunities [default rate: 1]
    #[arg(long, value_name = "NAME[:RATE]")]
    pub(crate) mutant: Option<String>,

    /// A seventh look: subjects follow scripts alone, alone again (both on fresh services of their own), and together with
    /// everybody; what they are answered must be the same. It sees what canaries cannot: counts, order, existence, errors,
    /// presence. Costs about five seconds, two more starts of the services among them
    #[arg(long)]
    pub(crate) differential: bool,

    /// Break something on purpose: `kill` or `pause` a service (postgres, auth, agent, gateway-0, gateway-1) when a phase
    /// begins (login, connect, ..., round, round-2, ..., close), or at audit, pools or stop. Such a run is never valid.
    /// Also: `kill:guard`, and `kill`, `int`, `term`, `hup` or `panic` for the harness itself, at start too. May be given
    /// again
    #[arg(long = "fault", value_name = "ACTION:WHOM@WHEN")]
    pub(crate) faults: Vec<Fault>,

    /// Folder with the reference services (auth, gateway, agent, migrate), built already [default: they are built]
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,

    /// Never download anything: build with what is there, and use an installed PostgreSQL or none
    #[arg(long)]
    pub(crate) offline: bool,

    /// Print the report as JSON on stdout, and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// No progress: print the result alone
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Finished runs to keep under .crosstalk/runs, this one included
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) keep: u32,

    /// Where PostgreSQL comes from: `any` installed one or else a fetched one, `fetch`, a folder with its binaries, or
    /// the URL of a server whose role may create databases and roles (what a run makes there, it drops)
    #[arg(
        long,
        value_name = "WHERE",
        env = "CROSSTALK_POSTGRES",
        default_value = "any",
        hide_env_values = true
    )]
    pub(crate) postgres: PostgresSource,
}

/// Users and tenants are numbered in 20 bits of a canary.
const MAX_USERS: i64 = 1 << 20;

/// What a run can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Plane {
    /// Six checks: does anything of one user reach another?
    Isolation,
    /// Latency, throughput, fairness, connection time.
    Performance,
    /// Connection pools under stress, and their hygiene.
    Dbpool,
}

impl Plane {
    /// All, in the order of reports.
    pub(crate) const ALL: [Self; 3] = [Self::Isolation, Self::Performance, Self::Dbpool];

    /// As the history's header and the command line spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Performance => "performance",
            Self::Dbpool => "dbpool",
        }
    }
}

/// `judge`.
#[derive(Debug, Args)]
#[command(after_help = "\
A history that is cut short, edited or missing is an error (exit 1), never a verdict.
Exit codes are those of e2e.

Example:
  cargo xtask judge .crosstalk/runs/20260102-030405-1a2b3c")]
pub(crate) struct JudgeArgs {
    /// Folder of the run; only its history is read
    #[arg(value_name = "RUN_DIR")]
    pub(crate) run_dir: PathBuf,

    /// Print the report as JSON on stdout, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only groups whose name contains this [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) filter: Option<String>,

    /// Fewer and shorter samples: a look, not a measurement
    #[arg(long)]
    pub(crate) brief: bool,
}

/// `drill`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each planted leak is one mechanism by which data of one user has really reached another. It runs with a fresh seed, in a
database of its own; what it says it did is read only after the judge has judged.

Exit codes:
  0   every leak fired, was caught by a check expected to, with the right people named; clean runs stayed silent
  1   a leak was missed or never fired, or a run could not be made
  10  a clean run was said to be violated: a false alarm

Examples:
  cargo xtask drill                     every planted leak once
  cargo xtask drill --seeds 5           five times each, with fresh seeds
  cargo xtask drill --check B           those that the boundary check is expected to catch
  cargo xtask drill --control           each without what makes its situation: all must be silent
  cargo xtask drill --rate 0.01         each at one in a hundred of its opportunities
  cargo xtask drill --limit             how rare may a leak be and still be caught in 19 of 20 runs?
  cargo xtask drill --clean 100         a hundred clean runs of many sizes: no false alarm")]
pub(crate) struct DrillArgs {
    /// Only this planted leak; may be given again [default: all]
    #[arg(long = "mutant", value_name = "NAME")]
    pub(crate) mutants: Vec<String>,

    /// Only those that this check is expected to catch: T, K, S, R, U, B or N; may be given again [default: all]
    #[arg(long = "check", value_name = "LETTER", value_parser = parse_check)]
    pub(crate) checks: Vec<char>,

    /// Of those, one for each check: the first that it is expected to catch
    #[arg(long)]
    pub(crate) one_per_check: bool,

    /// Of those, one for each set of phases that makes leaks act
    #[arg(long)]
    pub(crate) one_per_phase: bool,

    /// The other way round: run each without the phases that make its situation; none may fire
    #[arg(long, conflicts_with_all = ["clean", "rate", "limit"])]
    pub(crate) control: bool,

    /// Runs of each, with fresh seeds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) seeds: u32,

    /// Share of its opportunities that a leak takes, each drawn by itself, above 0 and at most 1; one that has fewer than
    /// 3/R in a run need not be caught, and the table says how long a run it takes [default: 1]
    #[arg(long, value_name = "R", value_parser = parse_share)]
    pub(crate) rate: Option<f64>,

    /// Clean runs instead, N of them, with fresh seeds and sizes; one violation is a failure
    #[arg(long, value_name = "N", conflicts_with_all = ["mutants", "checks", "one_per_check", "one_per_phase", "seeds", "rate"], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clean: Option<u32>,

    /// Find the smallest rate at which each is caught in 19 of 20 runs, beside the bound that a clean verdict claims; some
    /// minutes for each [default: one for each of the six checks]
    #[arg(long, conflicts_with_all = ["clean", "seeds", "rate"])]
    pub(crate) limit: bool,

    /// Runs at a time [default: one for every two processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,

    /// Folder for drill.json, matrix.md and the runs that went wrong [default: .crosstalk/drills/TIME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Never download anything
    #[arg(long)]
    pub(crate) offline: bool,

    /// Print drill.json on stdout, and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// No progress: print the matrix alone
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Where PostgreSQL comes from, as in e2e
    #[arg(
        long,
        value_name = "WHERE",
        env = "CROSSTALK_POSTGRES",
        default_value = "any",
        hide_env_values = true
    )]
    pub(crate) postgres: PostgresSource,
}

impl DrillArgs {
    /// Runs at a time: each keeps about two processors busy.
    pub(crate) fn jobs(&self) -> u16 {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs
            .unwrap_or_else(|| u16::try_from(processors / 2).unwrap_or(u16::MAX).clamp(1, 8))
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.unwrap_or(1.0)
    }
}

fn parse_optional_phase(text: &str) -> Result<PhaseKind, String> {
    PhaseKind::named(text)
        .filter(|kind| kind.is_optional())
        .ok_or_else(|| {
            let optional: Vec<_> = PhaseKind::optional().map(PhaseKind::name).collect();
            format!("one of {}", optional.join(", "))
        })
}

fn parse_check(text: &str) -> Result<char, String> {
    let six = || Check::ALL.iter().map(|check| check.letter());
    let letters = || six().chain([NON_INTERFERENCE_LETTER]);
    let known = letters().find(|letter| text.eq_ignore_ascii_case(&letter.to_string()));
    known.ok_or_else(|| {
        let letters: Vec<String> = letters().map(String::from).collect();
        format!("one of {}", letters.join(", "))
    })
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("a number above 0 and at most 1".to_owned()),
    }
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Users that a run is meant to have: some limits depend on it
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=MAX_USERS))]
    pub(crate) users: u32,
}

/// `ci`.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Only steps whose name contains this; may be given again [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// List the steps and stop
    #[arg(long)]
    pub(crate) list: bool,
}

/// What is wrong with what was typed, where clap cannot see it: printed and coded (2) as clap does its own.
#[derive(Clone, Debug)]
pub(crate) struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

impl Misuse {
    /// Of the command that was typed.
    pub(crate) fn of(&self, typed: &ArgMatches) -> clap::Error {
        let (mut command, mut typed) = (Cli::command(), typed);
        command.build();
        while let Some((name, more)) = typed.subcommand() {
            let own = command.find_subcommand(name).cloned();
            (command, typed) = (own.unwrap_or(command), more);
        }
        command.error(ErrorKind::ValueValidation, self)
    }
}

pub(crate) fn usage(message: impl Into<String>) -> Misuse {
    Misuse(message.into())
}

/// A number with a unit: `250ms`, `1.5s`, `2m`; at least a millisecond, at most an hour.
fn parse_duration(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 3_600.0;
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("`{number}` is not a number"))?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "" => return Err("the unit is missing: ms, s or m".to_owned()),
        other => return Err(format!("unknown unit `{other}`: ms, s or m")),
    };
    if !(0.001..=LONGEST).contains(&seconds) {
        return Err("must be from 1ms to 60m".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Ops per second: above 0, at most a million.
fn parse_rate(text: &str) -> Result<f64, String> {
    const MOST: f64 = 1e6;
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if rate > 0.0 && rate <= MOST {
        Ok(rate)
    } else {
        Err("must be above 0 and at most 1000000".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn check_duration(text: &str, expect: Result<u64, &str>) {
        let expect = expect.map(Duration::from_millis).map_err(str::to_owned);
        assert_eq!(parse_duration(text), expect, "{text}");
    }

    #[test]
    fn durations() {
        check_duration("250ms", Ok(250));
        check_duration("1.5s", Ok(1_500));
        check_duration("2m", Ok(120_000));
        check_duration("1", Err("the unit is missing: ms, s or m"));
        check_duration("1h", Err("unknown unit `h`: ms, s or m"));
        check_duration("s", Err("`` is not a number"));
        check_duration("0s", Err("must be from 1ms to 60m"));
        check_duration("-1s", Err("must be from 1ms to 60m"));
        check_duration("61m", Err("must be from 1ms to 60m"));
        check_duration("nans", Err("`` is not a number"));
    }

    #[test]
    fn rates() {
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        for bad in ["0", "-1", "nan", "inf", "x", "1e7"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}
