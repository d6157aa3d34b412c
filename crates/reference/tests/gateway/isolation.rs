//! Every op, by its owner and by those whose business it is not.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::stack::Stack;

#[track_caller]
fn refused(op: &str, answer: Result<Value, String>) {
    assert_eq!(answer, Err("not_found".to_owned()), "{op}");
}

#[tokio::test]
async fn a_thread_is_its_owners_alone() {
    let stack = Stack::start().await;
    let (_, _, mut owner) = stack.enter("owner", "red", 0).await;
    let (_, _, mut colleague) = stack.enter("colleague", "red", 1).await;
    let (_, _, mut stranger) = stack.enter("stranger", "blue", 0).await;
    let thread_id = owner.thread("plans").await;
    let post = json!({ "thread_id": thread_id, "body": "the secret", "nonce": "n1" });
    owner.ok("message.post", post.clone()).await;
    owner
        .ok("thread.subscribe", json!({ "thread_id": thread_id }))
        .await;

    for other in [&mut colleague, &mut stranger] {
        other.thread("plans").await;
        for op in ["thread.read", "thread.subscribe"] {
            refused(op, other.ask(op, json!({ "thread_id": thread_id })).await);
        }
        refused("message.post", other.ask("message.post", post.clone()).await);
        let listed = other.ok("thread.list", json!({})).await;
        assert_eq!(listed["threads"].as_array().map(Vec::len), Some(1), "{listed}");
        let found = other.ok("thread.find", json!({ "title": "plans" })).await;
        assert_ne!(found["thread_id"], thread_id.as_str());
        assert_eq!(found["summary"], Value::Null);
    }

    let read = owner.ok("thread.read", json!({ "thread_id": thread_id })).await;
    let bodies: Vec<_> = read["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| &m["body"])
        .collect();
    assert_eq!(bodies.len(), 2, "{read}");
    assert_eq!(bodies[0], "the secret");
    for other in [colleague, stranger] {
        sees_nothing_of(other, &thread_id).await;
    }
}

async fn sees_nothing_of(mut client: Client, secret: &str) {
    let seen = client.all_until_now().await;
    assert!(
        !seen.iter().any(|frame| frame.to_string().contains(secret)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_room_is_its_members_alone() {
    let stack = Stack::start().await;
    let (_, _, mut founder) = stack.enter("founder", "red", 0).await;
    let (member, _, mut friend) = stack.enter("friend", "red", 1).await;
    let (outsider, _, mut colleague) = stack.enter("colleague", "red", 0).await;
    let (foreigner, _, mut stranger) = stack.enter("stranger", "blue", 1).await;
    let room_id = founder.room("kitchen").await;
    founder
        .ok(
            "room.add",
            json!({ "room_id": room_id, "user_id": member.user_id }),
        )
        .await;
    founder
        .ok("room.post", json!({ "room_id": room_id, "body": "soup" }))
        .await;
    friend.ok("room.read", json!({ "room_id": room_id })).await;

    for other in [&mut colleague, &mut stranger] {
        let room = json!({ "room_id": room_id });
        for op in ["room.read", "room.subscribe", "typing"] {
            refused(op, other.ask(op, room.clone()).await);
        }
        refused(
            "room.post",
            other
                .ask("room.post", json!({ "room_id": room_id, "body": "x" }))
                .await,
        );
        for op in ["room.add", "room.remove"] {
            for user_id in [&outsider.user_id, &foreigner.user_id, &member.user_id] {
                let intruder = json!({ "room_id": room_id, "user_id": user_id });
                refused(op, other.ask(op, intruder).await);
            }
        }
        assert_eq!(other.ok("room.list", json!({})).await["rooms"], json!([]));
    }
    let foreign = json!({ "room_id": room_id, "user_id": foreigner.user_id });
    refused(
        "room.add of another tenant's user",
        founder.ask("room.add", foreign).await,
    );

    // a name is taken within its tenant only
    assert_eq!(
        colleague.ask("room.create", json!({ "name": "kitchen" })).await,
        Err("name_taken".into())
    );
    stranger.room("kitchen").await;

    friend
        .ok(
            "room.remove",
            json!({ "room_id": room_id, "user_id": member.user_id }),
        )
        .await;
    refused(
        "room.read after leaving",
        friend.ask("room.read", json!({ "room_id": room_id })).await,
    );
    let rest = founder.ok("room.read", json!({ "room_id": room_id })).await;
    assert_eq!(rest["messages"].as_array().map(Vec::len), Some(1), "{rest}");
}

#[tokio::test]
async fn users_are_known_within_their_tenant_only() {
    let stack = Stack::start().await;
    let (one, _, mut first) = stack.enter("one", "red", 0).await;
    let (two, login, mut second) = stack.enter("two", "red", 1).await;
    let (_, _, mut stranger) = stack.enter("stranger", "blue", 0).await;
    let who = second.ok("whoami", json!({})).await;
    let expect = json!({
        "user_id": two.user_id, "tenant_id": two.tenant_id, "session_id": login.session_id,
        "email": "two@red.example", "name": "two", "replica": "1",
    });
    assert_eq!(who, expect);
    let found = first.ok("user.get", json!({ "user_id": two.user_id })).await;
    assert_eq!(
        found,
        json!({ "user_id": two.user_id, "name": "two", "email": "two@red.example" })
    );
    refused(
        "user.get",
        stranger.ask("user.get", json!({ "user_id": one.user_id })).await,
    );
    refused(
        "user.get",
        stranger
            .ask("user.get", json!({ "user_id": Uuid::new_v4() }))
            .await,
    );
    assert_eq!(
        stranger.ask("user.get", json!({ "user_id": "x" })).await,
        Err("bad_request".into())
    );
}

#[tokio::test]
async fn a_refused_write_leaves_no_transaction_open() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    let nowhere = json!({ "thread_id": Uuid::new_v4(), "body": "b", "nonce": "n" });
    for _ in 0..8 {
        refused("message.post", client.ask("message.post", nowhere.clone()).await);
    }
    let mut root = stack.cluster.connect("root").await;
    let open = "select count(*) from pg_stat_activity where usename = 'gateway' and state like 'idle in%'";
    crate::stack::poll("end of all transactions", async || {
        let open: i64 = sqlx::query_scalar(open)
            .fetch_one(&mut root)
            .await
            .expect("a count");
        (open == 0).then_some(())
    })
    .await;
}

/// Asks the same 20 times while a table is locked, so that no answer is there before the last question.
async fn ask_while_locked(
    stack: &Stack,
    client: &mut Client,
    table: &str,
    op: &str,
    arguments: Value,
) -> Vec<Value> {
    let mut root = stack.cluster.connect("root").await;
    let mut lock = sqlx::Connection::begin(&mut root).await.expect("a transaction");
    let sql = sqlx::AssertSqlSafe(format!("lock table {table} in access exclusive mode"));
    sqlx::query(sql).execute(&mut *lock).await.expect("a lock");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.request(op, arguments.clone()).await);
    }
    // a fence: when this is answered, all the others wait
    client.ok("room.list", json!({})).await;
    lock.rollback().await.expect("the lock is given up");
    let mut answers = Vec::new();
    for id in ids {
        answers.push(client.answer(&id).await[0]["ok"].clone());
    }
    answers
}

#[tokio::test]
async fn look_ups_of_a_tenant_share_queries() {
    let stack = Stack::start().await;
    let (one, _, mut client) = stack.enter("one", "red", 0).await;
    let arguments = json!({ "user_id": one.user_id });
    for answer in ask_while_locked(&stack, &mut client, "users", "user.get", arguments).await {
        assert_eq!(answer["name"], "one");
    }
    assert!(stack.situation("batched_lookups").await > 0.0);
}

#[tokio::test]
async fn equal_questions_share_a_computation() {
    let stack = Stack::start().await;
    let (_, _, mut client) = stack.enter("one", "red", 0).await;
    for answer in ask_while_locked(&stack, &mut client, "threads", "thread.list", json!({})).await {
        assert_eq!(answer, json!({ "threads": [] }));
    }
    assert!(stack.situation("single_flight_shared").await > 0.0);
}

#[tokio::test]
async fn one_reads_ones_own_writes_through_the_cache() {
    let stack = Stack::start_with(&["--cache-ttl-ms", "60000"]).await;
    let (account, _, mut here) = stack.enter("one", "red", 0).await;
    let login = stack.login(&account, None).await;
    let mut there = stack.connect(1, &login).await;
    let (_, _, mut other) = stack.enter("two", "blue", 0).await;
    let mut oldest = None;
    for count in 1..=5 {
        let created = here.thread("same").await;
        let oldest = oldest.get_or_insert(created);
        let listed = here.ok("thread.list", json!({})).await;
        assert_eq!(
            listed["threads"].as_array().map(Vec::len),
            Some(count),
            "{listed}"
        );
        let nonce = format!("nonce {count}");
        here.ok(
            "message.post",
            json!({ "thread_id": oldest, "body": "b", "nonce": nonce }),
        )
        .await;
        let found = here.ok("thread.find", json!({ "title": "same" })).await;
        assert!(
            found["summary"].as_str().expect("a summary").starts_with(&nonce),
            "{found}"
        );
        // the other replica hears of it within the time of a notification, not of the cache
        crate::stack::poll("fresh list at the other replica", async || {
            let listed = there.ok("thread.list", json!({})).await;
            (listed["threads"].as_array().map(Vec::len) == Some(count)).then_some(())
        })
        .await;
        assert_eq!(other.ok("thread.list", json!({})).await, json!({ "threads": [] }));
    }
    assert!(stack.situation("cache_equal_arguments").await > 0.0);
}
