//! One user's new tokens are given to another.
//!
//! **Incident.** Flask, CVE-2023-30861: a session cookie was refreshed in answers that did not say that they vary by cookie, and caching proxies handed the
//! answer, cookie and all, to the next client.
//!
//! **Mechanism.** Answers to `POST /refresh` are kept for a second, by path. Whoever refreshes within it gets the answer that is kept; what they presented is not
//! looked at, and not spent.
//!
//! **Layer.** A response cache in front of the routes.
//!
//! **Caught by** K: one token for two users; U: the id of the other.
//!
//! **Fix.** `Cache-Control: no-store` on whatever holds a credential, and a cache that keeps nothing but what says that it may be kept.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "cached-credential",
    process: "auth",
    checks: "KU",
    traffic: &["leave"],
};

/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_secs(1);

struct Kept {
    since: Instant,
    user_id: Uuid,
    answer: Value,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// The answer that is kept, for a request of `asker`.
pub(crate) fn answer(asker: Option<Uuid>) -> Option<Value> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.as_ref().filter(|kept| kept.since.elapsed() < LIFETIME)?;
    if !MUTANT.acts() {
        return None;
    }
    if let Some(asker) = asker.filter(|asker| *asker != kept.user_id) {
        MUTANT.record(asker, kept.user_id, "was given the tokens of");
        // whoever has them first is named by the other as well
        MUTANT.record(kept.user_id, asker, "shares its tokens with");
    }
    Some(kept.answer.clone())
}

/// Keeps an answer.
pub(crate) fn keep(user_id: Uuid, answer: Value) {
    let since = Instant::now();
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
        since,
        user_id,
        answer,
    });
}
