//! A task reads a context that is somebody else's by now.
//!
//! **Incidents.** fasthttp #146, chi #993: the request's context comes from a pool and goes back when the handler returns; a goroutine that the handler started
//! reads it later, when it belongs to another request.
//!
//! **Mechanism.** The context of a room's post goes back to its pool when the post is answered. The receipt is made after that, from what is in the
//! context then.
//!
//! **Layer.** The deferred task of the op that posts.
//!
//! **Caught by** S: what another posted in another room; U: who did; R.
//!
//! **Fix.** The task owns the context, or a copy of what it needs.

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "context-after-return",
    process: "gateway",
    checks: "RUS",
    traffic: &[],
};

/// Whether a context is given back before its task has read it.
pub(crate) fn gives_back() -> bool {
    MUTANT.acts()
}

/// Takes notice of whose post `user_id` gets a receipt for.
pub(crate) fn sent(user_id: Uuid, author_id: Uuid) {
    if user_id != author_id {
        MUTANT.record(user_id, author_id, "was sent the receipt of");
    }
}
