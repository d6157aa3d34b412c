//! Our side of a WebSocket against the Autobahn cases: the same dial, tap and limits as in a run, echoing what comes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::connect::Upgraded;
use super::tap::Backlog;
use crate::tls::Tls;

/// Names the program that runs the cases, if it is not on `PATH`.
const PROGRAM: &str = "CROSSTALK_KOSOKU";
/// Cases of groups 1 to 7.
const CASES_MIN: usize = 246;

/// Talks to the server of the cases, and sends back what it says.
struct Peer {
    address: String,
    backlog: Rc<Backlog>,
}

impl Peer {
    /// Echoes until the end, which may be ours; the first text.
    async fn visit(&self, path: &str) -> Option<String> {
        let request = format!("ws://{}{path}", self.address)
            .into_client_request()
            .expect("a URL");
        let upgraded = Upgraded::dial(request, &Tls::default(), &self.backlog).await;
        let mut stream = upgraded.expect("it takes connections").stream;
        let mut first = None;
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = &message {
                first.get_or_insert_with(|| text.to_string());
            }
            let data = matches!(message, Message::Text(_) | Message::Binary(_));
            if data && stream.send(message).await.is_err() {
                break;
            }
        }
        first
    }
}

/// Starts the server of the cases, which reports into `folder`; the child and its address.
fn serve(folder: &std::path::Path) -> (Child, String) {
    let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "kosoku".into());
    let groups = (1..=7).flat_map(|group| ["--include".to_owned(), format!("{group}.*")]);
    let mut child = Command::new(program)
        .args(["--mode", "fuzzingserver", "127.0.0.1:0", "--outdir"])
        .arg(folder)
        .args(groups)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kosoku runs: `pip install kosoku`, or name it by CROSSTALK_KOSOKU");
    let mut said = String::new();
    let stderr = child.stderr.take().expect("it is piped");
    BufReader::new(stderr)
        .read_line(&mut said)
        .expect("it says where it listens");
    let (_, address) = said.trim().split_once("ws://").expect("it says where it listens");
    (child, address.to_owned())
}

#[test]
#[ignore = "needs the Python package kosoku"]
fn our_side_passes_groups_1_to_7() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, address) = serve(folder.path());
    let peer = Peer {
        address,
        backlog: Rc::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let count = peer.visit("/getCaseCount").await.expect("a count");
        for case in 1..=count.parse::<u32>().expect("a number") {
            peer.visit(&format!("/runCase?case={case}&agent=crosstalk")).await;
        }
        peer.visit("/updateReports?agent=crosstalk").await;
    });
    let ended = child.wait().expect("it ends");
    let index = std::fs::read(folder.path().join("index.json")).expect("a report");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let mut counts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (case, result) in index
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, cases)| cases.as_object().into_iter().flatten())
    {
        let behaviour = result["behavior"].as_str().expect("a verdict");
        counts.entry(behaviour).or_default().push(case);
    }
    for (behaviour, cases) in &counts {
        let named = if *behaviour == "OK" { &[][..] } else { &cases[..] };
        println!("{behaviour}: {} {}", cases.len(), named.join(" "));
    }
    assert!(ended.success(), "{counts:?}");
    assert!(
        counts.values().map(Vec::len).sum::<usize>() >= CASES_MIN,
        "{counts:?}"
    );
}
