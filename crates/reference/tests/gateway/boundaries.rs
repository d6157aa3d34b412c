//! The ends of sessions.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::Executor as _;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::client::upgrade;
use crate::stack::Stack;

/// The status of a refused upgrade; `None` if it was accepted.
async fn refusal(addr: &str, token: &str) -> Option<u16> {
    let bearer = format!("Bearer {token}");
    match connect_async(upgrade(addr, &[("Authorization", &bearer)])).await {
        Ok(_) => None,
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn logout_ends_the_sessions_connections_at_both_replicas() {
    let stack = Stack::start().await;
    let (account, ending, mut here) = stack.enter("one", "red", 0).await;
    let mut there = stack.connect(1, &ending).await;
    let living = stack.login(&account, None).await;
    let mut other_session = stack.connect(0, &living).await;
    let (_, _, mut other_user) = stack.enter("two", "red", 0).await;
    for gateway in &stack.gateways {
        assert_eq!(refusal(gateway.addr(), &ending.token).await, None, "the control");
    }

    stack.logout(&ending).await;
    let since = Instant::now();
    for client in [&mut here, &mut there] {
        assert_eq!(client.closed().await.0, Some(4403));
    }
    // generous to a loaded machine, and still within what the protocol promises
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    for gateway in &stack.gateways {
        assert_eq!(refusal(gateway.addr(), &ending.token).await, Some(401));
        assert_eq!(refusal(gateway.addr(), &living.token).await, None);
    }
    other_session.ok("whoami", json!({})).await;
    other_user.ok("whoami", json!({})).await;
    assert!(stack.situation("after_revocation").await >= 4.0);
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let stack = Stack::start().await;
    let account = stack.register("one", "red").await;
    let short = stack.login(&account, Some(2)).await;
    let mut client = stack.connect(0, &short).await;
    client.ok("whoami", json!({})).await;
    assert_eq!(client.closed().await.0, Some(4401));
    // remembered as verified, but over
    assert_eq!(refusal(stack.gateways[0].addr(), &short.token).await, Some(401));
    assert_eq!(refusal(stack.gateways[1].addr(), &short.token).await, Some(401));
}

#[tokio::test]
async fn what_was_missed_while_nobody_listened_is_made_up_for() {
    let stack = Stack::start().await;
    let (one, ending, mut ended) = stack.enter("one", "red", 0).await;
    let (_, _, mut living) = stack.enter("two", "red", 1).await;
    let room_id = living.room("kitchen").await;
    living.ok("room.subscribe", json!({ "room_id": room_id })).await;
    let mut root = stack.cluster.connect("root").await;
    // no notification is sent for either: only a listener that begins anew can find them
    let revoke = "update sessions set revoked_at = now(), revoked_for = 'logout' where session_id = $1::uuid";
    sqlx::query(revoke)
        .bind(&ending.session_id)
        .execute(&mut root)
        .await
        .expect("it is revoked");
    let missed = "insert into events (tenant_id, kind, subject, author_id, recipients, data) \
                  select tenant_id, 'room.message', $1::uuid, $2::uuid, array[$3::uuid], '{\"body\":\"missed\"}' \
                  from rooms where room_id = $1::uuid";
    let author = one.user_id.as_str();
    let recipient = living.hello["user_id"].as_str().expect("an id").to_owned();
    let missed = sqlx::query(missed).bind(&room_id).bind(author).bind(&recipient);
    missed.execute(&mut root).await.expect("it is inserted");
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%'";
    root.execute(cut).await.expect("the listeners are cut off");

    assert_eq!(ended.closed().await.0, Some(4403));
    assert_eq!(living.event("room.message").await["data"]["body"], "missed");
    living
        .ok("room.post", json!({ "room_id": room_id, "body": "heard" }))
        .await;
    assert_eq!(living.event("room.message").await["data"]["body"], "heard");
}
