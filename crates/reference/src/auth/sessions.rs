//! Sessions: what a login begins, a refresh prolongs, and a logout or a reused refresh token ends.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Auth;
use super::answer::AuthError;
use super::input::{Login, Refresh};
use super::password::Lane;
use crate::metrics::Situation;
use crate::token::Claims;

/// How long a session lives, however often it is refreshed.
pub(super) const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Random bytes of a refresh token.
const REFRESH_BYTES: usize = 32;
/// Characters of a refresh token.
const REFRESH_CHARS: usize = 43;

/// The answer to `POST /login` and `POST /refresh`.
#[derive(Serialize)]
pub(super) struct Tokens {
    token_type: &'static str,
    access_token: String,
    refresh_token: String,
    expires_in_s: u64,
    session_id: Uuid,
    pub(super) user_id: Uuid,
    tenant_id: Uuid,
}

/// The answer to `GET /me`.
#[derive(Serialize)]
pub(super) struct Me {
    pub(super) user_id: Uuid,
    tenant_id: Uuid,
    email: String,
    name: String,
    session_id: Uuid,
}

/// Whose session it is.
#[derive(Clone, Copy, sqlx::FromRow)]
struct Session {
    session_id: Uuid,
    user_id: Uuid,
    tenant_id: Uuid,
}

/// Why a session is revoked; the words of the schema.
#[derive(Clone, Copy)]
enum Reason {
    Logout,
    RefreshReused,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::RefreshReused => "refresh_reused",
        }
    }
}

/// What a presented refresh token leads to.
enum Rotation {
    Next {
        session: Session,
        refresh_token: String,
        left: Duration,
    },
    /// It was spent before; its session is revoked by now.
    Reused,
    /// It was never issued, or its session is over.
    Unknown,
}

#[cfg(feature = "mutants")]
impl Rotation {
    fn note(&self) -> Option<crate::mutant::shared_env::Context> {
        let Self::Next { session, .. } = self else {
            return None;
        };
        crate::mutant::shared_env::note([session.session_id, session.user_id, session.tenant_id])
    }

    fn noted(mut self, context: Option<crate::mutant::shared_env::Context>) -> Self {
        if let Self::Next { session, .. } = &mut self {
            let own = [session.session_id, session.user_id, session.tenant_id];
            let [session_id, user_id, tenant_id] = crate::mutant::shared_env::noted(context, own);
            *session = Session {
                session_id,
                user_id,
                tenant_id,
            };
        }
        self
    }
}

impl Auth {
    /// Begins a session.
    pub(super) async fn login(&self, input: Login) -> Result<Tokens, AuthError> {
        let ttl = self.access_ttl(input.ttl_s)?;
        let account = sqlx::query_as(
            "select user_id, tenant_id, password_hash from users where lower(email) = lower($1)",
        );
        let account: Option<(Uuid, Uuid, String)> = account
            .bind(&input.email)
            .fetch_optional(&mut *self.database.lend().await?)
            .await?;
        let (ids, hash) = account
            .map(|(user_id, tenant_id, hash)| ((user_id, tenant_id), hash))
            .unzip();
        let right = self.passwords.matches(Lane::LogIn, input.password, hash).await?;
        let Some((user_id, tenant_id)) = ids.filter(|_| right) else {
            return Err(AuthError::BadCredentials);
        };
        let session = Session {
            session_id: Uuid::new_v4(),
            user_id,
            tenant_id,
        };
        let refresh_token = self.begin_session(session).await?;
        self.tokens(session, refresh_token, ttl)
    }

    async fn begin_session(&self, session: Session) -> Result<String, AuthError> {
        let mut lent = self.database.lend().await?;
        let mut transaction = lent.begin().await?;
        let begun = sqlx::query(
            "insert into sessions (session_id, tenant_id, user_id, expires_at) \
             values ($1, $2, $3, now() + make_interval(secs => $4))",
        );
        let begun = begun
            .bind(session.session_id)
            .bind(session.tenant_id)
            .bind(session.user_id);
        begun
            .bind(SESSION_TTL.as_secs_f64())
            .execute(&mut *transaction)
            .await?;
        let refresh_token = issue_refresh_token(&mut transaction, session.session_id).await?;
        transaction.commit().await?;
        Ok(refresh_token)
    }

    /// Who the bearer of an access token is.
    pub(super) async fn me(&self, token: &str) -> Result<Me, AuthError> {
        let Claims { sid, sub, tenant, .. } = self.claims(token)?;
        let found = sqlx::query_as(
            "select u.email, u.name from sessions s join users u using (tenant_id, user_id) \
             where s.session_id = $1 and s.user_id = $2 and s.tenant_id = $3 \
             and s.revoked_at is null and s.expires_at > now()",
        );
        let found = found.bind(sid).bind(sub).bind(tenant);
        let found: Option<(String, String)> = found.fetch_optional(&mut *self.database.lend().await?).await?;
        let (email, name) = found.ok_or_else(|| self.over())?;
        Ok(Me {
            user_id: sub,
            tenant_id: tenant,
            email,
            name,
            session_id: sid,
        })
    }

    /// Spends a refresh token for new tokens of its session.
    pub(super) async fn refresh(&self, input: Refresh) -> Result<Tokens, AuthError> {
        let ttl = self.access_ttl(input.ttl_s)?;
        if input.refresh_token.len() != REFRESH_CHARS {
            return Err(AuthError::Unauthorized);
        }
        let began = Instant::now();
        match self.rotate(&input.refresh_token).await? {
            Rotation::Next {
                session,
                refresh_token,
                left,
            } => {
                self.refreshes.done(session.user_id, began, &self.metrics);
                self.tokens(session, refresh_token, ttl.min(left))
            }
            Rotation::Reused => Err(AuthError::RefreshReused),
            Rotation::Unknown => Err(AuthError::Unauthorized),
        }
    }

    async fn rotate(&self, presented: &str) -> Result<Rotation, AuthError> {
        let mut lent = self.database.lend().await?;
        let mut transaction = lent.begin().await?;
        let rotation = rotate(&mut transaction, &hash(presented)).await?;
        #[cfg(feature = "mutants")]
        let context = rotation.note();
        transaction.commit().await?;
        #[cfg(feature = "mutants")]
        let rotation = rotation.noted(context);
        Ok(rotation)
    }

    /// Whose refresh token it is.
    #[cfg(feature = "mutants")]
    pub(super) async fn holder(&self, input: &Refresh) -> Result<Option<Uuid>, AuthError> {
        let holder = sqlx::query_scalar(
            "select user_id from refresh_tokens join sessions using (session_id) where token_hash = $1",
        );
        let holder = holder.bind(hash(&input.refresh_token));
        Ok(holder.fetch_optional(&mut *self.database.lend().await?).await?)
    }

    /// Ends the session of an access token: revoked, and the gateways told, once this returns.
    pub(super) async fn logout(&self, token: &str) -> Result<(), AuthError> {
        let claims = self.claims(token)?;
        let mut lent = self.database.lend().await?;
        let mut transaction = lent.begin().await?;
        let revoked = revoke(&mut transaction, claims.sid, Reason::Logout).await?;
        transaction.commit().await?;
        if revoked { Ok(()) } else { Err(self.over()) }
    }

    fn claims(&self, token: &str) -> Result<Claims, AuthError> {
        self.verifier.verify(token).map_err(|error| {
            tracing::debug!(%error, "token refused");
            AuthError::Unauthorized
        })
    }

    /// A good token of a session that is over.
    fn over(&self) -> AuthError {
        self.metrics.situation(Situation::AfterRevocation).inc();
        AuthError::Unauthorized
    }

    fn access_ttl(&self, asked_s: Option<u64>) -> Result<Duration, AuthError> {
        let longest = self.settings.access_ttl;
        match asked_s.map(Duration::from_secs) {
            None => Ok(longest),
            Some(asked) if asked >= Duration::from_secs(1) && asked <= longest => Ok(asked),
            Some(_) => Err(AuthError::BadRequest(
                "`ttl_s` must be 1 to the longest life of an access token",
            )),
        }
    }

    fn tokens(&self, session: Session, refresh_token: String, ttl: Duration) -> Result<Tokens, AuthError> {
        let Session {
            session_id,
            user_id,
            tenant_id,
        } = session;
        let now_s = jsonwebtoken::get_current_timestamp();
        let access_token = self.key.sign(&Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            sub: user_id,
            tenant: tenant_id,
            sid: session_id,
            jti: Uuid::new_v4(),
            iat: now_s,
            exp: now_s + ttl.as_secs(),
        })?;
        let (token_type, expires_in_s) = ("Bearer", ttl.as_secs());
        Ok(Tokens {
            token_type,
            access_token,
            refresh_token,
            expires_in_s,
            session_id,
            user_id,
            tenant_id,
        })
    }
}

async fn issue_refresh_token(database: &mut PgConnection, session_id: Uuid) -> Result<String, sqlx::Error> {
    let mut bytes = [0; REFRESH_BYTES];
    rand::fill(&mut bytes);
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let issued = sqlx::query("insert into refresh_tokens (token_hash, session_id) values ($1, $2)");
    issued
        .bind(hash(&token))
        .bind(session_id)
        .execute(database)
        .await?;
    Ok(token)
}

/// Spends the token; whoever comes second with it, even in the same moment, finds it spent.
async fn rotate(database: &mut PgConnection, presented: &[u8]) -> Result<Rotation, sqlx::Error> {
    let spent = sqlx::query_scalar(
        "update refresh_tokens set spent_at = now() where token_hash = $1 and spent_at is null returning session_id",
    );
    let spent: Option<Uuid> = spent.bind(presented).fetch_optional(&mut *database).await?;
    let Some(session_id) = spent else {
        return reused(database, presented).await;
    };
    // the lock keeps a revocation from passing between this check and the commit
    let live = sqlx::query_as(
        "select tenant_id, user_id, extract(epoch from expires_at - now())::float8 from sessions \
         where session_id = $1 and revoked_at is null and expires_at > now() + interval '1 second' for share",
    );
    let live: Option<(Uuid, Uuid, f64)> = live.bind(session_id).fetch_optional(&mut *database).await?;
    let Some((tenant_id, user_id, left_s)) = live else {
        return Ok(Rotation::Unknown);
    };
    let refresh_token = issue_refresh_token(database, session_id).await?;
    let (session, left) = (
        Session {
            session_id,
            user_id,
            tenant_id,
        },
        Duration::from_secs_f64(left_s),
    );
    Ok(Rotation::Next {
        session,
        refresh_token,
        left,
    })
}

async fn reused(database: &mut PgConnection, presented: &[u8]) -> Result<Rotation, sqlx::Error> {
    let known = sqlx::query_scalar("select session_id from refresh_tokens where token_hash = $1");
    let known: Option<Uuid> = known.bind(presented).fetch_optional(&mut *database).await?;
    let Some(session_id) = known else {
        return Ok(Rotation::Unknown);
    };
    if revoke(database, session_id, Reason::RefreshReused).await? {
        tracing::warn!(%session_id, "a refresh token was used twice; its session is revoked");
    }
    Ok(Rotation::Reused)
}

/// Revokes a session and tells the gateways, both when the transaction commits; `false` if it was over already.
async fn revoke(
    transaction: &mut PgConnection,
    session_id: Uuid,
    reason: Reason,
) -> Result<bool, sqlx::Error> {
    let revoked = sqlx::query(
        "update sessions set revoked_at = now(), revoked_for = $2 where session_id = $1 and revoked_at is null",
    );
    let revoked = revoked
        .bind(session_id)
        .bind(reason.word())
        .execute(&mut *transaction)
        .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let told = sqlx::query("select pg_notify('session_revoked', $1)");
    told.bind(session_id.to_string()).execute(transaction).await?;
    Ok(true)
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
