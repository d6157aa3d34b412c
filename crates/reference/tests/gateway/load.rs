//! Everybody does everything at once: nothing fails, nothing is lost, nothing crosses.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::stack::{Stack, string};

const ROUNDS: usize = 12;
const TENANTS: [&str; 3] = ["red", "green", "blue"];

/// A user of a tenant, its connection, its room and who comes and goes there.
struct Busy {
    client: Client,
    /// What only this user may be told.
    mark: String,
    room_id: String,
    guest: String,
}

impl Busy {
    /// Does everything there is; the messages that were stored.
    async fn work(mut self) -> (Vec<Value>, usize) {
        let room = json!({ "room_id": self.room_id });
        self.client.ok("room.subscribe", room.clone()).await;
        let mut posted = 0;
        for round in 0..ROUNDS {
            let thread_id = self.client.thread("same").await;
            self.client
                .ok("thread.subscribe", json!({ "thread_id": thread_id }))
                .await;
            let visit = json!({ "room_id": self.room_id, "user_id": self.guest });
            let op = if round % 2 == 0 { "room.add" } else { "room.remove" };
            // colleagues invite and dismiss the same guest: whoever comes second finds it done
            let visited = self.client.ask(op, visit).await;
            assert!(
                visited.is_ok() || op == "room.remove" && visited == Err("not_found".into()),
                "{visited:?}"
            );
            let body = format!("{} {round}", self.mark);
            let post = json!({ "thread_id": thread_id, "body": body, "nonce": self.mark });
            let mut waiting = vec![
                self.client.request("thread.list", json!({})).await,
                self.client
                    .request("thread.find", json!({ "title": "same" }))
                    .await,
                self.client
                    .request("presence.set", json!({ "status": "busy" }))
                    .await,
                self.client.request("typing", room.clone()).await,
                self.client
                    .request(
                        "room.post",
                        json!({ "room_id": self.room_id, "body": "b", "note": self.mark }),
                    )
                    .await,
                self.client
                    .request("user.get", json!({ "user_id": self.guest }))
                    .await,
            ];
            let id = format!("same {round}");
            self.client.request_as(&id, "message.post", post).await;
            waiting.push(id);
            posted += 2;
            for id in waiting {
                let frames = self.client.answer(&id).await;
                assert!(
                    frames.last().is_some_and(|last| last.get("err").is_none()),
                    "{frames:?}"
                );
            }
        }
        (self.client.all_until_now().await, posted)
    }
}

/// Two members of a room at different replicas, and a guest of it.
async fn pair(stack: &Stack, tenant: &str) -> Vec<Busy> {
    let (_, _, mut one) = stack.enter("one", tenant, 0).await;
    let (two, _, other) = stack.enter("two", tenant, 1).await;
    let guest = stack.register("guest", tenant).await;
    let room_id = one.room("kitchen").await;
    one.ok("room.add", json!({ "room_id": room_id, "user_id": two.user_id }))
        .await;
    let busy = |client: Client| {
        let mark = format!("mark of {}", string(&client.hello["user_id"]));
        Busy {
            client,
            mark,
            room_id: room_id.clone(),
            guest: guest.user_id.clone(),
        }
    };
    vec![busy(one), busy(other)]
}

#[tokio::test]
async fn everybody_does_everything_at_once() {
    let stack = Stack::start_with(&["--pool-size", "3"]).await;
    let mut working = JoinSet::new();
    let mut marks = Vec::new();
    for tenant in TENANTS {
        for busy in pair(&stack, tenant).await {
            marks.push(busy.mark.clone());
            let mark = busy.mark.clone();
            working.spawn(async move { (mark, busy.work().await) });
        }
    }
    let mut posted = 0;
    while let Some(worked) = working.join_next().await {
        let (own, (events, stored)) = worked.expect("no assertion failed");
        posted += stored;
        check_events(&own, &marks, &events);
    }
    let mut audit = stack.cluster.connect("audit").await;
    let count = "select (select count(*) from messages), (select count(*) from room_messages)";
    let (messages, room_messages): (i64, i64) =
        sqlx::query_as(count).fetch_one(&mut audit).await.expect("a row");
    assert_eq!((messages, room_messages), (posted as i64, posted as i64 / 2));
    let (_, metrics) = stack.gateways[0].operator("/metrics").await;
    assert!(
        metrics.contains("pool_timeouts_total{pool=\"db\"} 0\n"),
        "{metrics}"
    );
    assert!(metrics.contains("pool_in_use_max{pool=\"db\"} 3\n"), "{metrics}");
    assert!(stack.situation("create_overlap").await > 0.0);
}

#[track_caller]
fn check_events(own: &str, marks: &[String], events: &[Value]) {
    for event in events {
        let text = event.to_string();
        for mark in marks.iter().filter(|mark| *mark != own) {
            assert!(!text.contains(mark), "{own} was told: {text}");
        }
    }
    let cursors: Vec<i64> = events
        .iter()
        .filter_map(|event| event["cursor"].as_i64())
        .collect();
    assert!(
        cursors.len() >= 4 * ROUNDS,
        "{own} was told of {} events",
        cursors.len()
    );
    assert!(cursors.is_sorted_by(|one, next| one < next), "{cursors:?}");
}
