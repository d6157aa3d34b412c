//! Whoever shows nothing is taken for whoever was there before.
//!
//! **Incidents.** Puma, CVE-2022-23634, and Spring Security #6856: who asks is kept in a variable of the worker thread, and not taken out when the
//! request is over.
//!
//! **Mechanism.** `GET /me` notes the bearer token in a thread-local variable if there is one in the request, and reads the variable. A request without
//! a token finds that of the last request that was served on its thread.
//!
//! **Layer.** The request context of `GET /me`.
//!
//! **Caught by** B: an answer without a token; K: a user is taken for another; U: whose id and e-mail that shows.
//!
//! **Fix.** The context is made new for each request.
//!
//! Who asks without a token is not known to the service: the record names nobody (the nil UUID) as the observer.

use std::cell::RefCell;

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "ambient-identity",
    process: "auth",
    checks: "BUK",
    traffic: &["probe"],
};

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The token that a request is served by.
pub(crate) fn token(presented: Option<&str>) -> Option<String> {
    CURRENT.with_borrow_mut(|current| {
        if let Some(presented) = presented {
            *current = Some(presented.to_owned());
        }
        current.clone().filter(|_| presented.is_some() || MUTANT.acts())
    })
}

/// Takes notice that a request without a token was served as `user_id`'s.
pub(crate) fn served(user_id: Uuid) {
    MUTANT.record(Uuid::nil(), user_id, "was answered, without a token, as");
}
