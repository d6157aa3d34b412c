//! Presence and typing reach other tenants.
//!
//! **Incidents.** A bug class of chat servers: events that are not stored are broadcast by the hub to every socket of the process, and the
//! scope that stored events get from their query is nowhere applied.
//!
//! **Mechanism.** The hub's audience of an event that is not stored is every connection.
//!
//! **Layer.** The hub, between the database and the connections.
//!
//! **Caught by** U: user ids of another tenant; S where a status or a name holds something of its user.
//!
//! **Fix.** The audience is looked up by tenant, and for typing by the room's members.

use std::sync::Arc;

use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::Link;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "presence-leak",
    process: "gateway",
    checks: "US",
    traffic: &[],
};

/// Whether an event is broadcast without looking for its audience.
pub(crate) fn broadcasts() -> bool {
    MUTANT.acts()
}

/// Takes notice of whom an event of `user_id` is sent to.
pub(crate) fn told(links: &[Arc<Link>], tenant_id: Uuid, user_id: Uuid) {
    for link in links.iter().filter(|link| link.identity.tenant_id != tenant_id) {
        MUTANT.record(link.identity.user_id, user_id, "in another tenant, was told of");
    }
}
