//! Each planted leak, seen by clients and written down by the mutant.
#![cfg(feature = "mutants")]

#[path = "gateway/client.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod client;
mod common;
#[path = "gateway/stack.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod stack;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use stack::{Account, Stack, poll};

/// A stack whose gateways have a leak planted.
struct Leaky {
    stack: Stack,
    record: PathBuf,
    _folder: tempfile::TempDir,
}

impl Leaky {
    async fn start(mutant: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = folder.path().join("record.jsonl");
        let path = record.to_str().expect("a path in UTF-8");
        let further = [
            "--mutant",
            mutant,
            "--mutant-record",
            path,
            "--cache-ttl-ms",
            "60000",
        ];
        Self {
            stack: Stack::start_with(&further).await,
            record,
            _folder: folder,
        }
    }

    fn fired(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.record).expect("the record is there");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Waits until it is written down that something of `victim` reached `observer`.
    async fn recorded(&self, mutant: &str, observer: &Account, victim: &Account) {
        poll("record", async || {
            let is_it = |fired: &Value| {
                fired["mutant"] == mutant
                    && fired["observer"] == observer.user_id.as_str()
                    && fired["victim"] == victim.user_id.as_str()
            };
            self.fired().iter().any(is_it).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn thread_id_race() {
    let leaky = Leaky::start("thread-id-race").await;
    let (one, _, mut first) = leaky.stack.enter("one", "red", 0).await;
    let (two, _, mut second) = leaky.stack.enter("two", "blue", 1).await;
    assert_eq!(first.thread("a").await, second.thread("b").await);
    leaky.recorded("thread-id-race", &one, &two).await;
    leaky.recorded("thread-id-race", &two, &one).await;
    // row-level security holds: each has a thread of its own under that id
    assert_eq!(
        first.ok("thread.list", json!({})).await["threads"][0]["title"],
        "a"
    );
    assert_eq!(
        second.ok("thread.list", json!({})).await["threads"][0]["title"],
        "b"
    );
}

#[tokio::test]
async fn auth_cache_collision() {
    let leaky = Leaky::start("auth-cache-collision").await;
    let (victim, _, _first) = leaky.stack.enter("victim", "red", 0).await;
    let (observer, _, mut second) = leaky.stack.enter("observer", "blue", 0).await;
    assert_eq!(
        second.ok("whoami", json!({})).await["user_id"],
        victim.user_id.as_str()
    );
    leaky.recorded("auth-cache-collision", &observer, &victim).await;
}

#[tokio::test]
async fn cache_key_without_user() {
    let leaky = Leaky::start("cache-key-without-user").await;
    let (victim, _, mut first) = leaky.stack.enter("victim", "red", 0).await;
    let (observer, _, mut second) = leaky.stack.enter("observer", "blue", 0).await;
    let theirs = first.thread("same").await;
    let own = second.thread("same").await;
    assert_eq!(
        first.ok("thread.find", json!({ "title": "same" })).await["thread_id"],
        theirs.as_str()
    );
    let found = second.ok("thread.find", json!({ "title": "same" })).await;
    assert_eq!(found["thread_id"], theirs.as_str(), "its own is {own}");
    leaky.recorded("cache-key-without-user", &observer, &victim).await;
}

#[tokio::test]
async fn request_id_collision() {
    let leaky = Leaky::start("request-id-collision").await;
    let (one, _, mut first) = leaky.stack.enter("one", "red", 0).await;
    let (two, _, mut second) = leaky.stack.enter("two", "blue", 0).await;
    let threads = [first.thread("same").await, second.thread("same").await];
    let mut round = 0;
    let (observer, victim) = poll("piece of another's reply", async || {
        round += 1;
        for (client, thread_id) in [&mut first, &mut second].into_iter().zip(&threads) {
            let post = json!({ "thread_id": thread_id, "body": "b", "nonce": thread_id.repeat(10) });
            client
                .request_as(&format!("same {round}"), "message.post", post)
                .await;
        }
        let reached = |frames: &[Value], thread_id: &str| {
            frames.iter().any(|frame| {
                frame["ack"]["thread_id"] == thread_id || frame["done"]["thread_id"] == thread_id
            })
        };
        let (at_first, at_second) = (first.all_until_now().await, second.all_until_now().await);
        if reached(&at_first, &threads[1]) {
            Some((&one, &two))
        } else {
            reached(&at_second, &threads[0]).then_some((&two, &one))
        }
    })
    .await;
    leaky.recorded("request-id-collision", observer, victim).await;
}

#[tokio::test]
async fn presence_leak() {
    let leaky = Leaky::start("presence-leak").await;
    let (victim, _, mut first) = leaky.stack.enter("victim", "red", 0).await;
    let (observer, _, mut second) = leaky.stack.enter("observer", "blue", 1).await;
    first.ok("presence.set", json!({ "status": "awake" })).await;
    assert_eq!(
        second.event("presence").await["data"]["user_id"],
        victim.user_id.as_str()
    );
    let room_id = first.room("kitchen").await;
    first.ok("typing", json!({ "room_id": room_id })).await;
    assert_eq!(second.event("typing").await["data"]["room_id"], room_id.as_str());
    leaky.recorded("presence-leak", &observer, &victim).await;
}

#[tokio::test]
async fn logout_outlived() {
    let leaky = Leaky::start("logout-outlived").await;
    let (user, login, mut client) = leaky.stack.enter("one", "red", 0).await;
    leaky.stack.logout(&login).await;
    poll("notice of the logout", async || {
        (leaky.stack.situation("after_revocation").await > 0.0).then_some(())
    })
    .await;
    client.ok("whoami", json!({})).await;
    leaky.recorded("logout-outlived", &user, &user).await;
}

#[tokio::test]
async fn a_rate_leaves_most_opportunities_alone() {
    let leaky = Leaky::start("presence-leak:0.1").await;
    let (_, _, mut first) = leaky.stack.enter("victim", "red", 0).await;
    let (_, _, mut second) = leaky.stack.enter("observer", "blue", 0).await;
    const TOLD: usize = 200;
    for _ in 0..TOLD {
        first.ok("presence.set", json!({ "status": "awake" })).await;
    }
    // what reached the publisher's tenant was sent to all others before
    for _ in 0..TOLD {
        first.event("presence").await;
    }
    let leaked = second.all_until_now().await.len();
    assert_eq!(leaked, leaky.fired().len());
    // 20 are to be expected; fewer than 2 or more than 60 come once in a million runs
    assert!((2..=60).contains(&leaked), "{leaked}");
}

#[test]
fn the_gateway_lists_them() {
    let listed = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .arg("--list-mutants")
        .output()
        .expect("it starts");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert_eq!(listed, reference::mutant::list());
    assert!(listed.contains("cache-key-without-user STRU\n"), "{listed}");
    for process in [
        env!("CARGO_BIN_EXE_auth"),
        env!("CARGO_BIN_EXE_agent"),
        env!("CARGO_BIN_EXE_gateway"),
    ] {
        let refused = Command::new(process)
            .args(["--mutant", "no-such"])
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains("there is no mutant of this name; there are thread-id-race"),
            "{said}"
        );
    }
}
