//! `presence.set`, `typing`: told to whoever is here, and kept nowhere.

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::Ask;
use super::room::require_member;
use crate::gateway::limits::STATUS_CHARS_MAX;
use crate::gateway::notice::{Notice, Presence, Typing};
use crate::gateway::protocol::{Failure, Json, json, text_argument};

#[derive(Deserialize)]
struct Set {
    status: String,
}

pub(super) async fn set(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Set { status } = ask.request.arguments()?;
    text_argument(
        &status,
        STATUS_CHARS_MAX,
        "a status has 1 to 512 characters, none of them NUL",
    )?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    let own = "SELECT name FROM profiles WHERE user_id = app_user()";
    let name = acting.row(own, &[]).await?.get("name");
    let (tenant_id, user_id) = (identity.tenant_id, identity.user_id);
    Notice::Presence(Presence {
        tenant_id,
        user_id,
        name,
        status,
    })
    .publish(&acting)
    .await?;
    acting.commit().await?;
    json(&object!({}))
}

#[derive(Deserialize)]
struct Types {
    room_id: Uuid,
}

pub(super) async fn typing(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Types { room_id } = ask.request.arguments()?;
    let identity = ask.identity;
    let mut checkout = ask.gateway.database.checkout().await?;
    let acting = checkout.act_for(identity).await?;
    require_member(&acting, room_id).await?;
    let (tenant_id, user_id) = (identity.tenant_id, identity.user_id);
    Notice::Typing(Typing {
        tenant_id,
        room_id,
        user_id,
    })
    .publish(&acting)
    .await?;
    acting.commit().await?;
    json(&object!({}))
}
