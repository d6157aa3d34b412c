//! The gateway's WebSocket layer against the Autobahn cases, through the endpoint that builds with the feature `echo` have.

mod common;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use common::Cluster;
use serde_json::Value;
use tokio::process::Command;

/// Names the program that runs the cases, if it is not on `PATH`.
const PROGRAM: &str = "CROSSTALK_KOSOKU";
/// Cases of groups 1 to 7.
const CASES_MIN: usize = 246;
/// How long the gateway may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing listens there: an echo needs neither keys nor replies.
const NOBODY: &str = "127.0.0.1:9";

#[tokio::test]
#[ignore = "needs the Python package kosoku"]
async fn the_gateway_passes_groups_1_to_7() {
    let cluster = Cluster::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let ports = folder.path().join("ports.json");
    let _gateway = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--issuer", "iss", "--audience", "aud", "--replica", "0"])
        .args(["--agent", NOBODY, "--jwks-url", &format!("http://{NOBODY}/")])
        .arg("--ports-file")
        .arg(&ports)
        .env("DATABASE_URL", cluster.url("gateway"))
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the gateway starts");
    let bound = async {
        loop {
            if let Ok(bytes) = std::fs::read(&ports) {
                return serde_json::from_slice::<Value>(&bytes).expect("it is renamed into place");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let bound = tokio::time::timeout(PATIENCE, bound).await.expect("it listens");
    let url = format!("ws://{}/echo", bound["bind"].as_str().expect("an address"));
    let reports = folder.path().join("reports");
    let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "kosoku".into());
    let groups = (1..=7).flat_map(|group| ["--include".to_owned(), format!("{group}.*")]);
    let ran = Command::new(program)
        .args(["--mode", "fuzzingclient", &url, "--outdir"])
        .arg(&reports)
        .args(groups)
        .output()
        .await
        .expect("kosoku runs: `pip install kosoku`, or name it by CROSSTALK_KOSOKU");
    let index = std::fs::read(reports.join("index.json")).expect("a report");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let mut counts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let agents = index.as_object().into_iter().flatten();
    for (case, result) in agents.flat_map(|(_, cases)| cases.as_object().into_iter().flatten()) {
        let behaviour = result["behavior"].as_str().expect("a verdict");
        counts.entry(behaviour).or_default().push(case);
    }
    for (behaviour, cases) in &counts {
        let named = if *behaviour == "OK" { &[][..] } else { &cases[..] };
        println!("{behaviour}: {} {}", cases.len(), named.join(" "));
    }
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(
        counts.values().map(Vec::len).sum::<usize>() >= CASES_MIN,
        "{counts:?}"
    );
}
