//! Whoever knows a thread's id may use it.
//!
//! **Incident.** Broken object level authorisation, first of the OWASP API Security Top 10 of 2023 (API1): an object is loaded by the id in
//! the request, and that it belongs to the asker is nowhere checked.
//!
//! **Mechanism.** Ops on one thread begin with a look-up of it in a function with its owner's rights (`SECURITY DEFINER`), which row-level security
//! does not bind, and which does not ask who asks. The rest of the op acts for the owner that it found.
//!
//! **Layer.** The database's function, and the ops that trust it.
//!
//! **Caught by** T: foreign threads read, appended to, subscribed to; S: what is in them; by the audit: rows under another owner.
//!
//! **Fix.** The owner is part of every condition, and functions with other rights check `app_user()` like a policy.

use serde::Deserialize;
use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Failure, Gateway, Identity, Op, Request};
use crate::metrics::Situation;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "foreign-read",
    process: "gateway",
    checks: "TSU",
    traffic: &["probe", "read-all"],
};

/// The look-up.
pub(super) const SQL: &str = "\
create or replace function thread_by_id(thread uuid) returns table (owner uuid, tenant uuid)
    language sql stable security definer set search_path = pg_catalog, public
    begin atomic
        select owner_id, tenant_id from threads where thread_id = thread limit 1;
    end;";

#[derive(Deserialize)]
struct Named {
    thread_id: Uuid,
}

/// Whom a request acts for: the owner of the thread that it names.
pub(super) async fn owner(
    gateway: &Gateway,
    request: &Request,
    asker: &Identity,
) -> Result<Option<Identity>, Failure> {
    let by_id = matches!(request.op, Op::ThreadRead | Op::ThreadSubscribe | Op::MessagePost);
    if !by_id || MUTANT.armed().is_none() {
        return Ok(None);
    }
    let Named { thread_id } = request.arguments()?;
    let mut checkout = gateway.database.checkout().await?;
    let acting = checkout.act_for(asker).await?;
    let found = acting
        .row_if_any("SELECT owner, tenant FROM thread_by_id($1)", &[&thread_id])
        .await?;
    acting.commit().await?;
    let Some(owner) = found.filter(|row| row.get::<_, Uuid>("owner") != asker.user_id) else {
        return Ok(None);
    };
    gateway.metrics.situation(Situation::ForeignThreadAsked).inc();
    if !MUTANT.acts() {
        return Ok(None);
    }
    let owner = Identity {
        user_id: owner.get("owner"),
        tenant_id: owner.get("tenant"),
        ..asker.clone()
    };
    MUTANT.record(asker.user_id, owner.user_id, "used a thread of");
    if request.op == Op::MessagePost {
        MUTANT.record(owner.user_id, asker.user_id, "has in a thread a message of");
    }
    Ok(Some(owner))
}
