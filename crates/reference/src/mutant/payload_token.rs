//! A token inside a message replaces the connection's user.
//!
//! **Incident.** SignalK #2564: a message on an open connection may hold a token, and whatever it says, expired or not, the connection's
//! request is served as that token's user.
//!
//! **Mechanism.** A request's `token` is decoded, its signature is checked and nothing else, and the request acts for its user.
//!
//! **Layer.** The reading of requests, before the ops.
//!
//! **Caught by** K: a user is taken for another; U: whose id and e-mail it is told.
//!
//! **Fix.** The identity of a connection is fixed at its upgrade; a request that holds a token is refused.

use super::Mutant;
use crate::gateway::inside::{Gateway, Identity};
use crate::token::{Claims, TokenError};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "payload-token",
    process: "gateway",
    checks: "KUTS",
    traffic: &["probe"],
};

/// Whether a token in a request is believed.
pub(crate) fn believes() -> bool {
    MUTANT.acts()
}

/// Whom a request with that token acts for.
pub(super) async fn identity(gateway: &Gateway, token: &str, asker: &Identity) -> Option<Identity> {
    let claims = match gateway.tokens.verify(token).await {
        Ok(claims) => Identity::from(&*claims),
        Err(TokenError::Expired) => {
            let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token).ok()?;
            Identity::from(&claims)
        }
        Err(_) => return None,
    };
    if claims.user_id != asker.user_id {
        MUTANT.record(asker.user_id, claims.user_id, "asked with the token of");
    }
    Some(claims)
}
