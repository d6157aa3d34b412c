//! What one user read is given to whoever names it.
//!
//! **Incident.** backend.ai #12020: a loader that remembers what it loaded, made once for the whole process instead of once for each request, answers
//! by id and asks nobody.
//!
//! **Mechanism.** Pages of threads are remembered by the thread's id and the place in it, and not by who read them.
//!
//! **Layer.** The response cache in front of reads, above the database, which would refuse.
//!
//! **Caught by** T: a foreign thread is read; S: what is in it; R: an answer made of another's content.
//!
//! **Fix.** The reader is part of the key, or the loader lives no longer than the request.

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Lying, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "global-loader",
    process: "gateway",
    checks: "STR",
    traffic: &["probe", "read-all"],
};

/// Where in the cache the page is that was read for another.
pub(super) fn place<'a>(mut others: impl Iterator<Item = Lying<'a>>) -> Option<Uuid> {
    let page = others.next()?;
    MUTANT.acts().then_some(page.place)
}

/// Takes notice that `reader` gets a page that was read for somebody.
pub(super) fn answered(op: Op, reader: Uuid, read_for: Uuid) {
    if op == Op::ThreadRead && reader != read_for {
        MUTANT.record(reader, read_for, "was given the page of a thread of");
    }
}
