//! The open connections of this replica, and how events reach them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json as object;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::channels::{Channels, Tuned};
use super::event::{Encoded, Event, EventKind};
use super::link::{ConnectionId, Link};
use super::notice::{Presence, Typing};
use super::protocol::{CloseReason, Failure, Frame, json};
use super::slots::{Occupant, Slots};
use crate::metrics::{Metrics, Situation};

/// All connections of one replica.
pub(crate) struct Hub {
    next: AtomicU64,
    links: Mutex<Links>,
    slots: Slots,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Links {
    by_user: HashMap<Uuid, Vec<Arc<Link>>>,
    by_session: HashMap<Uuid, Vec<Arc<Link>>>,
    by_tenant: HashMap<Uuid, Tenant>,
    channels: Channels,
    count: usize,
    /// Why every connection ends, those to come too.
    closing: Option<CloseReason>,
}

#[derive(Default)]
struct Tenant {
    links: Vec<Arc<Link>>,
    /// The cursor up to which its events were delivered here; unknown until the first of its connections was admitted.
    delivered: Option<i64>,
}

/// Takes a connection out of the hub when dropped.
pub(crate) struct Membership {
    hub: Arc<Hub>,
    link: Arc<Link>,
}

impl Hub {
    /// A hub without connections.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            next: AtomicU64::new(1),
            links: Mutex::default(),
            slots: Slots::default(),
            metrics,
        }
    }

    /// The number of the next connection.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a connection in: from now on its session's end ends it, and events reach it once it is greeted.
    pub(crate) fn join(self: &Arc<Self>, link: Arc<Link>) -> Membership {
        let identity = &link.identity;
        let mut links = self.links();
        links
            .by_user
            .entry(identity.user_id)
            .or_default()
            .push(Arc::clone(&link));
        links
            .by_session
            .entry(identity.session_id)
            .or_default()
            .push(Arc::clone(&link));
        links
            .by_tenant
            .entry(identity.tenant_id)
            .or_default()
            .links
            .push(Arc::clone(&link));
        links.count += 1;
        if let Some(reason) = links.closing {
            link.outbox.close(reason);
        }
        drop(links);
        link.slot.get_or_init(|| self.slots.enter(&link));
        self.metrics.connections_open().inc();
        Membership {
            hub: Arc::clone(self),
            link,
        }
    }

    fn leave(&self, link: &Link) {
        if let Some(slot) = link.slot.get() {
            self.slots.leave(*slot);
        }
        let identity = &link.identity;
        let mut links = self.links();
        links.channels.leave(link);
        remove(&mut links.by_user, identity.user_id, link.id);
        remove(&mut links.by_session, identity.session_id, link.id);
        if let Entry::Occupied(mut tenant) = links.by_tenant.entry(identity.tenant_id) {
            tenant.get_mut().links.retain(|other| other.id != link.id);
            if tenant.get().links.is_empty() {
                tenant.remove();
            }
        }
        links.count -= 1;
        drop(links);
        self.metrics.connections_open().dec();
    }

    /// The connection that an answer to `link` is to be sent to; `None` if it is gone.
    pub(crate) fn reach(&self, link: &Link) -> Option<Arc<Link>> {
        match self.slots.occupant(*link.slot.get()?) {
            Occupant::Same(link) => Some(link),
            Occupant::Other(other) => {
                if other.identity.user_id != link.identity.user_id {
                    self.metrics.situation(Situation::SlotReused).inc();
                }
                #[cfg(feature = "mutants")]
                if crate::mutant::slot_reuse::reaches(&other, link) {
                    return Some(other);
                }
                None
            }
            Occupant::Nobody => None,
        }
    }

    /// Notes how far a tenant's events had come when a connection of it was admitted.
    pub(crate) fn begin_at(&self, tenant_id: Uuid, cursor: i64) {
        if let Some(tenant) = self.links().by_tenant.get_mut(&tenant_id) {
            tenant.delivered.get_or_insert(cursor);
        }
    }

    /// Notes that a connection is subscribed to the room of that name.
    pub(crate) fn tune_in(&self, link: &Arc<Link>, room_id: Uuid, name: &str) {
        let mut links = self.links();
        let here = links.by_user.get(&link.identity.user_id);
        // a request outlives its connection
        if here.is_some_and(|here| here.iter().any(|other| other.id == link.id)) {
            links.channels.enter(room_id, name, link);
        }
    }

    /// Delivers a stored event to those of its recipients who are here and subscribed. What was delivered before is left out.
    pub(crate) fn deliver(&self, event: &Arc<Event>) {
        let (links, beside) = {
            let mut links = self.links();
            let Some(tenant) = links.by_tenant.get_mut(&event.tenant_id) else {
                return;
            };
            if tenant
                .delivered
                .is_some_and(|delivered| delivered >= event.cursor)
            {
                return;
            }
            tenant.delivered = Some(event.cursor);
            (links.of_users(&event.recipients), links.channels.beside(event))
        };
        self.note_beside(event, &beside);
        let (mut author, mut others) = (Encoded::default(), Encoded::default());
        for link in links {
            let is_author = link.identity.user_id == event.author_id;
            #[cfg(feature = "mutants")]
            let is_author = crate::mutant::shared_mutable_fanout::sees_note(is_author, event, &link, &author);
            let encoded = if is_author { &mut author } else { &mut others };
            if link.deliver(event, encoded) {
                self.metrics.events(event.kind.name()).inc();
                if event.has_note() && link.identity.user_id != event.author_id {
                    self.metrics.situation(Situation::MixedRightsFanout).inc();
                }
            }
        }
        #[cfg(feature = "mutants")]
        crate::mutant::deliver_beside(event, &beside);
    }

    /// Counts who is subscribed and yet not told of an event.
    fn note_beside(&self, event: &Event, beside: &[Tuned]) {
        let is_here = |tuned: &&Tuned| tuned.room_id == event.subject;
        if event.kind == EventKind::RoomMessage && beside.iter().any(|tuned| is_here(&tuned)) {
            self.metrics.situation(Situation::EjectedSocketOpen).inc();
        }
        let is_foreign = |tuned: &Tuned| tuned.link.identity.tenant_id != event.tenant_id;
        if beside.iter().any(|tuned| !is_here(&tuned) && is_foreign(tuned)) {
            self.metrics.situation(Situation::NamesakeSubscribed).inc();
        }
    }

    /// Tells every connection of the tenant how one of its users is.
    ///
    /// # Errors
    /// `internal`, should it not be encodable.
    pub(crate) fn tell_presence(&self, presence: &Presence) -> Result<(), Failure> {
        let Presence {
            tenant_id,
            user_id,
            name,
            status,
        } = presence;
        let data = json(&object!({ "user_id": user_id, "name": name, "status": status }))?;
        let audience = self.audience(*tenant_id, |_| true);
        #[cfg(feature = "mutants")]
        crate::mutant::presence_leak::told(&audience, *tenant_id, *user_id);
        self.tell(&audience, EventKind::Presence, &data);
        Ok(())
    }

    /// Tells the members of a room who are subscribed to it that one of them is typing.
    ///
    /// # Errors
    /// `internal`, should it not be encodable.
    pub(crate) fn tell_typing(&self, typing: &Typing, members: &[Uuid]) -> Result<(), Failure> {
        let Typing {
            tenant_id,
            room_id,
            user_id,
        } = typing;
        let data = json(&object!({ "room_id": room_id, "user_id": user_id }))?;
        let audience = self.audience(*tenant_id, |link| {
            members.contains(&link.identity.user_id) && link.is_subscribed(*room_id)
        });
        #[cfg(feature = "mutants")]
        crate::mutant::presence_leak::told(&audience, *tenant_id, *user_id);
        self.tell(&audience, EventKind::Typing, &data);
        Ok(())
    }

    /// Whom an event that is not stored may reach: those of the tenant's connections that are meant.
    fn audience(&self, tenant_id: Uuid, is_meant: impl Fn(&Link) -> bool) -> Vec<Arc<Link>> {
        let links = self.links();
        let here = links
            .by_tenant
            .get(&tenant_id)
            .map_or(&[][..], |tenant| &tenant.links);
        if here.len() < links.count {
            self.metrics.situation(Situation::PresenceForeignSocket).inc();
        }
        #[cfg(feature = "mutants")]
        if crate::mutant::presence_leak::broadcasts() {
            return links.by_user.values().flatten().cloned().collect();
        }
        here.iter().filter(|link| is_meant(link)).cloned().collect()
    }

    fn tell(&self, audience: &[Arc<Link>], kind: EventKind, data: &RawValue) {
        let frame = Frame::Event {
            kind: kind.name(),
            cursor: None,
            data,
        };
        let mut encoded = Encoded::default();
        for link in audience {
            if link.tell(frame, &mut encoded) {
                self.metrics.events(kind.name()).inc();
            }
        }
    }

    /// Ends the connections of a revoked session.
    pub(crate) fn revoke(&self, session_id: Uuid) {
        for link in self.of_session(session_id) {
            self.metrics.situation(Situation::AfterRevocation).inc();
            #[cfg(feature = "mutants")]
            if crate::mutant::logout_outlived::outlives(&link) {
                continue;
            }
            link.outbox.close(CloseReason::SessionRevoked);
        }
    }

    fn of_session(&self, session_id: Uuid) -> Vec<Arc<Link>> {
        self.links()
            .by_session
            .get(&session_id)
            .cloned()
            .unwrap_or_default()
    }

    /// The sessions that have a connection here.
    pub(crate) fn sessions(&self) -> Vec<Uuid> {
        self.links().by_session.keys().copied().collect()
    }

    /// The tenants that are here, and the cursor up to which the events of each were delivered.
    pub(crate) fn delivered(&self) -> Vec<(Uuid, i64)> {
        let links = self.links();
        links
            .by_tenant
            .iter()
            .filter_map(|(tenant, here)| Some((*tenant, here.delivered?)))
            .collect()
    }

    /// Ends every connection, and whichever still comes.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        let mut links = self.links();
        links.closing = Some(reason);
        for link in links.by_user.values().flatten() {
            link.outbox.close(reason);
        }
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn of_users(&self, users: &[Uuid]) -> Vec<Arc<Link>> {
        users
            .iter()
            .filter_map(|user| self.by_user.get(user))
            .flatten()
            .cloned()
            .collect()
    }
}

fn remove(index: &mut HashMap<Uuid, Vec<Arc<Link>>>, key: Uuid, id: ConnectionId) {
    if let Entry::Occupied(mut links) = index.entry(key) {
        links.get_mut().retain(|other| other.id != id);
        if links.get().is_empty() {
            links.remove();
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.hub.leave(&self.link);
    }
}
