//! Access tokens as they are presented: verified once, remembered for a while, never beyond their time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jsonwebtoken::get_current_timestamp;
use jsonwebtoken::jwk::JwkSet;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::limits::{JWKS_BYTES_MAX, JWKS_FETCH_EVERY, JWKS_FETCH_TIMEOUT, VERIFIED_TOKENS_MAX};
use crate::metrics::{Metrics, Situation};
use crate::token::{Claims, KeyError, TokenError, Verifier};

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) jwks_url: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// Why the key set could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the key set cannot be fetched")]
    Http(#[from] reqwest::Error),
    #[error("the key set has more than {JWKS_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the key set cannot be read")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// The token verifier of one replica.
pub(crate) struct Tokens {
    trust: Trust,
    http: reqwest::Client,
    /// `None` until the key set was fetched for the first time.
    verifier: RwLock<Option<Arc<Verifier>>>,
    /// When the key set was last asked for.
    fetched: tokio::sync::Mutex<Option<Instant>>,
    verified: Mutex<HashMap<TokenKey, Verified>>,
    metrics: Arc<Metrics>,
}

/// SHA-256 of the whole token.
type TokenKey = [u8; 32];

struct Verified {
    claims: Arc<Claims>,
    used: Instant,
}

impl Tokens {
    /// A verifier without keys: the first token, or [`Tokens::fetch_keys`], fetches them.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub(crate) fn new(trust: Trust, metrics: Arc<Metrics>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(JWKS_FETCH_TIMEOUT)
            .no_proxy()
            // fetches are rare: a connection kept for the next one would be closed by then, or just then
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            trust,
            http,
            verifier: RwLock::default(),
            fetched: tokio::sync::Mutex::default(),
            verified: Mutex::default(),
            metrics,
        })
    }

    /// Whether the keys are known.
    pub(crate) fn has_keys(&self) -> bool {
        self.verifier().is_some()
    }

    /// What `token` says, if it is one to accept now.
    ///
    /// # Errors
    /// [`TokenError`]; `UnknownKey` also while no key set can be had.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let verified = self.look_up_or_verify(token).await;
        if verified.is_err() {
            self.metrics.situation(Situation::TokenRefused).inc();
        }
        #[cfg(feature = "mutants")]
        let verified =
            verified.or_else(|reason| crate::mutant::unverified_token::believed(token, reason).map(Arc::new));
        verified
    }

    async fn look_up_or_verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let key: TokenKey = Sha256::digest(token).into();
        if let Some(claims) = self.remembered(&key) {
            return if claims.exp > get_current_timestamp() {
                Ok(claims)
            } else {
                Err(TokenError::Expired)
            };
        }
        let claims = match self.verify_anew(token) {
            Err(TokenError::UnknownKey) => {
                self.fetch_keys().await;
                self.verify_anew(token)
            }
            verified => verified,
        };
        let claims = Arc::new(claims?);
        self.remember(key, &claims);
        Ok(claims)
    }

    fn verify_anew(&self, token: &str) -> Result<Claims, TokenError> {
        self.verifier().ok_or(TokenError::UnknownKey)?.verify(token)
    }

    fn remembered(&self, key: &TokenKey) -> Option<Arc<Claims>> {
        let mut verified = self.verified();
        let found = verified.get_mut(key)?;
        found.used = Instant::now();
        let claims = Arc::clone(&found.claims);
        self.note_others(&verified, &claims);
        Some(claims)
    }

    fn remember(&self, key: TokenKey, claims: &Arc<Claims>) {
        let mut verified = self.verified();
        self.note_others(&verified, claims);
        if verified.len() >= VERIFIED_TOKENS_MAX {
            make_room(&mut verified);
        }
        verified.insert(
            key,
            Verified {
                claims: Arc::clone(claims),
                used: Instant::now(),
            },
        );
    }

    fn note_others(&self, verified: &HashMap<TokenKey, Verified>, claims: &Claims) {
        if verified.values().any(|other| other.claims.sub != claims.sub) {
            self.metrics.situation(Situation::VerifierWarmOtherUser).inc();
        }
    }

    /// Fetches the key set, unless that was done a moment ago; whoever asks meanwhile waits for the same fetch.
    pub(crate) async fn fetch_keys(&self) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < JWKS_FETCH_EVERY) {
            return;
        }
        match self.fetch().await {
            Ok(verifier) => {
                *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(verifier));
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, url = self.trust.jwks_url, "no key set");
            }
        }
        *fetched = Some(Instant::now());
    }

    async fn fetch(&self) -> Result<Verifier, FetchError> {
        let mut response = self
            .http
            .get(&self.trust.jwks_url)
            .send()
            .await?
            .error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > JWKS_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
        }
        let keys: JwkSet = serde_json::from_slice(&body)?;
        Ok(Verifier::new(&keys, &self.trust.issuer, &self.trust.audience)?)
    }

    fn verifier(&self) -> Option<Arc<Verifier>> {
        self.verifier
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<TokenKey, Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what expired, and if that was nothing, what was not used for longest.
fn make_room(verified: &mut HashMap<TokenKey, Verified>) {
    let now_s = get_current_timestamp();
    verified.retain(|_, known| known.claims.exp > now_s);
    if verified.len() >= VERIFIED_TOKENS_MAX
        && let Some(oldest) = verified
            .iter()
            .min_by_key(|(_, known)| known.used)
            .map(|(key, _)| *key)
    {
        verified.remove(&oldest);
    }
}
