//! One user's token is taken for another's.
//!
//! **Incidents.** Okta, October 2024: a cache of delegated log-ins was keyed by bcrypt of user id, name and password, and bcrypt reads 72
//! bytes; whoever had a name long enough got in with any password. fast-jwt #588: a verifier cache whose key builder let tokens collide.
//!
//! **Mechanism.** The verifier cache is keyed by the first 72 bytes of the token. A token begins with its header, which is the same for
//! all tokens of one key, so a look-up finds whoever was verified first.
//!
//! **Layer.** The gateway's verifier, in front of everything.
//!
//! **Caught by** K: a connection has the identity of another; T, S and U follow, since it reads what that user reads.
//!
//! **Fix.** A key that covers every byte: SHA-256 of the whole token.

use uuid::Uuid;

use super::Mutant;
use crate::token::Claims;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "auth-cache-collision",
    process: "gateway",
    checks: "KTSU",
    traffic: &[],
};

/// What bcrypt reads of its input.
const LOOKED_AT_BYTES: usize = 72;

/// The part of a token that its cache key is made of.
pub(crate) fn looked_at(token: &str) -> &str {
    let head = token.get(..LOOKED_AT_BYTES).unwrap_or(token);
    if MUTANT.acts() { head } else { token }
}

/// Takes notice of what the cache said of a token.
pub(crate) fn remembered(token: &str, claims: &Claims) {
    if let Ok(own) = jsonwebtoken::dangerous::insecure_decode_claims::<Sub>(token)
        && own.sub != claims.sub
    {
        MUTANT.record(own.sub, claims.sub, "was admitted as");
    }
}

#[derive(serde::Deserialize)]
struct Sub {
    sub: Uuid,
}
