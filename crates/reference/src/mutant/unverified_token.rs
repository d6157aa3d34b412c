//! A token is believed that should have been refused.
//!
//! **Incidents.** The classes of RFC 8725 and of Wycheproof's JWS cases: `none` in its spellings, a signature that is missing, zeroed or
//! wrong, a key of the attacker's own, the public key as a shared secret, another issuer, another audience, an expiry that is not looked at.
//!
//! **Mechanism.** What the verifier refuses is decoded all the same and its claims are used: one mutant for each class, told apart in the record, each
//! as if the check that refused were missing.
//!
//! **Layer.** The gateway's verifier. Whether the session lives is asked of the database all the same.
//!
//! **Caught by** K: forged tokens are accepted, and let somebody in as somebody else; B: an expired one is.
//!
//! **Fix.** One algorithm, keys from the key set alone, every claim required and compared.
//!
//! Who presents a forged token is not known to the service: the record names nobody (the nil UUID) as the observer, and the token's
//! own user, for whom a token that expired was made.

use uuid::Uuid;

use super::Mutant;
use crate::token::{Claims, TokenError};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "unverified-token",
    process: "gateway",
    checks: "KB",
    traffic: &["probe", "boundary"],
};

/// What a token says that was refused for `reason`.
pub(crate) fn believed(token: &str, reason: TokenError) -> Result<Claims, TokenError> {
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token).map_err(|_| reason)?;
    if !MUTANT.acts() {
        return Err(reason);
    }
    let user_id = claims.sub;
    for observer in [Uuid::nil(), user_id] {
        MUTANT.record(observer, user_id, &format!("was believed though: {reason}"));
    }
    Ok(claims)
}
