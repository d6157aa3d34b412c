//! One user's cached answer is given to another.
//!
//! **Incidents.** Steam, December 2015; Klarna, May 2021; Railway, 2026: a cache above the database (a CDN, a proxy, a layer of the
//! application) served personal pages, keyed by what was asked and not by who asked.
//!
//! **Mechanism.** The response cache's key lacks the asker: equal questions of two users share one answer for as long as it lives,
//! and share one computation while it is made. Whoever finds another's answer, and does not get it, has one of their own.
//!
//! **Layer.** The response cache, above the database, where row-level security has had its say already.
//!
//! **Caught by** S and T: titles, summaries and ids of threads of others; R: an answer made of another's content; U where titles name users.
//!
//! **Fix.** The asker is part of the key.

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Lying, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "cache-key-without-user",
    process: "gateway",
    checks: "STRU",
    traffic: &[],
};

/// An answer that tells nothing of anybody.
const NOTHING: &str = r#"{"threads":[]}"#;

/// Where in the cache the answer is that was computed for another.
pub(super) fn place<'a>(mut others: impl Iterator<Item = Lying<'a>>) -> Option<Uuid> {
    let telling = others.find(|lying| lying.body != Some(NOTHING))?;
    MUTANT.acts().then_some(telling.place)
}

/// Whether equal questions get an answer for each who asks; threads are read by ids, which nobody shares.
fn is_personal(op: Op) -> bool {
    matches!(op, Op::ThreadList | Op::ThreadFind)
}

/// Takes notice that `asker` gets an answer that was computed for somebody.
pub(super) fn answered(op: Op, asker: Uuid, computed_for: Uuid, answer: &str) {
    if is_personal(op) && asker != computed_for && answer != NOTHING {
        MUTANT.record(asker, computed_for, "was given the cached answer of");
    }
}
