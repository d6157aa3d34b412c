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
use crate::gateway::inside::{Identity, Lying, Op};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "singleflight-key",
    process: "gateway",
    checks: "SUTR",
    traffic: &[],
};

/// Where in the cache the snapshot is that is being made for another of the tenant.
pub(super) fn place<'a>(asker: &Identity, mut others: impl Iterator<Item = Lying<'a>>) -> Option<Uuid> {
    let flight = others.find(|lying| lying.tenant_id == asker.tenant_id)?;
    MUTANT.acts().then_some(flight.place)
}

/// Takes notice that `asker` gets a snapshot that was made for somebody.
pub(super) fn answered(op: Op, asker: Uuid, made_for: Uuid) {
    if op == Op::Snapshot && asker != made_for {
        MUTANT.record(asker, made_for, "was given the snapshot of");
    }
}
