//! On whose behalf a connection acts.

use uuid::Uuid;

use crate::token::Claims;

/// The user, tenant and session of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) session_id: Uuid,
}

impl From<&Claims> for Identity {
    fn from(claims: &Claims) -> Self {
        Self {
            user_id: claims.sub,
            tenant_id: claims.tenant,
            session_id: claims.sid,
        }
    }
}
