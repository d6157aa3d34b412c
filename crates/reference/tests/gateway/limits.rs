//! What is refused without ending the connection, and what ends it.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::stack::{Stack, poll};

const SECRET: &str = "canary-in-a-bad-frame";

/// The database's backends that serve the gateways, paused until dropped.
struct Paused(Vec<String>);

impl Paused {
    async fn all(stack: &Stack) -> Self {
        let mut root = stack.cluster.connect("root").await;
        let backends = "select pid::text from pg_stat_activity where usename = 'gateway'";
        let backends = sqlx::query_scalar(backends).fetch_all(&mut root).await;
        let paused = Self(backends.expect("their ids"));
        assert!(paused.tell("-STOP"));
        paused
    }

    fn tell(&self, signal: &str) -> bool {
        let mut kill = std::process::Command::new("kill");
        let told = kill.arg(signal).args(&self.0).status();
        told.is_ok_and(|status| status.success())
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // one that has ended meanwhile needs nothing
        self.tell("-CONT");
    }
}

async fn check(client: &mut Client, message: String, expect: (Option<&str>, &str)) {
    client.send(message).await;
    let frame = client.find(|frame| frame.get("err").is_some()).await;
    assert_eq!(
        (
            frame.get("re").and_then(Value::as_str),
            frame["err"]["code"].as_str()
        ),
        (expect.0, Some(expect.1))
    );
    assert!(!frame.to_string().contains(SECRET), "{frame}");
    client.ok("whoami", json!({})).await;
}

#[tokio::test]
async fn bad_messages_are_refused_and_the_connection_lives() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let client = &mut client;
    check(
        client,
        format!("{{\"id\":\"x\",\"op\":\"{SECRET}"),
        (None, "bad_json"),
    )
    .await;
    check(client, format!("[\"{SECRET}\"]"), (None, "bad_json")).await;
    check(
        client,
        json!({ "op": "whoami", "x": SECRET }).to_string(),
        (None, "bad_request"),
    )
    .await;
    check(
        client,
        json!({ "id": "7", "op": SECRET }).to_string(),
        (Some("7"), "unknown_op"),
    )
    .await;
    let wrong = json!({ "id": "7", "op": "thread.create", "title": [SECRET] });
    check(client, wrong.to_string(), (Some("7"), "bad_request")).await;
    let nul = json!({ "id": "7", "op": "thread.create", "title": format!("{SECRET}\0") });
    check(client, nul.to_string(), (Some("7"), "bad_request")).await;
    let long = json!({ "id": "7", "op": "thread.create", "title": SECRET.repeat(40) });
    check(client, long.to_string(), (Some("7"), "bad_request")).await;
    let large = json!({ "id": "7", "op": "thread.create", "title": SECRET.repeat(40_000) });
    check(client, large.to_string(), (Some("7"), "too_large")).await;
    check(client, "x".repeat(64 * 1024 + 1), (None, "too_large")).await;
    client.send_message(Message::binary(SECRET)).await;
    let frame = client.find(|frame| frame.get("err").is_some()).await;
    assert_eq!(frame["err"]["code"], "bad_json");
    client.ok("whoami", json!({})).await;
}

#[tokio::test]
async fn the_largest_message_is_taken() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let thread_id = client.thread("plans").await;
    let post = |body: &str| json!({ "id": "l", "op": "message.post", "thread_id": thread_id, "body": body, "nonce": "n" });
    let body = "b".repeat(64 * 1024 - post("").to_string().len());
    client.send(post(&body).to_string()).await;
    assert!(
        client
            .answer("l")
            .await
            .last()
            .expect("a last frame")
            .get("done")
            .is_some()
    );
    let read = client.ok("thread.read", json!({ "thread_id": thread_id })).await;
    assert_eq!(read["messages"][0]["body"], body.as_str());
}

#[tokio::test]
async fn a_message_beyond_the_hard_limit_ends_the_connection() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    client.send("x".repeat(1024 * 1024 + 1)).await;
    assert_eq!(client.closed().await.0, Some(1009));
}

#[tokio::test]
async fn requests_in_flight_are_counted_and_told_apart() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let thread_id = client.thread("plans").await;
    // the row's lock keeps the requests in flight until all of them are there
    let mut root = stack.cluster.connect("root").await;
    let mut lock = sqlx::Connection::begin(&mut root).await.expect("a transaction");
    let sql = "select from threads where thread_id = $1::uuid for update";
    sqlx::query(sql)
        .bind(&thread_id)
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let post = json!({ "thread_id": thread_id, "body": "b", "nonce": "n" });
    for n in 0..32 {
        client
            .request_as(&format!("p{n}"), "message.post", post.clone())
            .await;
    }
    client.request_as("p0", "message.post", post.clone()).await;
    assert_eq!(client.answer("p0").await[0]["err"]["code"], "duplicate_id");
    client.request_as("p32", "message.post", post).await;
    assert_eq!(client.answer("p32").await[0]["err"]["code"], "busy");
    lock.commit().await.expect("the lock is given up");
    for n in 0..32 {
        let id = format!("p{n}");
        assert!(
            client
                .answer(&id)
                .await
                .last()
                .expect("a last frame")
                .get("done")
                .is_some()
        );
    }
    let (_, metrics) = stack.gateways[0].operator("/metrics").await;
    assert!(metrics.contains("pool_in_use_max{pool=\"db\"} 8\n"), "{metrics}");
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_holds_nobody_up() {
    let stack = Stack::start().await;
    let (_, _, mut writer) = stack.enter("writer", "red", 0).await;
    let (reader, _, mut slow) = stack.enter("reader", "red", 0).await;
    let room_id = writer.room("kitchen").await;
    writer
        .ok(
            "room.add",
            json!({ "room_id": room_id, "user_id": reader.user_id }),
        )
        .await;
    slow.ok("room.subscribe", json!({ "room_id": room_id })).await;
    let gateway = &stack.gateways[0];
    poll("closed slow reader", async || {
        for _ in 0..16 {
            let post = json!({ "room_id": room_id, "body": "x".repeat(60_000) });
            writer.request("room.post", post).await;
        }
        for _ in 0..16 {
            let answer = writer.find(|frame| frame.get("re").is_some()).await;
            assert!(answer.get("ok").is_some(), "{answer}");
        }
        (gateway.metric("connections_open").await < 2.0).then_some(())
    })
    .await;
    let (code, frames) = slow.closed().await;
    assert_eq!(code, Some(4408));
    assert!(frames.len() > 10, "{frames:?}");
    poll("count", async || {
        (gateway.metric("slow_readers_total").await == 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_hangs_is_not_waited_for_and_used_again_afterwards() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let thread = json!({ "title": "plans" });
    client.ok("thread.create", thread.clone()).await;
    let paused = Paused::all(&stack).await;
    for _ in 0..2 {
        let refused = client.ask("thread.create", thread.clone()).await;
        assert_eq!(refused, Err("unavailable".to_owned()));
    }
    drop(paused);
    client.ok("thread.create", thread).await;
}
