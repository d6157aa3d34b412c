//! Which connections of this replica are subscribed to which rooms. Names of rooms are unique within a tenant only.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::event::{Event, EventKind};
use super::link::Link;

/// The subscriptions to rooms, by the rooms' names.
#[derive(Default)]
pub(crate) struct Channels {
    by_name: HashMap<Arc<str>, Vec<Tuned>>,
    names: HashMap<Uuid, Arc<str>>,
}

/// A connection's subscription to a room.
#[derive(Clone)]
pub(crate) struct Tuned {
    pub(crate) room_id: Uuid,
    pub(crate) link: Arc<Link>,
}

impl Channels {
    /// Notes that `link` is subscribed to the room of that name.
    pub(crate) fn enter(&mut self, room_id: Uuid, name: &str, link: &Arc<Link>) {
        let name = self.names.entry(room_id).or_insert_with(|| name.into());
        let tuned = self.by_name.entry(Arc::clone(name)).or_default();
        if !tuned
            .iter()
            .any(|tuned| tuned.room_id == room_id && tuned.link.id == link.id)
        {
            let link = Arc::clone(link);
            tuned.push(Tuned { room_id, link });
        }
    }

    /// Forgets a connection's subscriptions.
    pub(crate) fn leave(&mut self, link: &Link) {
        for room_id in link.subjects() {
            let Some(name) = self.names.get(&room_id) else {
                continue;
            };
            let Some(tuned) = self.by_name.get_mut(name) else {
                continue;
            };
            tuned.retain(|tuned| tuned.link.id != link.id);
            if tuned.iter().any(|tuned| tuned.room_id == room_id) {
                continue;
            }
            if tuned.is_empty() {
                self.by_name.remove(name);
            }
            self.names.remove(&room_id);
        }
    }

    /// Those who are subscribed to a room of the same name as the one of a room event, without being told of it: they
    /// were put out, or it is a room of another tenant.
    pub(crate) fn beside(&self, event: &Event) -> Vec<Tuned> {
        if !matches!(event.kind, EventKind::RoomMessage | EventKind::RoomMember) {
            return Vec::new();
        }
        let name = self.names.get(&event.subject);
        let tuned = name.and_then(|name| self.by_name.get(name)).into_iter().flatten();
        tuned
            .filter(|tuned| !event.recipients.contains(&tuned.link.identity.user_id))
            .cloned()
            .collect()
    }
}
