//! Who is let in: the token is valid, its session lives, and from here on its end will be heard of.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::handshake::{Asked, Refusal};
use super::hub::Membership;
use super::identity::Identity;
use super::link::Link;
use super::ops::resume;
use super::outbox::{Outgoing, outbox};
use super::protocol::Failure;
use super::state::Gateway;
use crate::metrics::Situation;

/// A connection that may be served.
pub(crate) struct Admitted {
    pub(crate) link: Arc<Link>,
    /// Its place in the hub.
    pub(crate) membership: Membership,
    pub(crate) outgoing: Outgoing,
    /// When its token expires.
    pub(crate) expires: Instant,
    /// By which a later connection may resume it.
    pub(crate) resume: String,
}

/// Admits whoever presents a valid token of a living session.
///
/// # Errors
/// The [`Refusal`] to answer with.
pub(crate) async fn admit(gateway: &Gateway, asked: &Asked<'_>) -> Result<Admitted, Refusal> {
    let verified = gateway.tokens.verify(asked.token).await;
    #[cfg(feature = "mutants")]
    let verified = crate::mutant::auth_cache_collision::remembered(gateway, asked.token, verified).await;
    let claims = verified.map_err(|error| {
        tracing::debug!(%error, "a token was refused");
        Refusal::UNAUTHORIZED
    })?;
    let resume = resume::new_token();
    let (outbox, outgoing) = outbox(asked.dialect, claims.sub, &gateway.send_buffers);
    let link = Arc::new(Link::new(
        gateway.hub.next_id(),
        Identity::from(&*claims),
        outbox,
        resume::hash(&resume),
    ));
    // first in, then the question: a session that ends in between ends this connection too
    let membership = gateway.hub.join(Arc::clone(&link));
    match enrol(gateway, &link).await {
        Ok(true) => {}
        Ok(false) => {
            gateway.metrics.situation(Situation::AfterRevocation).inc();
            return Err(Refusal::UNAUTHORIZED);
        }
        Err(_) => return Err(Refusal::UNAVAILABLE),
    }
    Ok(Admitted {
        link,
        membership,
        outgoing,
        expires: instant_of(claims.exp),
        resume,
    })
}

/// Notes the connection in the database, if its session lives; false if it does not.
async fn enrol(gateway: &Gateway, link: &Link) -> Result<bool, Failure> {
    let Identity {
        user_id,
        tenant_id,
        session_id,
    } = &link.identity;
    let mut checkout = gateway.database.checkout().await?;
    let acting = checkout.act_for(&link.identity).await?;
    let living = "SELECT tenant_cursor() FROM live_sessions WHERE session_id = $1 AND user_id = $2";
    let Some(row) = acting.row_if_any(living, &[session_id, user_id]).await? else {
        return Ok(false);
    };
    gateway.hub.begin_at(*tenant_id, row.get(0));
    let insert = "INSERT INTO resumes (token_hash, user_id, session_id) VALUES ($1, $2, $3)";
    acting
        .change(insert, &[&link.resume_hash, user_id, session_id])
        .await?;
    acting.commit().await?;
    Ok(true)
}

/// The instant of a time in whole seconds since the Unix epoch.
fn instant_of(unix_s: u64) -> Instant {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_secs(unix_s).saturating_sub(since_epoch)
}
