//! `snapshot`: all that a client shows first, in one answer.

use serde_json::json as object;
use uuid::Uuid;

use super::Ask;
use crate::gateway::cache::Question;
use crate::gateway::limits::SNAPSHOT_THREADS_MAX;
use crate::gateway::protocol::{Failure, Json, json};

pub(super) async fn snapshot(ask: &Ask<'_>) -> Result<Json, Failure> {
    let question = Question {
        op: ask.request.op,
        arguments: String::new(),
    };
    ask.gateway
        .cache
        .answer(ask.identity, question, || snapshot_now(ask))
        .await
}

async fn snapshot_now(ask: &Ask<'_>) -> Result<Json, Failure> {
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let newest = "SELECT threads.thread_id, title, body FROM threads \
                  LEFT JOIN messages ON messages.owner_id = threads.owner_id \
                      AND messages.thread_id = threads.thread_id AND seq = last_seq \
                  WHERE threads.owner_id = app_user() ORDER BY ordinal DESC LIMIT $1";
    let threads = acting.rows(newest, &[&SNAPSHOT_THREADS_MAX]).await?;
    let rooms = "SELECT room_id, name FROM rooms ORDER BY ordinal DESC LIMIT $1";
    let rooms = acting.rows(rooms, &[&SNAPSHOT_THREADS_MAX]).await?;
    acting.commit().await?;
    let threads = threads.iter().map(|row| {
        object!({
            "thread_id": row.get::<_, Uuid>("thread_id"),
            "title": row.get::<_, &str>("title"),
            "summary": row.get::<_, Option<&str>>("body"),
        })
    });
    let rooms = rooms
        .iter()
        .map(|row| object!({ "room_id": row.get::<_, Uuid>("room_id"), "name": row.get::<_, &str>("name") }));
    json(&object!({ "threads": threads.collect::<Vec<_>>(), "rooms": rooms.collect::<Vec<_>>() }))
}
