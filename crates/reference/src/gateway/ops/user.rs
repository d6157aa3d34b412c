//! `whoami`, `user.get`.

use serde::Deserialize;
use serde_json::json as object;
use uuid::Uuid;

use super::Ask;
use crate::gateway::protocol::{Failure, Json, json};

const UNKNOWN_USER: Failure = Failure::not_found("no such user in this tenant");

pub(super) async fn who_am_i(ask: &Ask<'_>) -> Result<Json, Failure> {
    let (mut checkout, identity) = ask.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let own = "SELECT user_id, name, email FROM profiles WHERE user_id = app_user()";
    let row = acting.row_if_any(own, &[]).await?.ok_or(UNKNOWN_USER)?;
    acting.commit().await?;
    json(&object!({
        "user_id": row.get::<_, Uuid>("user_id"),
        "tenant_id": identity.tenant_id,
        "session_id": identity.session_id,
        "email": row.get::<_, &str>("email"),
        "name": row.get::<_, &str>("name"),
        "replica": ask.gateway.replica,
    }))
}

#[derive(Deserialize)]
struct Get {
    user_id: Uuid,
}

pub(super) async fn get(ask: &Ask<'_>) -> Result<Json, Failure> {
    let Get { user_id } = ask.request.arguments()?;
    let profile = ask.gateway.profiles.get(ask.identity.tenant_id, user_id).await?;
    json(&profile.ok_or(UNKNOWN_USER)?)
}
