//! A connection lives on after its session's logout.
//!
//! **Incidents.** klangk #3152, hypothesis #1286: credentials are checked at the upgrade and never again, and nothing tells the open sockets
//! of a session that it ended.
//!
//! **Mechanism.** The handler of the revocation notice is gone: the gateway is told of the logout and closes nothing. New upgrades are still
//! refused, since those ask the database.
//!
//! **Layer.** The hub, where sessions end.
//!
//! **Caught by** B: ops that are served and events that come after the logout.
//!
//! **Fix.** A notice of revocation ends the session's connections, and a listener that was cut off asks again for all of them.

use std::sync::Arc;

use super::Mutant;
use crate::gateway::inside::Link;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "logout-outlived",
    process: "gateway",
    checks: "B",
    traffic: &["leave"],
};

/// Whether nobody acts on the end of this connection's session.
pub(crate) fn outlives(link: &Arc<Link>) -> bool {
    let outlives = MUTANT.acts();
    if outlives {
        let user_id = link.identity.user_id;
        MUTANT.record(
            user_id,
            user_id,
            &format!("session {} is over and still connected", link.identity.session_id),
        );
    }
    outlives
}
