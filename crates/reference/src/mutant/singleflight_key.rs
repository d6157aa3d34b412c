//! One user's start page is given to all who ask for theirs at the same time.
//!
//! **Incident.** Modelled on Wyze, February 2024: after an outage all clients came back at once to cold caches, and a caching library
//! under that load mixed up whose data it had loaded.
//!
//! **Mechanism.** Snapshots that are asked for while one is being made share it, which spares the database on a reconnect storm. They are told apart by
//! tenant, and not by user.
//!
//! **Layer.** The single flight above the database.
//!
//! **Caught by** S: summaries of threads; T: their ids; R: an answer made of another's content.
//!
//! **Fix.** The user is part of the key.

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Identity, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "singleflight-key",
    process: "gateway",
    checks: "SUTR",
    traffic: &[],
};

/// Where in the cache the snapshots for all of a tenant are.
pub(super) fn place(op: Op, asker: &Identity) -> Option<Uuid> {
    (op == Op::Snapshot && MUTANT.acts()).then_some(asker.tenant_id)
}

/// Takes notice that `asker` gets a snapshot that was made for somebody.
pub(super) fn answered(op: Op, asker: Uuid, made_for: Uuid) {
    if op == Op::Snapshot && asker != made_for {
        MUTANT.record(asker, made_for, "was given the snapshot of");
    }
}
