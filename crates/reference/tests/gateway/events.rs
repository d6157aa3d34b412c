//! Events across two replicas: order, recipients, what each may see.

use serde_json::{Value, json};

use crate::client::Client;
use crate::stack::{Stack, string};

const POSTS: usize = 40;

#[tokio::test]
async fn room_events_come_to_every_member_in_one_order() {
    let stack = Stack::start().await;
    let (_, _, mut one) = stack.enter("one", "red", 0).await;
    let (two, _, mut other) = stack.enter("two", "red", 1).await;
    let room_id = one.room("kitchen").await;
    one.ok("room.add", json!({ "room_id": room_id, "user_id": two.user_id }))
        .await;
    for member in [&mut one, &mut other] {
        member.ok("room.subscribe", json!({ "room_id": room_id })).await;
    }
    for n in 0..POSTS / 20 {
        for member in [&mut one, &mut other] {
            for m in 0..10 {
                let post = json!({ "room_id": room_id, "body": format!("{n}/{m}"), "note": format!("mine {n}/{m}") });
                member.request("room.post", post).await;
            }
        }
        // both send before either waits, but no more than may be in flight
        for member in [&mut one, &mut other] {
            for _ in 0..10 {
                let answer = member.find(|frame| frame.get("re").is_some()).await;
                assert!(answer.get("ok").is_some(), "{answer}");
            }
        }
    }
    let (at_one, at_other) = (room_messages(&mut one).await, room_messages(&mut other).await);
    check_order(&at_one);
    let public = |events: &[Value]| -> Vec<Value> {
        events
            .iter()
            .map(|event| json!([event["cursor"], event["data"]["seq"], event["data"]["body"]]))
            .collect()
    };
    assert_eq!(public(&at_one), public(&at_other));
    for (client, events) in [(&one, &at_one), (&other, &at_other)] {
        for event in events {
            let is_own = event["data"]["author"] == client.hello["user_id"];
            assert_eq!(event["data"].get("note").is_some(), is_own, "{event}");
        }
    }
    assert!(stack.situation("mixed_rights_fanout").await > 0.0);
}

async fn room_messages(client: &mut Client) -> Vec<Value> {
    let mut events = Vec::new();
    while events.len() < POSTS {
        events.push(client.event("room.message").await);
    }
    events
}

#[track_caller]
fn check_order(events: &[Value]) {
    let cursors: Vec<i64> = events
        .iter()
        .map(|event| event["cursor"].as_i64().expect("a cursor"))
        .collect();
    assert!(cursors.is_sorted_by(|one, next| one < next), "{cursors:?}");
    let seqs: Vec<i64> = events
        .iter()
        .map(|event| event["data"]["seq"].as_i64().expect("a seq"))
        .collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
}

#[tokio::test]
async fn who_left_hears_no_more_and_who_came_hears() {
    let stack = Stack::start().await;
    let (_, _, mut founder) = stack.enter("founder", "red", 0).await;
    let (leaver, _, mut leaving) = stack.enter("leaver", "red", 1).await;
    let (stayer, _, mut staying) = stack.enter("stayer", "red", 1).await;
    let room_id = founder.room("kitchen").await;
    let membership = json!({ "room_id": room_id, "user_id": leaver.user_id });
    founder
        .ok(
            "room.add",
            json!({ "room_id": room_id, "user_id": stayer.user_id }),
        )
        .await;
    staying.ok("room.subscribe", json!({ "room_id": room_id })).await;
    founder.ok("room.subscribe", json!({ "room_id": room_id })).await;
    founder.ok("room.add", membership.clone()).await;
    let joined = founder.event("room.member").await;
    assert_eq!(
        joined["data"],
        json!({ "room_id": room_id, "user_id": leaver.user_id, "joined": true })
    );
    leaving.ok("room.subscribe", json!({ "room_id": room_id })).await;
    founder
        .ok("room.post", json!({ "room_id": room_id, "body": "for all" }))
        .await;
    for hearing in [&mut leaving, &mut staying] {
        assert_eq!(hearing.event("room.message").await["data"]["body"], "for all");
    }

    founder.ok("room.remove", membership.clone()).await;
    assert_eq!(leaving.event("room.member").await["data"]["joined"], false);
    founder.ok("typing", json!({ "room_id": room_id })).await;
    founder
        .ok(
            "room.post",
            json!({ "room_id": room_id, "body": "for those who stay" }),
        )
        .await;
    // who types is told to the members of the moment in which it is told: that moment has to be over before they change
    staying.event("typing").await;
    assert_eq!(
        staying.event("room.message").await["data"]["body"],
        "for those who stay"
    );
    let seen = leaving.all_until_now().await;
    assert_eq!(seen, [] as [Value; 0]);

    founder.ok("room.add", membership).await;
    founder
        .ok(
            "room.post",
            json!({ "room_id": room_id, "body": "again for all" }),
        )
        .await;
    assert_eq!(
        leaving.event("room.message").await["data"]["body"],
        "again for all"
    );
}

#[tokio::test]
async fn presence_and_typing_stay_in_their_tenant() {
    let stack = Stack::start().await;
    let (one, _, mut first) = stack.enter("one", "red", 0).await;
    let (two, _, mut second) = stack.enter("two", "red", 1).await;
    let (_, _, mut idle) = stack.enter("three", "red", 1).await;
    let (_, _, mut stranger) = stack.enter("stranger", "blue", 1).await;
    let room_id = first.room("kitchen").await;
    first
        .ok("room.add", json!({ "room_id": room_id, "user_id": two.user_id }))
        .await;
    for member in [&mut first, &mut second] {
        member.ok("room.subscribe", json!({ "room_id": room_id })).await;
    }
    first
        .ok("presence.set", json!({ "status": "awake \"now\"" }))
        .await;
    for present in [&mut first, &mut second, &mut idle] {
        let told = present.event("presence").await;
        assert_eq!(told["cursor"], Value::Null);
        assert_eq!(
            told["data"],
            json!({ "user_id": one.user_id, "name": "one", "status": "awake \"now\"" })
        );
    }
    first.ok("typing", json!({ "room_id": room_id })).await;
    let typing = second.event("typing").await;
    assert_eq!(
        typing["data"],
        json!({ "room_id": room_id, "user_id": one.user_id })
    );
    // a later event of the same publisher's order: whatever was to reach the others has reached them
    stranger.ok("presence.set", json!({ "status": "hello" })).await;
    stranger.event("presence").await;
    assert_eq!(stranger.all_until_now().await, Vec::<Value>::new());
    assert_eq!(idle.all_until_now().await, Vec::<Value>::new());
    assert!(stack.situation("presence_foreign_socket").await > 0.0);
}

#[tokio::test]
async fn thread_events_reach_the_owners_subscribed_connections() {
    let stack = Stack::start().await;
    let (account, login, mut here) = stack.enter("one", "red", 0).await;
    let mut there = stack.connect(1, &login).await;
    let mut unsubscribed = stack.connect(1, &login).await;
    let thread_id = here.thread("plans").await;
    there
        .ok("thread.subscribe", json!({ "thread_id": thread_id }))
        .await;
    here.ok(
        "message.post",
        json!({ "thread_id": thread_id, "body": "b", "nonce": "n" }),
    )
    .await;
    let (question, reply) = (
        there.event("thread.message").await,
        there.event("thread.message").await,
    );
    let expect = json!({
        "thread_id": thread_id, "seq": 1, "author": account.user_id, "role": "user", "body": "b",
    });
    assert_eq!(question["data"], expect);
    assert_eq!(
        (&reply["data"]["seq"], &reply["data"]["role"]),
        (&json!(2), &json!("agent"))
    );
    let read = here
        .ok("thread.read", json!({ "thread_id": thread_id, "after": 1 }))
        .await;
    assert_eq!(
        string(&read["messages"][0]["body"]),
        string(&reply["data"]["body"])
    );
    assert_eq!(unsubscribed.all_until_now().await, Vec::<Value>::new());
}

#[tokio::test]
async fn old_events_and_resume_tokens_are_forgotten() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let room_id = client.room("kitchen").await;
    for body in ["old", "new"] {
        client
            .ok("room.post", json!({ "room_id": room_id, "body": body }))
            .await;
        if body == "old" {
            let mut root = stack.cluster.connect("root").await;
            for table in ["events", "resumes"] {
                let age = format!("update {table} set created_at = now() - interval '2 hours'");
                sqlx::Executor::execute(&mut root, sqlx::AssertSqlSafe(age))
                    .await
                    .expect("they age");
            }
        }
    }
    let mut gateway = stack.cluster.connect("gateway").await;
    let prune = "select prune_chat(make_interval(secs => 3600))";
    sqlx::Executor::execute(&mut gateway, prune)
        .await
        .expect("the gateway may do this");
    let mut audit = stack.cluster.connect("audit").await;
    let left = "select (select string_agg(data, ' ') from events), (select count(*) from resumes)";
    let (events, resumes): (String, i64) = sqlx::query_as(left).fetch_one(&mut audit).await.expect("a row");
    assert!(events.contains("new") && !events.contains("old"), "{events}");
    assert_eq!(resumes, 0);
}
