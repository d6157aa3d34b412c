//! Receipts: how many a posted room message is for, told to its author after the post was answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json as object;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::database::Database;
use super::event::EventKind;
use super::identity::Identity;
use super::limits::{RECEIPT_CHARS_MAX, RECEIPTS_MAX};
use super::link::Link;
use super::protocol::{Failure, Frame, json};
use super::state::{LastUser, Working};
use crate::metrics::{Metrics, Situation};

/// What a receipt is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Posted {
    pub(crate) author_id: Uuid,
    pub(crate) room_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) body: String,
}

/// A context of a post, which is used again for others.
type Context = Arc<Mutex<Posted>>;

/// Makes receipts, each in a task that outlives its request.
#[derive(Clone)]
pub(crate) struct Receipts {
    database: Database,
    /// Contexts that are not in use, and who took one last.
    free: Arc<Mutex<Vec<Context>>>,
    last: Arc<LastUser>,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receipts {
    pub(crate) fn new(database: Database, metrics: Arc<Metrics>) -> Self {
        Self {
            database,
            free: Arc::default(),
            last: Arc::default(),
            places: Arc::new(Semaphore::new(RECEIPTS_MAX)),
            metrics,
        }
    }

    /// Sees to the receipt of what `link` has posted; there is none if too many are waited for.
    pub(crate) fn later(&self, link: &Arc<Link>, identity: &Identity, posted: Posted, working: Working) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        self.last.note(posted.author_id);
        let context = lock(&self.free).pop().unwrap_or_default();
        *lock(&context) = posted;
        let (receipts, link, identity) = (self.clone(), Arc::clone(link), identity.clone());
        #[cfg(feature = "mutants")]
        let is_given_back = crate::mutant::context_after_return::gives_back();
        #[cfg(not(feature = "mutants"))]
        let is_given_back = false;
        if is_given_back {
            self.give_back(&context);
        }
        tokio::spawn(async move {
            let (_place, _working) = (place, working);
            if let Err(failure) = receipts.make(&link, &identity, &context).await {
                tracing::debug!(%failure, "no receipt");
            }
            if receipts.last.is_anothers(identity.user_id) {
                receipts.metrics.situation(Situation::ReceiptOutlived).inc();
            }
            if !is_given_back {
                receipts.give_back(&context);
            }
        });
    }

    fn give_back(&self, context: &Context) {
        let mut free = lock(&self.free);
        if free.len() < RECEIPTS_MAX {
            free.push(Arc::clone(context));
        }
    }

    async fn make(&self, link: &Link, identity: &Identity, context: &Context) -> Result<(), Failure> {
        let room_id = lock(context).room_id;
        let mut checkout = self.database.checkout().await?;
        let acting = checkout.act_for(identity).await?;
        let members = "SELECT count(*) FROM room_members WHERE room_id = $1";
        let members: i64 = acting.row(members, &[&room_id]).await?.get(0);
        #[cfg(feature = "mutants")]
        let members = crate::mutant::unscoped_count::members(&acting, identity.user_id, room_id)
            .await?
            .unwrap_or(members);
        acting.commit().await?;
        let Posted {
            author_id,
            room_id,
            seq,
            body,
        } = lock(context).clone();
        #[cfg(feature = "mutants")]
        crate::mutant::context_after_return::sent(identity.user_id, author_id);
        let body: String = body.chars().take(RECEIPT_CHARS_MAX).collect();
        let data = json(&object!({
            "room_id": room_id, "seq": seq, "author": author_id, "body": body, "members": members,
        }))?;
        link.outbox.send(Frame::Event {
            kind: EventKind::Receipt.name(),
            cursor: None,
            data: &data,
        });
        self.metrics.events(EventKind::Receipt.name()).inc();
        Ok(())
    }
}
