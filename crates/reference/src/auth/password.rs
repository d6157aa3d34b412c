//! Passwords and tenant keys: argon2id, off the async threads, a bounded number at once.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// Hashes of one lane in progress and waiting, at most, for each hash in progress: what comes on top is refused as busy.
pub(super) const WAITING_PER_HASH: usize = 128;

/// What a hash is for. Each lane has a queue of its own, and registrations never take the last thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Register,
    LogIn,
}

/// What one hash costs. The default is OWASP's first choice for argon2id (Password Storage Cheat Sheet): 19 MiB, two
/// passes, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct PasswordCost {
    /// Memory of one argon2id hash, in KiB
    #[arg(long = "argon2-memory-kib", default_value_t = 19_456, value_name = "KIB")]
    pub memory_kib: u32,
    /// Passes over that memory
    #[arg(long = "argon2-passes", default_value_t = 2, value_name = "N")]
    pub passes: u32,
    /// Lanes of that memory
    #[arg(long = "argon2-lanes", default_value_t = 1, value_name = "N")]
    pub lanes: u32,
}

/// A password was not hashed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The cost is outside argon2's bounds.
    #[error(
        "argon2 cannot work with {} KiB, {} passes and {} lanes: {source}", cost.memory_kib, cost.passes, cost.lanes
    )]
    Cost {
        /// The cost asked for.
        cost: PasswordCost,
        /// What argon2 said.
        source: argon2::Error,
    },
    /// Too many hashes wait.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A stored hash cannot be read, or hashing failed.
    #[error("a password could not be hashed or compared")]
    Hash(#[source] HashError),
    /// The hashing thread panicked.
    #[error("the hashing thread failed")]
    Thread(#[source] JoinError),
}

pub(super) struct Passwords {
    argon2: Argon2<'static>,
    /// What a password is compared with when there is no account, so that both answers take as long.
    nobody: Arc<str>,
    /// Of registrations and of log-ins.
    queues: [Semaphore; 2],
    registering: Semaphore,
    running: Arc<Semaphore>,
}

impl Passwords {
    pub(super) async fn new(cost: PasswordCost) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        let params = params.map_err(|source| PasswordError::Cost { cost, source })?;
        let at_once = available_parallelism().map_or(1, NonZero::get);
        let mut passwords = Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            nobody: Arc::from(""),
            queues: [at_once * WAITING_PER_HASH; 2].map(Semaphore::new),
            registering: Semaphore::new(at_once.saturating_sub(1).max(1)),
            running: Arc::new(Semaphore::new(at_once)),
        };
        passwords.nobody = passwords
            .hash(Lane::LogIn, uuid::Uuid::new_v4().to_string())
            .await?
            .into();
        Ok(passwords)
    }

    /// The hash of `password` under a new salt, in PHC form.
    pub(super) async fn hash(&self, lane: Lane, password: String) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        let hash = self.run(lane, move || {
            argon2
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        });
        hash.await?.map_err(PasswordError::Hash)
    }

    /// Whether `password` is that of `hash`. Without a hash the answer is no, and takes as long.
    pub(super) async fn matches(
        &self,
        lane: Lane,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        let argon2 = self.argon2.clone();
        let exists = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let compared = self.run(lane, move || {
            let hash = PasswordHash::new(&hash).map_err(|_| HashError::EncodingInvalid)?;
            argon2.verify_password(password.as_bytes(), &hash)
        });
        match compared.await? {
            Ok(()) => Ok(exists),
            Err(HashError::PasswordInvalid) => Ok(false),
            Err(error) => Err(PasswordError::Hash(error)),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let busy = |_| PasswordError::Busy;
        let _queued = self.queues[lane as usize]
            .try_acquire()
            .map_err(|_| PasswordError::Busy)?;
        let _registering = match lane {
            Lane::Register => Some(self.registering.acquire().await.map_err(busy)?),
            Lane::LogIn => None,
        };
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(busy)?;
        let done = spawn_blocking(move || {
            // held by the thread: a hash that nobody waits for any more still counts
            let _running = running;
            work()
        });
        done.await.map_err(PasswordError::Thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordCost = PasswordCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let passwords = Passwords::new(CHEAP).await.unwrap();
        let hash = passwords.hash(Lane::LogIn, "correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(
            passwords
                .matches(Lane::LogIn, "correct horse".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches(Lane::LogIn, "correct horsf".into(), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches(Lane::LogIn, "correct horse".into(), None)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn bytes_after_the_72nd_count() {
        let passwords = Passwords::new(CHEAP).await.unwrap();
        let long = "x".repeat(100);
        let hash = passwords.hash(Lane::LogIn, format!("{long}1")).await.unwrap();
        assert!(
            !passwords
                .matches(Lane::LogIn, format!("{long}2"), Some(hash))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_cost_outside_the_bounds_is_an_error() {
        let cost = PasswordCost {
            memory_kib: 1,
            passes: 0,
            lanes: 1,
        };
        let error = Passwords::new(cost).await.err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("argon2 cannot work with 1 KiB, 0 passes and 1 lanes: "),
            "{error}"
        );
    }
}
