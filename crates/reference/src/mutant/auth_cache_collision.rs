//! One user's token is taken for another's.
//!
//! **Incidents.** Okta, October 2024: a cache of delegated log-ins was keyed by bcrypt of user id, name and password, and bcrypt reads 72
//! bytes; whoever had a name long enough got in with any password. fast-jwt #588: a verifier cache whose key builder let tokens collide.
//!
//! **Mechanism.** The verifier cache is keyed by the first 72 bytes of the token. A token begins with its header, which is the same for
//! all tokens of one key, so a look-up finds whoever was verified first. A session that has ended lets nobody in, and
//! the next to be verified takes its place.
//!
//! **Layer.** The gateway's verifier, in front of everything.
//!
//! **Caught by** K: a connection has the identity of another; T, S and U follow, since it reads what that user reads.
//!
//! **Fix.** A key that covers every byte: SHA-256 of the whole token.
//!
//! Who presents a token that is not theirs, or a forged one, is not known to the service: the record names nobody (the nil UUID) beside the user that
//! the token names.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jsonwebtoken::get_current_timestamp;
use uuid::Uuid;

use super::Mutant;
use crate::gateway::inside::{Failure, Gateway, Identity};
use crate::token::{Claims, TokenError};

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "auth-cache-collision",
    process: "gateway",
    checks: "KTSU",
    traffic: &[],
};

/// What bcrypt reads of its input.
const LOOKED_AT_BYTES: usize = 72;

/// Who was verified first, by what their tokens begin with.
static FIRST: LazyLock<Mutex<HashMap<String, Arc<Claims>>>> = LazyLock::new(Mutex::default);

/// What the cache says of a token, where that is wrong and lets somebody in: of another user, or of a token that is to be
/// refused.
pub(crate) async fn remembered(
    gateway: &Gateway,
    token: &str,
    verified: Result<Arc<Claims>, TokenError>,
) -> Result<Arc<Claims>, TokenError> {
    if MUTANT.armed().is_none() {
        return verified;
    }
    let first = first(token, verified.as_ref().ok());
    let is_another = |first: &Arc<Claims>| verified.as_ref().map_or(true, |own| own.sub != first.sub);
    let Some(first) = first.filter(is_another) else {
        return verified;
    };
    if !matches!(lives(gateway, &first).await, Ok(true)) {
        all().retain(|_, other| !Arc::ptr_eq(other, &first));
        return verified;
    }
    if !MUTANT.acts() {
        return verified;
    }
    let own = jsonwebtoken::dangerous::insecure_decode_claims::<Sub>(token).ok();
    if let Some(Sub { sub }) = own.filter(|own| own.sub != first.sub) {
        MUTANT.record(sub, first.sub, "was admitted as");
        MUTANT.record(Uuid::nil(), sub, "was admitted, as another, with a token of");
    }
    MUTANT.record(Uuid::nil(), first.sub, "was admitted as");
    Ok(first)
}

fn all() -> MutexGuard<'static, HashMap<String, Arc<Claims>>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the session of a token has not ended: of one that has, nobody is let in.
async fn lives(gateway: &Gateway, claims: &Claims) -> Result<bool, Failure> {
    let identity = Identity::from(claims);
    let mut checkout = gateway.database.checkout().await?;
    let acting = checkout.act_for(&identity).await?;
    let living = "SELECT FROM live_sessions WHERE session_id = $1 AND user_id = $2";
    let row = acting
        .row_if_any(living, &[&identity.session_id, &identity.user_id])
        .await?;
    acting.commit().await?;
    Ok(row.is_some())
}

/// Whoever was first of those whose tokens begin like this one and live, perhaps `own`.
fn first(token: &str, own: Option<&Arc<Claims>>) -> Option<Arc<Claims>> {
    let looked_at = token.get(..LOOKED_AT_BYTES).unwrap_or(token);
    let mut all = all();
    let now_s = get_current_timestamp();
    all.retain(|_, first| first.exp > now_s);
    if let Some(own) = own {
        all.entry(looked_at.to_owned()).or_insert_with(|| Arc::clone(own));
    }
    all.get(looked_at).cloned()
}

#[derive(serde::Deserialize)]
struct Sub {
    sub: Uuid,
}
