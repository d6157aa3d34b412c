//! What replicas tell each other through the database's notifications.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::database::Acting;
use super::protocol::Failure;

/// Subscribes a connection to all of it.
pub(crate) const LISTEN_SQL: &str =
    "LISTEN session_revoked; LISTEN chat_event; LISTEN chat_thread; LISTEN chat_presence; LISTEN chat_typing";

const SESSION_REVOKED: &str = "session_revoked";
const EVENT: &str = "chat_event";
const THREAD_CREATED: &str = "chat_thread";
const PRESENCE: &str = "chat_presence";
const TYPING: &str = "chat_typing";

/// One notification.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A session is revoked; auth says so.
    SessionRevoked(Uuid),
    /// The event of that cursor was committed.
    Event(i64),
    /// A thread was created, of which no event tells.
    ThreadCreated(ThreadCreated),
    /// How a user is.
    Presence(Presence),
    /// Somebody types.
    Typing(Typing),
}

/// A user created a thread.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ThreadCreated {
    pub(crate) owner_id: Uuid,
    pub(crate) thread_id: Uuid,
}

/// How a user is, for all of its tenant.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) status: String,
}

/// Somebody types in a room.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Typing {
    pub(crate) tenant_id: Uuid,
    pub(crate) room_id: Uuid,
    pub(crate) user_id: Uuid,
}

impl Notice {
    /// Reads a notification; `None` if it is none of ours.
    pub(crate) fn read(channel: &str, payload: &str) -> Option<Self> {
        match channel {
            SESSION_REVOKED => payload.parse().ok().map(Self::SessionRevoked),
            EVENT => payload.parse().ok().map(Self::Event),
            THREAD_CREATED => serde_json::from_str(payload).ok().map(Self::ThreadCreated),
            PRESENCE => serde_json::from_str(payload).ok().map(Self::Presence),
            TYPING => serde_json::from_str(payload).ok().map(Self::Typing),
            _ => None,
        }
    }

    /// Tells all replicas, this one too, when `acting` commits. Events and revocations are told by the statements that
    /// write them.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn publish(&self, acting: &Acting<'_>) -> Result<(), Failure> {
        let (channel, payload) = match self {
            Self::SessionRevoked(session_id) => (SESSION_REVOKED, session_id.to_string()),
            Self::Event(cursor) => (EVENT, cursor.to_string()),
            Self::ThreadCreated(created) => (THREAD_CREATED, serde_json::to_string(created)?),
            Self::Presence(presence) => (PRESENCE, serde_json::to_string(presence)?),
            Self::Typing(typing) => (TYPING, serde_json::to_string(typing)?),
        };
        acting
            .row("SELECT pg_notify($1, $2)", &[&channel, &payload])
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(channel: &str, payload: &str, expect: Option<Notice>) {
        assert_eq!(Notice::read(channel, payload), expect);
    }

    #[test]
    fn reads_what_it_knows() {
        let id = Uuid::nil();
        check(
            "session_revoked",
            &id.to_string(),
            Some(Notice::SessionRevoked(id)),
        );
        check("chat_event", "17", Some(Notice::Event(17)));
        let created = ThreadCreated {
            owner_id: id,
            thread_id: id,
        };
        let payload = serde_json::to_string(&created).expect("JSON");
        check("chat_thread", &payload, Some(Notice::ThreadCreated(created)));
        check("chat_event", "x", None);
        check("other", "17", None);
    }
}
