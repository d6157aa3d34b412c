//! Streamed replies: whole, tied to their request, cancellable, stored.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::stack::{Stack, string};

fn text_of(frames: &[Value]) -> String {
    let pieces: Vec<&Value> = frames.iter().filter_map(|frame| frame.get("delta")).collect();
    for (n, piece) in pieces.iter().enumerate() {
        assert_eq!(piece["n"], n, "{frames:?}");
    }
    pieces.iter().map(|piece| string(&piece["text"])).collect()
}

#[tokio::test]
async fn a_reply_is_streamed_and_stored() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let thread_id = client.thread("plans").await;
    let id = client
        .request(
            "message.post",
            json!({ "thread_id": thread_id, "body": "b1", "nonce": "n1" }),
        )
        .await;
    let frames = client.answer(&id).await;
    assert_eq!(frames[0]["ack"], json!({ "thread_id": thread_id, "seq": 1 }));
    let text = text_of(&frames);
    let digest: String = Sha256::digest("b1")
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        text,
        format!("n1 is message 1 of \"plans\"; the thread reads {digest}")
    );
    let done = json!({ "thread_id": thread_id, "seq": 2, "chars": text.chars().count() });
    assert_eq!(frames.last().expect("a last frame")["done"], done);
    let read = client.ok("thread.read", json!({ "thread_id": thread_id })).await;
    assert_eq!(read["messages"][1]["body"], text.as_str());
    assert_eq!(read["messages"][1]["role"], "agent");
}

#[tokio::test]
async fn equal_request_ids_on_two_connections_get_their_own_replies() {
    let stack = Stack::start().await;
    let (_, _, mut one) = stack.enter("one", "red", 0).await;
    let (_, _, mut two) = stack.enter("two", "blue", 0).await;
    let threads = [one.thread("same").await, two.thread("same").await];
    for round in 0..30 {
        let clients: [&mut Client; 2] = [&mut one, &mut two];
        let mut expect = Vec::new();
        for (client, thread_id) in clients.into_iter().zip(&threads) {
            let nonce = format!("nonce of {thread_id} {round}");
            let post = json!({ "thread_id": thread_id, "body": "same", "nonce": nonce });
            client.request_as("same", "message.post", post).await;
            expect.push(nonce);
        }
        for (client, nonce) in [&mut one, &mut two].into_iter().zip(&expect) {
            let frames = client.answer("same").await;
            assert!(text_of(&frames).starts_with(nonce.as_str()), "{frames:?}");
        }
    }
    assert!(stack.situation("equal_request_id_in_flight").await > 0.0);
}

#[tokio::test]
async fn a_reply_is_cancelled_by_its_own_connection_only() {
    let stack = Stack::start().await;
    let (_, login, mut client) = stack.enter("one", "red", 0).await;
    let mut second = stack.connect(0, &login).await;
    let thread_id = client.thread("plans").await;
    let (mut stored, mut cancelled) = (0, 0);
    while cancelled < 3 {
        assert!(stored < 200, "no reply could be cancelled");
        let post = json!({ "thread_id": thread_id, "body": "b", "nonce": "n".repeat(512) });
        let id = client.request("message.post", post).await;
        let foreign = second.ok("cancel", json!({ "request": id })).await;
        assert_eq!(foreign, json!({ "cancelled": false }));
        let stop = client.request("cancel", json!({ "request": id })).await;
        let stopped = client.answer(&stop).await[0]["ok"]["cancelled"] == true;
        let last = client.answer(&id).await.pop().expect("a last frame");
        assert_eq!(last.get("done").is_some(), !stopped, "{last}");
        stored += 1 + usize::from(!stopped);
        if stopped {
            assert_eq!(last["err"]["code"], "cancelled");
            cancelled += 1;
        }
        let read = client.ok("thread.read", json!({ "thread_id": thread_id })).await;
        assert_eq!(read["messages"].as_array().map(Vec::len), Some(stored));
    }
    let nothing = client.ok("cancel", json!({ "request": "never asked" })).await;
    assert_eq!(nothing, json!({ "cancelled": false }));
}

#[tokio::test]
async fn a_reply_is_stored_though_the_client_left() {
    let stack = Stack::start().await;
    let (_, login, mut client) = stack.enter("one", "red", 0).await;
    let thread_id = client.thread("plans").await;
    let id = client
        .request(
            "message.post",
            json!({ "thread_id": thread_id, "body": "b", "nonce": "n" }),
        )
        .await;
    client
        .find(|frame| frame["re"] == id.as_str() && frame.get("ack").is_some())
        .await;
    drop(client);
    let mut again = stack.connect(1, &login).await;
    crate::stack::poll("stored reply", async || {
        let read = again.ok("thread.read", json!({ "thread_id": thread_id })).await;
        (read["messages"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
}
