//! A pooled connection still says who had it before.
//!
//! **Incidents.** Row-level security behind PgBouncer and other pools, in many reports: the identity is a session setting, made once when a client
//! connects, and the next statement runs on whatever connection the pool has free.
//!
//! **Mechanism.** The identity is `SET` for the session, once for each login, on the connection that its first transaction happens to get; later transactions
//! of ops that list or look up what the current user has set nothing. Nothing resets what the pool lends again. Ops that say whose they are
//! about (posts, reads by id, lists of rooms) would find nothing on such a connection, which tells nobody anything; they are identified.
//!
//! **Layer.** The pool.
//!
//! **Caught by** S, T, U, K: lists, summaries and who-am-I of whoever was set on that connection last; R follows.
//!
//! **Fix.** The identity is local to a transaction (`set_config(…, true)`), and a connection is reset before each.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Acting, Failure, Identity, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "session-guc",
    process: "gateway",
    checks: "STURK",
    traffic: &[],
};

/// Sessions that were set somewhere.
static SET: LazyLock<Mutex<HashSet<Uuid>>> = LazyLock::new(Mutex::default);

/// Identifies a transaction by what is set on its connection, if it is for an op that says nothing else; the backend's process
/// id, if that was done.
pub(super) async fn identified(
    acting: &Acting<'_>,
    op: Option<Op>,
    identity: &Identity,
) -> Result<Option<i32>, Failure> {
    if MUTANT.armed().is_none() {
        return Ok(None);
    }
    let Identity {
        user_id,
        tenant_id,
        session_id,
    } = identity;
    let is_first = SET
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(*session_id);
    if is_first {
        let set = "SELECT set_config('app.user_id', $1, false), set_config('app.tenant_id', $2, false), pg_backend_pid()";
        let row = acting
            .row(set, &[&user_id.to_string(), &tenant_id.to_string()])
            .await?;
        return Ok(Some(row.get(2)));
    }
    let Some(op) = op.filter(|op| *op != Op::RoomList) else {
        return Ok(None);
    };
    let row = acting.row("SELECT app_user(), pg_backend_pid()", &[]).await?;
    let set = row.get::<_, Option<Uuid>>(0).filter(|set| set != user_id);
    let Some(set) = set else { return Ok(None) };
    if !super::hooks::tells(acting, op, *user_id).await? || !MUTANT.acts() {
        return Ok(None);
    }
    MUTANT.record(*user_id, set, "acted on a connection that was set to");
    Ok(Some(row.get(1)))
}
