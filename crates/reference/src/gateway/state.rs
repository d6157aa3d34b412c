//! What the connections of one replica share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::cache::ResponseCache;
use super::database::Database;
use super::gathering::Gathering;
use super::hub::Hub;
use super::profiles::Profiles;
use super::receipts::Receipts;
use super::replies::Replies;
use super::send_buffers::SendBuffers;
use super::tokens::Tokens;
use crate::agent::AgentClient;
use crate::metrics::{Metrics, Situation};
use crate::places::Places;

/// One replica.
pub(crate) struct Gateway {
    /// Its name, as `whoami` tells it.
    pub(crate) replica: String,
    /// The origins that may connect.
    pub(crate) origins: Vec<String>,
    pub(crate) tokens: Tokens,
    pub(crate) database: Database,
    pub(crate) hub: Arc<Hub>,
    pub(crate) cache: Arc<ResponseCache>,
    pub(crate) profiles: Profiles,
    pub(crate) replies: Replies,
    pub(crate) agent: AgentClient,
    pub(crate) creating: Creating,
    /// Who asked last, who was served last, and who posted last.
    pub(crate) requests: LastUser,
    pub(crate) served: LastUser,
    pub(crate) posts: LastUser,
    pub(crate) metrics: Arc<Metrics>,
    /// One for each connection.
    pub(crate) places: Places,
    pub(crate) work: Work,
    pub(crate) send_buffers: Arc<SendBuffers>,
    pub(crate) gathering: Gathering,
    pub(crate) receipts: Receipts,
}

impl Gateway {
    /// Counts what `user_id` sent and cannot be understood, if somebody else was served before.
    pub(crate) fn note_malformed(&self, user_id: Uuid) {
        if self.served.is_anothers(user_id) {
            self.metrics.situation(Situation::ErrorAfterForeignRequest).inc();
        }
    }
}

/// Counts what must end before the process may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work(watch::Sender<usize>);

/// One thing that is being done, until dropped.
#[derive(Debug)]
pub(crate) struct Working(Work);

impl Work {
    /// Something begins.
    pub(crate) fn begin(&self) -> Working {
        self.0.send_modify(|count| *count += 1);
        Working(self.clone())
    }

    /// Waits until nothing is being done.
    pub(crate) async fn idle(&self) {
        // it cannot fail: this is a sender
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// Who did something last.
#[derive(Default)]
pub(crate) struct LastUser(Mutex<Option<Uuid>>);

impl LastUser {
    /// `user_id` does it.
    pub(crate) fn note(&self, user_id: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(user_id);
    }

    /// Whether it was somebody else than `user_id`.
    pub(crate) fn is_anothers(&self, user_id: Uuid) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last != user_id)
    }
}

/// The users whose threads are being created now.
#[derive(Default)]
pub(crate) struct Creating(Mutex<HashMap<Uuid, usize>>);

/// One creation, until dropped.
pub(crate) struct Creation<'a> {
    creating: &'a Creating,
    user_id: Uuid,
}

impl Creating {
    /// Enters a creation, and counts it if another user's is under way.
    pub(crate) fn enter(&self, user_id: Uuid, metrics: &Metrics) -> Creation<'_> {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.keys().any(|other| *other != user_id) {
            metrics.situation(Situation::CreateOverlap).inc();
        }
        *users.entry(user_id).or_default() += 1;
        Creation {
            creating: self,
            user_id,
        }
    }
}

impl Drop for Creation<'_> {
    fn drop(&mut self) {
        let mut users = self.creating.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user_id);
            }
        }
    }
}
