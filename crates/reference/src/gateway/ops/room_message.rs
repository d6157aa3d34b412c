//! `room.post`, `room.read`.

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::Ask;
use super::room::{NO_ROOM, require_member};
use crate::gateway::database::Arguments;
use crate::gateway::event::EventKind;
use crate::gateway::limits::{MESSAGE_BYTES_MAX, READ_BYTES_MAX, READ_MESSAGES_MAX};
use crate::gateway::protocol::{Failure, Json, json, text_argument};
use crate::gateway::receipts::Posted;

#[derive(Deserialize)]
struct Post {
    room_id: Uuid,
    body: String,
    note: Option<String>,
}

pub(super) async fn post(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Post { room_id, body, note } = ask.request.arguments()?;
    text_argument(
        &body,
        MESSAGE_BYTES_MAX,
        "a body has at least one character, and no NUL",
    )?;
    if let Some(note) = &note {
        text_argument(
            note,
            MESSAGE_BYTES_MAX,
            "a note has at least one character, and no NUL",
        )?;
    }
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    require_member(&acting, room_id).await?;
    let count = "UPDATE rooms SET last_seq = last_seq + 1 WHERE room_id = $1 RETURNING last_seq";
    let seq: i64 = acting
        .row_if_any(count, &[&room_id])
        .await?
        .ok_or(NO_ROOM)?
        .get(0);
    let insert = "INSERT INTO room_messages (room_id, seq, tenant_id, author_id, body, note) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    acting
        .change(
            insert,
            &[
                &room_id,
                &seq,
                &identity.tenant_id,
                &identity.user_id,
                &body,
                &note,
            ],
        )
        .await?;
    let told = object!({ "room_id": room_id, "seq": seq, "author": identity.user_id, "body": body });
    let kind = EventKind::RoomMessage.name();
    // the members, as they are in this transaction
    let recipients: Option<Vec<Uuid>> = None;
    #[cfg(feature = "mutants")]
    let recipients = crate::mutant::acl_change_race::told(&acting, room_id, identity.user_id)
        .await?
        .or(recipients);
    let tell = "SELECT post_room_event($1, $2, $3, $4, $5)";
    let event: Arguments<'_> = &[&room_id, &kind, &told.to_string(), &note, &recipients];
    acting.row(tell, event).await?;
    acting.commit().await?;
    let posted = Posted {
        author_id: identity.user_id,
        room_id,
        seq,
        body,
    };
    ask.gateway
        .receipts
        .later(ask.link, identity, posted, ask.gateway.work.begin());
    json(&object!({ "room_id": room_id, "seq": seq }))
}

#[derive(Deserialize)]
struct Read {
    room_id: Uuid,
    after: Option<i64>,
}

pub(super) async fn read(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Read { room_id, after } = ask.request.arguments()?;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(ask.identity).await?;
    require_member(&acting, room_id).await?;
    let page = "SELECT seq, author_id, body, CASE WHEN author_id = app_user() THEN note END AS own_note, last FROM ( \
                    SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before FROM ( \
                        SELECT seq, author_id, body, note, \
                            (SELECT last_seq FROM rooms WHERE rooms.room_id = $1) AS last \
                        FROM room_messages WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3 \
                    ) AS page \
                ) AS sized WHERE before < $4 ORDER BY seq";
    let page = acting
        .rows(
            page,
            &[&room_id, &after.unwrap_or(0), &READ_MESSAGES_MAX, &READ_BYTES_MAX],
        )
        .await?;
    acting.commit().await?;
    let is_cut = page
        .last()
        .is_some_and(|row| row.get::<_, i64>("seq") < row.get::<_, i64>("last"));
    let messages = page.iter().map(|row| {
        let mut message = object!({
            "seq": row.get::<_, i64>("seq"),
            "author": row.get::<_, Uuid>("author_id"),
            "body": row.get::<_, &str>("body"),
        });
        if let Some(note) = row.get::<_, Option<&str>>("own_note") {
            message["note"] = note.into();
        }
        message
    });
    let mut answer = object!({ "room_id": room_id, "messages": messages.collect::<Vec<_>>() });
    if is_cut {
        answer["more"] = true.into();
    }
    json(&answer)
}
