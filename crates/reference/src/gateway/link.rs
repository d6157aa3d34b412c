//! One connection as the rest of the replica sees it: whose it is, what it is subscribed to, how to reach it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use uuid::Uuid;

use super::event::{Encoded, Event};
use super::identity::Identity;
use super::limits::{HELD_EVENTS_MAX, SUBSCRIPTIONS_MAX};
use super::outbox::Outbox;
use super::protocol::{CloseReason, Failure, Frame};
use super::slots::SlotId;

/// Names a connection of this replica; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// A connection.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) identity: Identity,
    pub(crate) outbox: Outbox,
    /// Hash of the token by which a later connection may catch up with this one.
    pub(crate) resume_hash: Vec<u8>,
    /// Its slot, from when it is in the hub.
    pub(crate) slot: OnceLock<SlotId>,
    greeted: AtomicBool,
    feed: Mutex<Feed>,
}

#[derive(Debug, Default)]
struct Feed {
    /// Threads and rooms, each with the cursor after which its events are wanted.
    subjects: HashMap<Uuid, i64>,
    /// Live events that wait until a replay is through.
    held: Option<Vec<Arc<Event>>>,
}

impl Link {
    /// A connection that has not been greeted: no event reaches it yet.
    pub(crate) fn new(id: ConnectionId, identity: Identity, outbox: Outbox, resume_hash: Vec<u8>) -> Self {
        let (slot, greeted, feed) = (OnceLock::new(), AtomicBool::new(false), Mutex::default());
        Self {
            id,
            identity,
            outbox,
            resume_hash,
            slot,
            greeted,
            feed,
        }
    }

    /// Greets it: `hello` is its first frame, and events may follow.
    pub(crate) fn greet(&self, hello: Frame<'_>) {
        self.outbox.send(hello);
        self.greeted.store(true, Ordering::Release);
    }

    /// Sends what is not stored: presence, typing.
    pub(crate) fn tell(&self, frame: Frame<'_>, encoded: &mut Encoded) -> bool {
        let greeted = self.greeted.load(Ordering::Acquire);
        if greeted {
            self.outbox.send_text(encoded.text(frame, self.outbox.dialect()));
        }
        greeted
    }

    /// Delivers a stored event, if it is subscribed to that; says whether it was.
    pub(crate) fn deliver(&self, event: &Arc<Event>, encoded: &mut Encoded) -> bool {
        let mut feed = self.feed();
        if feed
            .subjects
            .get(&event.subject)
            .is_none_or(|after| event.cursor <= *after)
        {
            return false;
        }
        match &mut feed.held {
            None => self.push(event, encoded),
            Some(held) if held.len() < HELD_EVENTS_MAX => held.push(Arc::clone(event)),
            Some(_) => self.outbox.close(CloseReason::SlowReader),
        }
        true
    }

    /// Sends a stored event as this connection's user sees it.
    pub(crate) fn push(&self, event: &Event, encoded: &mut Encoded) {
        self.outbox
            .send_text(encoded.text(event.frame_for(self.identity.user_id), self.outbox.dialect()));
    }

    /// The threads and rooms that it is subscribed to.
    pub(crate) fn subjects(&self) -> Vec<Uuid> {
        self.feed().subjects.keys().copied().collect()
    }

    /// Whether it is subscribed to that thread or room.
    pub(crate) fn is_subscribed(&self, subject: Uuid) -> bool {
        self.feed().subjects.contains_key(&subject)
    }

    /// Subscribes it to the events of a thread or room after `cursor`; the caller has seen that it may.
    ///
    /// # Errors
    /// `bad_request` beyond [`SUBSCRIPTIONS_MAX`].
    pub(crate) fn subscribe(&self, subject: Uuid, cursor: i64) -> Result<(), Failure> {
        self.feed().subscribe(&[subject], cursor)
    }

    /// Subscribes it to what an earlier connection was subscribed to, and holds live events back until [`Link::release`].
    ///
    /// # Errors
    /// `bad_request` beyond [`SUBSCRIPTIONS_MAX`], or while another replay runs.
    pub(crate) fn hold(&self, subjects: &[Uuid]) -> Result<(), Failure> {
        let mut feed = self.feed();
        if feed.held.is_some() {
            return Err(Failure::bad_request("this connection is resuming already"));
        }
        feed.subscribe(subjects, i64::MIN)?;
        feed.held = Some(Vec::new());
        Ok(())
    }

    /// Sends the events that were held back and goes live; those of `subjects` up to `cursor` were replayed already.
    pub(crate) fn release(&self, subjects: &[Uuid], cursor: i64) {
        let mut feed = self.feed();
        let held = feed.held.take().into_iter().flatten();
        for event in held.filter(|event| event.cursor > cursor || !subjects.contains(&event.subject)) {
            self.outbox.send(event.frame_for(self.identity.user_id));
        }
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    fn subscribe(&mut self, subjects: &[Uuid], cursor: i64) -> Result<(), Failure> {
        let added = subjects
            .iter()
            .filter(|subject| !self.subjects.contains_key(subject))
            .count();
        if self.subjects.len() + added > SUBSCRIPTIONS_MAX {
            return Err(Failure::bad_request(
                "this connection has as many subscriptions as it may",
            ));
        }
        for subject in subjects {
            self.subjects.entry(*subject).or_insert(cursor);
        }
        Ok(())
    }
}
