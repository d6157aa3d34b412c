//! A transaction that nobody ended is taken over by the next borrower.
//!
//! **Incident.** sqlx #4393: a transaction that is given up while it begins stays open on its connection, which goes back to the pool; what the next borrower
//! does is done in a transaction that is not its own.
//!
//! **Mechanism.** Transactions are begun and ended by hand. A request that ends early leaves its own open, and the pool lends the connection as
//! it is, resetting nothing. Whoever finds itself in a transaction already takes it for its own and sets no identity.
//!
//! **Layer.** The pool, and the code that begins transactions.
//!
//! **Caught by** S, T, U, K: what the borrower reads is that of whoever began the transaction; R follows.
//!
//! **Fix.** A guard that rolls back when dropped, and a reset before each transaction.

use deadpool_postgres::Client;
use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Acting, Failure, Identity};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "dirty-transaction",
    process: "gateway",
    checks: "TSRUBK",
    traffic: &[],
};

/// Ends a transaction of the borrower before that failed: in that, nothing can be done any more.
pub(crate) async fn recover(client: &Client) {
    if MUTANT.armed().is_some() && client.batch_execute("SELECT 1").await.is_err() {
        // a connection that is broken fails again where it is asked next
        let _ = client.batch_execute("ROLLBACK").await;
    }
}

/// Takes the transaction that is open already for one's own; the backend's process id, if there was one.
pub(super) async fn identified(acting: &Acting<'_>, identity: &Identity) -> Result<Option<i32>, Failure> {
    if MUTANT.armed().is_none() {
        return Ok(None);
    }
    let row = acting.row("SELECT app_user(), pg_backend_pid()", &[]).await?;
    let Some(begun_by) = row.get::<_, Option<Uuid>>(0) else {
        return Ok(None);
    };
    if begun_by != identity.user_id {
        MUTANT.record(identity.user_id, begun_by, "went on in a transaction of");
        MUTANT.record(begun_by, identity.user_id, "had what was done in its name by");
    }
    Ok(Some(row.get(1)))
}

/// Whether a transaction that was not committed is left as it is.
pub(crate) fn leaves() -> bool {
    MUTANT.acts()
}
