//! Places where more than one leak can be planted.

use uuid::Uuid;

use super::{
    acl_change_race, cache_key_without_user, claimed_room, dirty_transaction, foreign_read, global_loader,
    identity_after_await, payload_token, room_collision, session_guc, singleflight_key, subprotocol_bypass,
    unscoped_count,
};
use crate::gateway::inside::{
    Acting, Arguments, Checkout, Encoded, Event, Failure, Gateway, Identity, Lying, Op, Request, Tuned,
};

/// Functions in the database that leaks are planted in. Unarmed builds have them too, and never call them.
pub(crate) const SQL: [&str; 3] = [foreign_read::SQL, subprotocol_bypass::SQL, unscoped_count::SQL];

/// Where the response cache looks for the answer to `asker`, if it is not under themselves but at one of `others`.
pub(crate) fn cache_place<'a>(
    op: Op,
    asker: &Identity,
    others: impl Iterator<Item = Lying<'a>>,
) -> Option<Uuid> {
    match op {
        Op::ThreadList | Op::ThreadFind => cache_key_without_user::place(others),
        Op::ThreadRead => global_loader::place(others),
        Op::Snapshot => singleflight_key::place(asker, others),
        _ => None,
    }
}

/// Takes notice that the response cache gives `asker` an answer that was computed for somebody.
pub(crate) fn answered(op: Op, asker: Uuid, computed_for: Uuid, answer: &str) {
    cache_key_without_user::answered(op, asker, computed_for, answer);
    global_loader::answered(op, asker, computed_for);
    singleflight_key::answered(op, asker, computed_for);
}

/// Delivers an event to those who are subscribed beside its recipients.
pub(crate) fn deliver_beside(event: &Event, beside: &[Tuned]) {
    let mut encoded = Encoded::default();
    for tuned in beside {
        if claimed_room::reaches(tuned, event) || room_collision::reaches(tuned, event) {
            tuned.link.push(event, &mut encoded);
        }
    }
}

/// How a transaction begins that finds its connection as it was left, if one does.
pub(crate) fn beginning() -> Option<&'static str> {
    let is_armed = session_guc::MUTANT.armed().is_some() || dirty_transaction::MUTANT.armed().is_some();
    is_armed.then_some("START TRANSACTION")
}

/// Whether a transaction need not be told for whom it acts; the backend's process id if so. It is begun then, and may be if not.
pub(crate) async fn identified(
    acting: &Acting<'_>,
    op: Option<Op>,
    identity: Option<&Identity>,
) -> Result<Option<i32>, Failure> {
    let (Some(identity), Some(begin)) = (identity, beginning()) else {
        return Ok(None);
    };
    acting.begin(begin).await?;
    match session_guc::identified(acting, op, identity).await? {
        Some(backend) => Ok(Some(backend)),
        None => dirty_transaction::identified(acting, identity).await,
    }
}

/// For whom an op that names nobody's acts on the connection that it waited for.
pub(crate) async fn taken_for(checkout: &mut Checkout, op: Op, asker: Identity) -> Result<Identity, Failure> {
    checkout.op = Some(op);
    identity_after_await::current(checkout, op, asker).await
}

/// Whether what a transaction reads for an op that names nobody's tells `observer` anything of whom it acts for.
pub(super) async fn tells(acting: &Acting<'_>, op: Op, observer: Uuid) -> Result<bool, Failure> {
    let (sql, arguments): (_, Arguments<'_>) = match op {
        Op::WhoAmI => return Ok(true),
        Op::ThreadList | Op::ThreadFind | Op::Snapshot => (
            "SELECT EXISTS (SELECT FROM threads WHERE owner_id = app_user())",
            &[],
        ),
        Op::RoomList => (
            "SELECT EXISTS (SELECT FROM rooms WHERE NOT EXISTS (                  SELECT FROM room_members WHERE room_members.room_id = rooms.room_id AND user_id = $1))",
            &[&observer],
        ),
        _ => return Ok(false),
    };
    Ok(acting.row(sql, arguments).await?.get(0))
}

/// Takes notice of a request.
pub(crate) fn requested(asker: &Identity) {
    identity_after_await::set(asker);
}

/// Whom a request acts for.
pub(crate) async fn identity(gateway: &Gateway, request: &Request, asker: &Identity) -> Identity {
    if let Some(token) = &request.token
        && let Some(identity) = payload_token::identity(gateway, token, asker).await
    {
        return identity;
    }
    match foreign_read::owner(gateway, request, asker).await {
        Ok(Some(owner)) => owner,
        // whatever is wrong is found again by the op
        Ok(None) | Err(_) => asker.clone(),
    }
}

/// Takes notice of an event that this replica heard of.
pub(crate) fn heard(event: &Event) {
    acl_change_race::heard(event);
}
