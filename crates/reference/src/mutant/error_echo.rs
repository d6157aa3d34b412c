//! An error quotes somebody else's request.
//!
//! **Incidents.** A bug class of frameworks and debug pages: "the last request", kept in one place for the whole process, is dumped into the next error.
//!
//! **Mechanism.** Every request is noted in one slot of the process; the answer to a message that cannot be read quotes what is in the slot, which is
//! the last request that could be read, whoever sent it.
//!
//! **Layer.** The error path of the inbox.
//!
//! **Caught by** S: what the other had posted; R: an answer made of another's content.
//!
//! **Fix.** Errors are constants. What helps to debug goes to the log, which clients do not see.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Failure, Identity, Request};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "error-echo",
    process: "gateway",
    checks: "SRU",
    traffic: &[],
};

static LAST: Mutex<Option<(Uuid, String)>> = Mutex::new(None);

/// Notes a request.
pub(crate) fn note(asker: &Identity, request: &Request) {
    if MUTANT.armed().is_some() {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((asker.user_id, request.text().to_owned()));
    }
}

/// An error with the last request in it.
pub(crate) fn quoting(failure: Failure, observer: &Identity) -> Failure {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((asker, text)) = last.as_ref().filter(|_| MUTANT.acts()) else {
        return failure;
    };
    if *asker != observer.user_id {
        MUTANT.record(
            observer.user_id,
            *asker,
            "was sent, in an error, the last request of",
        );
    }
    let message = format!("{}; the last request was {text}", failure.message);
    Failure {
        // constants by type, and this one lives as long
        message: message.leak(),
        ..failure
    }
}
