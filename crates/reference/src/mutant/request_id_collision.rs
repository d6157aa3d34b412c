//! One user's reply is sent to another who uses the same request id.
//!
//! **Incident.** The TypeScript SDK of the Model Context Protocol, CVE-2026-25536: a server's transport kept one map from request id to stream
//! for all its clients, and clients count their requests from 0.
//!
//! **Mechanism.** The map of pending replies is keyed by the client's request id alone. A second user's request of that id takes the entry over,
//! and the pieces of the first go where the second came from; when one ends it takes the entry away, and the other hears nothing more.
//!
//! **Layer.** The routing of streamed replies, above the connections.
//!
//! **Caught by** R: pieces with the right id and another's nonce; S: what the reply is made of.
//!
//! **Fix.** The key is the connection and the request id.

use super::Mutant;
use crate::gateway::inside::Identity;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "request-id-collision",
    process: "gateway",
    checks: "RS",
    traffic: &[],
};

/// The key of the entry that a request of `asker` takes over, of those `equal` to it but for the connection.
pub(crate) fn taken_over<'a, K>(
    asker: &Identity,
    mut equal: impl Iterator<Item = (&'a K, &'a Identity)>,
) -> Option<&'a K> {
    let (key, _) = equal.find(|(_, owner)| owner.user_id != asker.user_id)?;
    MUTANT.acts().then_some(key)
}

/// Takes notice that a piece of `owner`'s reply is sent to `reader`.
pub(crate) fn sent(owner: &Identity, reader: &Identity) {
    if owner.user_id != reader.user_id {
        MUTANT.record(reader.user_id, owner.user_id, "was sent a piece of the reply to");
    }
}
