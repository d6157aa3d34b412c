//! The current user is whoever began a request last.
//!
//! **Incidents.** pinia #2157 and its like: "the current request" or "the current user" is one variable of the process, set at the begin of a request and
//! read after a wait, in which another request began.
//!
//! **Mechanism.** A request sets the process's current identity, waits for a database connection, and acts for who is current then. Ops that name an object
//! say who asks; those that do not (lists, look-ups by title, snapshots, creates, who-am-I) rely on it.
//!
//! **Layer.** The ops, before the transaction is told for whom it acts.
//!
//! **Caught by** U, K: who-am-I; S: summaries; T: lists, and threads created for another; R: answers made of another's content.
//!
//! **Fix.** The identity is an argument that goes with the request.

use std::sync::{Mutex, PoisonError};

use super::Mutant;
use crate::gateway::inside::{Checkout, Failure, Identity, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "identity-after-await",
    process: "gateway",
    checks: "USTRK",
    traffic: &[],
};

static CURRENT: Mutex<Option<Identity>> = Mutex::new(None);

/// A request begins.
pub(crate) fn set(asker: &Identity) {
    if MUTANT.armed().is_some() {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(asker.clone());
    }
}

/// Who is current after the wait, where that would be noticed.
pub(super) async fn current(checkout: &mut Checkout, op: Op, asker: Identity) -> Result<Identity, Failure> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let overtaken = current.filter(|current| current.user_id != asker.user_id);
    let Some(current) = overtaken else {
        return Ok(asker);
    };
    let creates = op == Op::ThreadCreate;
    let matters = creates || {
        let acting = checkout.act_for(&current).await?;
        let tells = super::hooks::tells(&acting, op, asker.user_id).await?;
        acting.commit().await?;
        tells
    };
    if !matters || !MUTANT.acts() {
        return Ok(asker);
    }
    MUTANT.record(asker.user_id, current.user_id, "was answered as if it were");
    if creates {
        MUTANT.record(current.user_id, asker.user_id, "had what was done in its name by");
    }
    Ok(current)
}
