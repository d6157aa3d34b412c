//! Look-ups of users, gathered into few queries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::database::Database;
use super::limits::LOADER_BATCH_MAX;
use super::protocol::Failure;
use crate::metrics::{Metrics, Situation};

/// What the users of a tenant may know of each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Profile {
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) email: String,
}

type Found = Result<Option<Profile>, Failure>;

/// The batch loader: look-ups of one tenant that arrive while a query is being prepared share it.
///
/// Batches are kept apart by tenant, and the query sees the profiles of that tenant alone.
#[derive(Clone)]
pub(crate) struct Profiles {
    database: Database,
    /// An entry stands for a task that will answer it, also while the entry is empty.
    waiting: Arc<Mutex<HashMap<Uuid, Vec<Wanted>>>>,
    metrics: Arc<Metrics>,
}

struct Wanted {
    user_id: Uuid,
    answer: oneshot::Sender<Found>,
}

impl Profiles {
    pub(crate) fn new(database: Database, metrics: Arc<Metrics>) -> Self {
        Self {
            database,
            waiting: Arc::default(),
            metrics,
        }
    }

    /// The profile of a user of that tenant.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn get(&self, tenant_id: Uuid, user_id: Uuid) -> Found {
        let (answer, found) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting();
            let is_first = !waiting.contains_key(&tenant_id);
            waiting
                .entry(tenant_id)
                .or_default()
                .push(Wanted { user_id, answer });
            is_first
        };
        if is_first {
            // a task of its own: the others' look-ups must not end with this request
            tokio::spawn(self.clone().load(tenant_id));
        }
        found.await.unwrap_or(Err(Failure::INTERNAL))
    }

    /// Answers all that wait, batch by batch.
    async fn load(self, tenant_id: Uuid) {
        if let Err(failure) = self.load_batches(tenant_id).await {
            for wanted in self.waiting().remove(&tenant_id).into_iter().flatten() {
                // the asker may be gone
                let _ = wanted.answer.send(Err(failure));
            }
        }
    }

    async fn load_batches(&self, tenant_id: Uuid) -> Result<(), Failure> {
        let mut checkout = self.database.checkout().await?;
        let acting = checkout.act_within(tenant_id).await?;
        // only now: whoever asked in the meantime is answered too
        while let Some(batch) = self.next_batch(tenant_id) {
            if batch.len() > 1 {
                self.metrics.situation(Situation::BatchedLookups).inc();
            }
            let user_ids: Vec<Uuid> = batch.iter().map(|wanted| wanted.user_id).collect();
            let sql = "SELECT user_id, name, email FROM profiles WHERE user_id = ANY ($1)";
            let rows = acting.rows(sql, &[&user_ids]).await;
            let profiles: Result<HashMap<Uuid, Profile>, Failure> = rows.map(|rows| {
                let profiles = rows.iter().map(|row| Profile {
                    user_id: row.get("user_id"),
                    name: row.get("name"),
                    email: row.get("email"),
                });
                profiles.map(|profile| (profile.user_id, profile)).collect()
            });
            for wanted in batch {
                let found = profiles
                    .as_ref()
                    .map(|profiles| profiles.get(&wanted.user_id).cloned());
                let _ = wanted.answer.send(found.map_err(|failure| *failure));
            }
        }
        acting.commit().await
    }

    /// The next look-ups to answer; once there are none, the next one to come starts a task again.
    fn next_batch(&self, tenant_id: Uuid) -> Option<Vec<Wanted>> {
        let mut waiting = self.waiting();
        let batch = waiting.get_mut(&tenant_id)?;
        if batch.is_empty() {
            waiting.remove(&tenant_id);
            return None;
        }
        let count = batch.len().min(LOADER_BATCH_MAX);
        Some(batch.drain(..count).collect())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Wanted>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
