//! Two requests share one context.
//!
//! **Incident.** GitHub, March 2021: a background thread shared the environment object of a request; under a rare timing one user's answer was given the
//! session of another, whose request was served at the same time.
//!
//! **Mechanism.** A refresh notes its session in a context from a pool, and gives the context back when its statements are sent. A refresh that comes before
//! their commit is answered takes the same context; the tokens of the first are then signed for the session that is in the context.
//!
//! **Layer.** The request context of `POST /refresh`.
//!
//! **Caught by** K: an access token that says another user, once it is used; U: whose id and e-mail that shows.
//!
//! **Fix.** A context belongs to its request until the answer is sent, or there is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "shared-env",
    process: "auth",
    checks: "KU",
    traffic: &["leave"],
};

/// Session, user and tenant.
pub(crate) type Noted = [Uuid; 3];

/// What is noted of a request.
pub(crate) type Context = Arc<Mutex<Option<Noted>>>;

static POOL: Mutex<Vec<Context>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a session in a context, which goes back to the pool at once.
pub(crate) fn note(session: Noted) -> Option<Context> {
    MUTANT.armed()?;
    let context = lock(&POOL).pop().unwrap_or_default();
    *lock(&context) = Some(session);
    lock(&POOL).push(Arc::clone(&context));
    Some(context)
}

/// The session that is in the context now.
pub(crate) fn noted(context: Option<Context>, own: Noted) -> Noted {
    let noted = context.and_then(|context| *lock(&context)).unwrap_or(own);
    if noted[1] == own[1] || !MUTANT.acts() {
        return own;
    }
    MUTANT.record(own[1], noted[1], "was signed tokens for the session of");
    noted
}
