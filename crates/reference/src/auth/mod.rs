//! Accounts and sessions over HTTP: register, log in, refresh, log out. PROTOCOL.md, "Auth: HTTP", is what it speaks.

mod answer;
mod api;
mod database;
mod input;
mod password;
mod refreshes;
mod sessions;
mod users;

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;

pub use answer::AuthError;
pub use api::router;
pub use database::{DatabaseError, PRUNE_INTERVAL};
pub use password::{PasswordCost, PasswordError};

use crate::metrics::Metrics;
use crate::token::{KeyError, SigningKey, Verifier};
use database::Database;
use password::Passwords;
use refreshes::Refreshes;

/// What an auth service is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The longest life of an access token; at least a second.
    pub access_ttl: Duration,
    /// What hashing a password costs.
    pub password_cost: PasswordCost,
    /// Connections to the database.
    pub pool_size: u32,
}

/// Why an auth service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database, or the role in it, is not fit.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The signing key is not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The cost of passwords is not fit.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// The auth service: accounts, sessions, and the key that signs their tokens.
pub struct Auth {
    settings: Settings,
    database: Database,
    passwords: Passwords,
    key: SigningKey,
    key_set: JwkSet,
    verifier: Verifier,
    refreshes: Refreshes,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// Connects to the database at `url`, and refuses a role that row-level security does not bind.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        url: &str,
        settings: Settings,
        key: SigningKey,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, StartError> {
        let key_set = key.key_set();
        let verifier = Verifier::new(&key_set, &settings.issuer, &settings.audience)?;
        let passwords = Passwords::new(settings.password_cost).await?;
        let database = Database::connect(url, settings.pool_size, &metrics).await?;
        Ok(Arc::new(Self {
            settings,
            database,
            passwords,
            key,
            key_set,
            verifier,
            refreshes: Refreshes::default(),
            metrics,
        }))
    }

    /// Whether the database answers; the error says why not.
    ///
    /// # Errors
    /// The reason, for an operator.
    pub async fn health(&self) -> Result<(), String> {
        self.database.ping().await.map_err(|error| error.to_string())
    }

    /// Deletes sessions that nobody can use any more, every [`PRUNE_INTERVAL`], for ever.
    pub async fn prune(&self) {
        self.database.prune().await;
    }

    /// Ends the connections to the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
