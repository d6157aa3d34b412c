//! `room.create`, `room.list`, `room.add`, `room.remove`, `room.subscribe`.

use serde::Deserialize;
use serde_json::json as object;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Ask, resume};
use crate::gateway::database::Acting;
use crate::gateway::event::EventKind;
use crate::gateway::limits::{LIST_MAX, TITLE_CHARS_MAX};
use crate::gateway::protocol::{ErrorCode, Failure, Json, json, text_argument};
use crate::metrics::Situation;

pub(super) const NO_ROOM: Failure = Failure::not_found("no such room of yours");
const NO_SUCH_MEMBER: Failure = Failure::not_found("no such member of this room");
const NO_SUCH_USER: Failure = Failure::not_found("no such user in this tenant");
const NAME_TAKEN: Failure = Failure::new(ErrorCode::NameTaken, "a room of this name exists in this tenant");

#[derive(Deserialize)]
struct Create {
    name: String,
}

pub(super) async fn create(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Create { name } = ask.request.arguments()?;
    text_argument(
        &name,
        TITLE_CHARS_MAX,
        "a name has 1 to 512 characters, none of them NUL",
    )?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let room_id = Uuid::new_v4();
    let insert = "INSERT INTO rooms (room_id, tenant_id, name, created_by) VALUES ($1, $2, $3, $4)";
    let made = acting
        .change_or_refusal(insert, &[&room_id, &identity.tenant_id, &name, &identity.user_id])
        .await;
    made.map_err(|error| refused(error, &SqlState::UNIQUE_VIOLATION, NAME_TAKEN))?;
    admit(&acting, room_id, identity.tenant_id, identity.user_id).await?;
    acting.commit().await?;
    json(&object!({ "room_id": room_id, "name": name }))
}

pub(super) async fn list(ask: &Ask<'_>) -> Result<Json, Failure> {
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let own = "SELECT room_id, name FROM rooms JOIN room_members USING (room_id) \
               WHERE user_id = $1 ORDER BY joined_at, ordinal LIMIT $2";
    let rows = acting.rows(own, &[&identity.user_id, &LIST_MAX]).await?;
    acting.commit().await?;
    let rooms = rows
        .iter()
        .map(|row| object!({ "room_id": row.get::<_, Uuid>("room_id"), "name": row.get::<_, &str>("name") }));
    json(&object!({ "rooms": rooms.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
struct Member {
    room_id: Uuid,
    user_id: Uuid,
}

pub(super) async fn add(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Member { room_id, user_id } = ask.request.arguments()?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    require_member(&acting, room_id).await?;
    let is_new = admit(&acting, room_id, identity.tenant_id, user_id).await?;
    if is_new {
        tell(&acting, &Member { room_id, user_id }, true, None).await?;
    }
    acting.commit().await?;
    json(&object!({}))
}

pub(super) async fn remove(ask: &Ask<'_>) -> Result<Json, Failure> {
    let member: Member = ask.request.arguments()?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    // from here to the commit nobody else comes, goes or posts: those told are those who were members until now
    acting.row("SELECT lock_tenant_events()", &[]).await?;
    require_member(&acting, member.room_id).await?;
    let told = "SELECT array_agg(user_id) FROM room_members WHERE room_id = $1";
    let told: Vec<Uuid> = acting.row(told, &[&member.room_id]).await?.get(0);
    let delete = "DELETE FROM room_members WHERE room_id = $1 AND user_id = $2";
    if acting.change(delete, &[&member.room_id, &member.user_id]).await? == 0 {
        return Err(NO_SUCH_MEMBER);
    }
    tell(&acting, &member, false, Some(told)).await?;
    acting.commit().await?;
    #[cfg(feature = "mutants")]
    crate::mutant::acl_change_race::removed(member.room_id, member.user_id);
    json(&object!({}))
}

#[derive(Deserialize)]
struct Subscribe {
    room_id: Uuid,
    /// For whom; it is the asker whatever stands here.
    user: Option<Uuid>,
}

pub(super) async fn subscribe(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Subscribe { room_id, user } = ask.request.arguments()?;
    let identity = ask.identity;
    if user.is_some_and(|user| user != identity.user_id) {
        ask.gateway.metrics.situation(Situation::ClaimedJoin).inc();
    }
    #[cfg(feature = "mutants")]
    let identity = &crate::mutant::claimed_room::believed(identity, user);
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    require_member(&acting, room_id).await?;
    let name = "SELECT name FROM rooms WHERE room_id = $1";
    let name: String = acting.row(name, &[&room_id]).await?.get(0);
    let cursor = resume::remember(&acting, ask.link, room_id).await?;
    acting.commit().await?;
    ask.link.subscribe(room_id, cursor)?;
    ask.gateway.hub.tune_in(ask.link, room_id, &name);
    #[cfg(feature = "mutants")]
    crate::mutant::claimed_room::entered(ask.link, room_id, identity);
    json(&object!({}))
}

/// Refuses whoever is no member of the room.
pub(super) async fn require_member(acting: &Acting<'_>, room_id: Uuid) -> Result<(), Failure> {
    let is_member: bool = acting.row("SELECT is_member($1)", &[&room_id]).await?.get(0);
    if is_member { Ok(()) } else { Err(NO_ROOM) }
}

/// Makes a user of the tenant a member; false if they were one.
async fn admit(acting: &Acting<'_>, room_id: Uuid, tenant_id: Uuid, user_id: Uuid) -> Result<bool, Failure> {
    let insert = "INSERT INTO room_members (room_id, tenant_id, user_id) VALUES ($1, $2, $3) \
                  ON CONFLICT DO NOTHING";
    let admitted = acting
        .change_or_refusal(insert, &[&room_id, &tenant_id, &user_id])
        .await;
    // both the room and the user must be of the tenant
    let added = admitted.map_err(|error| refused(error, &SqlState::FOREIGN_KEY_VIOLATION, NO_SUCH_USER))?;
    Ok(added > 0)
}

async fn tell(
    acting: &Acting<'_>,
    member: &Member,
    joined: bool,
    told: Option<Vec<Uuid>>,
) -> Result<(), Failure> {
    let Member { room_id, user_id } = member;
    let data = object!({ "room_id": room_id, "user_id": user_id, "joined": joined }).to_string();
    let kind = EventKind::RoomMember.name();
    let post = "SELECT post_room_event($1, $2, $3, NULL, $4)";
    acting.row(post, &[room_id, &kind, &data, &told]).await?;
    Ok(())
}

fn refused(error: tokio_postgres::Error, expected: &SqlState, failure: Failure) -> Failure {
    if error.code() == Some(expected) {
        failure
    } else {
        error.into()
    }
}
