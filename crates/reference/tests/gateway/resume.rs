//! Catching up after a lost connection.

use serde_json::{Value, json};

use crate::stack::{Stack, string};

#[tokio::test]
async fn a_connection_catches_up_at_the_other_replica_and_goes_on() {
    let stack = Stack::start().await;
    let (_, _, mut writer) = stack.enter("writer", "red", 0).await;
    let (reader, login, mut lost) = stack.enter("reader", "red", 0).await;
    let room_id = writer.room("kitchen").await;
    let unsubscribed = writer.room("hall").await;
    for room_id in [&room_id, &unsubscribed] {
        writer
            .ok(
                "room.add",
                json!({ "room_id": room_id, "user_id": reader.user_id }),
            )
            .await;
    }
    lost.ok("room.subscribe", json!({ "room_id": room_id })).await;
    writer
        .ok("room.post", json!({ "room_id": room_id, "body": "0" }))
        .await;
    let seen = lost.event("room.message").await;
    let (resume, after) = (string(&lost.hello["resume"]), seen["cursor"].clone());
    drop(lost);
    for n in 1..=200 {
        writer
            .ok(
                "room.post",
                json!({ "room_id": room_id, "body": n.to_string(), "note": "mine" }),
            )
            .await;
        if n % 50 == 0 {
            writer
                .ok("room.post", json!({ "room_id": unsubscribed, "body": "x" }))
                .await;
        }
    }
    let mut again = stack.connect(1, &login).await;
    let asked = again
        .request("resume", json!({ "resume": resume, "after": after }))
        .await;
    writer
        .ok("room.post", json!({ "room_id": room_id, "body": "201" }))
        .await;
    for n in 1..=201 {
        let event = again.event("room.message").await;
        assert_eq!(event["data"]["body"], n.to_string(), "{event}");
        assert_eq!(event["data"].get("note"), None);
    }
    let replayed = again.answer(&asked).await[0]["ok"]["replayed"]
        .as_i64()
        .expect("a count");
    assert!((200..=201).contains(&replayed), "{replayed}");
    assert!(stack.situation("resumed").await >= 1.0);

    // who resumed can be resumed
    let (resume, after) = (string(&again.hello["resume"]), json!(0));
    drop(again);
    let mut third = stack.connect(0, &login).await;
    let all = third
        .ok("resume", json!({ "resume": resume, "after": after }))
        .await;
    assert!(all["replayed"].as_i64().expect("a count") >= 202, "{all}");
}

#[tokio::test]
async fn only_the_same_session_resumes() {
    let stack = Stack::start().await;
    let (account, login, mut first) = stack.enter("one", "red", 0).await;
    let (_, _, mut colleague) = stack.enter("two", "red", 0).await;
    let (_, _, mut stranger) = stack.enter("three", "blue", 1).await;
    let room_id = first.room("kitchen").await;
    first.ok("room.subscribe", json!({ "room_id": room_id })).await;
    first
        .ok("room.post", json!({ "room_id": room_id, "body": "b" }))
        .await;
    let token = json!({ "resume": first.hello["resume"], "after": 0 });
    let mut own_other_session = stack.connect(0, &stack.login(&account, None).await).await;
    for other in [&mut colleague, &mut stranger, &mut own_other_session] {
        assert_eq!(
            other.ask("resume", token.clone()).await,
            Err("not_found".to_owned())
        );
        let unknown = json!({ "resume": "made up", "after": 0 });
        assert_eq!(other.ask("resume", unknown).await, Err("not_found".to_owned()));
        assert_eq!(other.all_until_now().await, Vec::<Value>::new());
    }
    let mut again = stack.connect(1, &login).await;
    assert_eq!(again.ok("resume", token).await, json!({ "replayed": 1 }));
    assert_eq!(again.event("room.message").await["data"]["body"], "b");
}
