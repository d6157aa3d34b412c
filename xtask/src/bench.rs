//! Runs the benches of all crates and prints what they found as two tables: times, and figures that they worked out.

mod figure;

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Metadata, TargetKind};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use services::PostgresSource;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cli::BenchArgs;
use crate::database::Database;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::{screen, workspace};

use figure::Figure;

/// `benchmark.json` of criterion.
#[derive(Deserialize)]
struct Named {
    full_id: String,
    throughput: Option<Throughput>,
}

/// What one iteration works through.
#[derive(Deserialize)]
enum Throughput {
    Bytes(u64),
    BytesDecimal(u64),
    Bits(u64),
    Elements(u64),
    ElementsAndBytes { bytes: u64 },
}

/// `estimates.json` of criterion.
#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
}

/// In nanoseconds an iteration.
#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Bounds,
}

/// Of 95 % confidence.
#[derive(Deserialize)]
struct Bounds {
    lower_bound: f64,
    upper_bound: f64,
}

/// Runs them, then prints.
pub(crate) async fn run(args: &BenchArgs) -> Result<Exit> {
    let metadata = workspace::metadata()?;
    let benches = benches(&metadata);
    if benches.is_empty() {
        bail!("no crate of the workspace has a bench");
    }
    let interrupt = Interrupt::listen()?;
    let began = SystemTime::now();
    let database = Database::start(PostgresSource::from_env(), false, CONNECTIONS).await?;
    let mut cargo = workspace::cargo();
    cargo.arg("bench").env("DBPOOL_BENCH_URL", database.url());
    for (package, bench) in &benches {
        cargo.args(["--package", package, "--bench", bench]);
    }
    cargo.arg("--").args(&args.filter);
    if args.brief {
        cargo.args(BRIEF);
    }
    let ended = ended(cargo, &interrupt, args.filter.as_deref()).await;
    database.stop().await?;
    let (status, figures) = ended?;
    if let Some(signal) = interrupt.seen() {
        return Ok(Exit::Interrupted(signal));
    }
    if !status.success() {
        bail!("the benches failed: cargo ended with {status}");
    }
    let rows = rows(metadata.target_directory.join("criterion").as_std_path(), began)?;
    if rows.is_empty() && figures.is_empty() {
        bail!(
            "no bench is named like `{}`",
            args.filter.as_deref().unwrap_or_default()
        );
    }
    if !rows.is_empty() {
        screen::print(&format!("{}\n", table(&rows)))?;
    }
    screen::print(&figure::table(&figures))?;
    Ok(Exit::Done)
}

/// Waits for cargo, shows what the benches say and picks out their figures; a signal ends it and the bench that it runs.
async fn ended(
    mut cargo: Command,
    interrupt: &Interrupt,
    filter: Option<&str>,
) -> Result<(ExitStatus, Vec<Figure>)> {
    cargo.stdout(Stdio::piped()).process_group(0);
    let mut cargo = tokio::process::Command::from(cargo)
        .spawn()
        .context("cannot run cargo")?;
    let group = cargo.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = cargo.stdout.take().context("the output of cargo is not a pipe")?;
    let figures = async {
        let (mut lines, mut figures) = (BufReader::new(output).lines(), Vec::new());
        while let Some(line) = lines.next_line().await? {
            writeln!(std::io::stderr(), "{line}")?;
            figures.extend(Figure::read(&line, filter));
        }
        anyhow::Ok(figures)
    };
    let status = async {
        tokio::select! {
            status = cargo.wait() => Ok(status?),
            _ = interrupt.came() => {
                if let Some(group) = group {
                    kill_process_group(group, Signal::TERM).context("cannot end the benches")?;
                }
                Ok(cargo.wait().await?)
            }
        }
    };
    let (figures, status) = tokio::join!(figures, status);
    let status: Result<ExitStatus> = status;
    Ok((
        status.context("cannot wait for cargo")?,
        figures.context("cannot read what the benches say")?,
    ))
}

/// Connections that the benches open at most.
const CONNECTIONS: u16 = 40;

/// What makes criterion brief: seconds, seconds, samples.
const BRIEF: [&str; 6] = [
    "--warm-up-time",
    "0.2",
    "--measurement-time",
    "0.5",
    "--sample-size",
    "10",
];

/// All benches, with the package of each.
fn benches(metadata: &Metadata) -> Vec<(&str, &str)> {
    let targets = metadata
        .packages
        .iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)));
    targets
        .filter(|(_, target)| target.kind.contains(&TargetKind::Bench))
        .map(|(package, target)| (package.name.as_str(), target.name.as_str()))
        .collect()
}

/// Name, time, its interval, rate: of every bench that wrote its estimates since `began`.
fn rows(criterion: &Path, began: SystemTime) -> Result<Vec<[String; 4]>> {
    let mut rows = Vec::new();
    let mut open = vec![criterion.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        open.extend(
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.is_dir()),
        );
        let estimates = folder.join("estimates.json");
        let fresh = || Some(estimates.metadata().ok()?.modified().ok()? >= began);
        if folder.ends_with("new") && fresh() == Some(true) {
            rows.push(row(&read(&folder.join("benchmark.json"))?, &read(&estimates)?));
        }
    }
    rows.sort();
    Ok(rows)
}

fn read<T: for<'a> Deserialize<'a>>(path: &PathBuf) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", path.display()))
}

fn row(named: &Named, estimates: &Estimates) -> [String; 4] {
    let mean = &estimates.mean;
    let bounds = &mean.confidence_interval;
    let per_s = |count: u64| count as f64 / mean.point_estimate * 1e9;
    let rate = match named.throughput {
        None => String::new(),
        Some(Throughput::Elements(count)) => format!("{:.0} /s", per_s(count)),
        Some(Throughput::Bits(bits)) => format!("{:.1} MB/s", per_s(bits) / 8e6),
        Some(
            Throughput::Bytes(bytes)
            | Throughput::BytesDecimal(bytes)
            | Throughput::ElementsAndBytes { bytes },
        ) => {
            format!("{:.1} MB/s", per_s(bytes) / 1e6)
        }
    };
    let interval = format!("{} to {}", time(bounds.lower_bound), time(bounds.upper_bound));
    [named.full_id.clone(), time(mean.point_estimate), interval, rate]
}

/// Nanoseconds, in the unit that fits.
fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

fn table(rows: &[[String; 4]]) -> String {
    let head = ["bench", "mean", "95 % interval", "rate"].map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().map(|row| row[column].len()).max().unwrap_or(0);
    let (name, mean, interval, rate) = (width(0), width(1), width(2), width(3));
    let line = |[a, b, c, d]: &[String; 4]| format!("{a:name$}  {b:>mean$}  {c:>interval$}  {d:>rate$}");
    all()
        .map(line)
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(root: &Path, name: &str, throughput: &str, ns: f64) {
        let folder = root.join(name).join("new");
        fs::create_dir_all(&folder).unwrap();
        let named = format!(r#"{{"full_id":"{name}","throughput":{throughput},"group_id":"x"}}"#);
        fs::write(folder.join("benchmark.json"), named).unwrap();
        let interval = format!(r#"{{"lower_bound":{},"upper_bound":{}}}"#, ns * 0.9, ns * 1.1);
        let estimates = format!(r#"{{"mean":{{"point_estimate":{ns},"confidence_interval":{interval}}}}}"#);
        fs::write(folder.join("estimates.json"), estimates).unwrap();
    }

    #[test]
    fn one_table_of_what_was_just_measured() {
        let root = tempfile::tempdir().unwrap();
        bench(root.path(), "scan/clean", r#"{"Bytes":1024}"#, 512.0);
        bench(root.path(), "histogram/record", r#"{"Elements":1}"#, 2_500.0);
        bench(root.path(), "pool/checkout", "null", 3_000_000.0);
        let rows = rows(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        insta::assert_snapshot!(table(&rows), @r"
        bench                 mean         95 % interval         rate
        histogram/record   2.50 us    2.25 us to 2.75 us    400000 /s
        pool/checkout      3.00 ms    2.70 ms to 3.30 ms
        scan/clean        512.0 ns  460.8 ns to 563.2 ns  2000.0 MB/s
        ");
    }

    #[test]
    fn what_was_measured_earlier_is_not_shown() {
        let root = tempfile::tempdir().unwrap();
        bench(root.path(), "scan/clean", "null", 1.0);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert!(rows(root.path(), later).unwrap().is_empty());
        assert!(rows(&root.path().join("none"), later).unwrap().is_empty());
    }
}
