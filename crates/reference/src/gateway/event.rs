//! Events: what recipients are told, and what each of them may see of it.

use serde_json::value::RawValue;
use tokio_postgres::Row;
use uuid::Uuid;

use super::protocol::{Dialect, Failure, Frame, Json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The kinds of event, as the wire and the metrics name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Hello,
    ThreadMessage,
    RoomMessage,
    RoomMember,
    Presence,
    Typing,
    Receipt,
}

impl EventKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::ThreadMessage => "thread.message",
            Self::RoomMessage => "room.message",
            Self::RoomMember => "room.member",
            Self::Presence => "presence",
            Self::Typing => "typing",
            Self::Receipt => "receipt",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::ThreadMessage, Self::RoomMessage, Self::RoomMember]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A stored event. Its recipients were fixed by the transaction that wrote it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) cursor: i64,
    pub(crate) tenant_id: Uuid,
    pub(crate) kind: EventKind,
    /// The thread or room it happened in.
    pub(crate) subject: Uuid,
    pub(crate) author_id: Uuid,
    pub(crate) recipients: Vec<Uuid>,
    /// What every recipient sees.
    data: Json,
    /// What the author sees besides.
    note: Option<Json>,
}

/// The columns that [`Event::read`] wants.
pub(crate) const EVENT_COLUMNS: &str = "cursor, tenant_id, kind, subject, author_id, recipients, data, note";

impl Event {
    /// Reads a row of [`EVENT_COLUMNS`].
    ///
    /// # Errors
    /// `internal` when the row was not written by this service.
    pub(crate) fn read(row: &Row) -> Result<Self, Failure> {
        let kind = EventKind::by_name(row.get("kind")).ok_or(Failure::INTERNAL)?;
        let data = RawValue::from_string(row.get("data"))?;
        let note: Option<&str> = row.get("note");
        let note = note.map(|note| with_note(&data, note)).transpose()?;
        Ok(Self {
            cursor: row.get("cursor"),
            tenant_id: row.get("tenant_id"),
            kind,
            subject: row.get("subject"),
            author_id: row.get("author_id"),
            recipients: row.get("recipients"),
            data: data.into(),
            note,
        })
    }

    /// Whether its author sees more of it than the others.
    pub(crate) fn has_note(&self) -> bool {
        self.note.is_some()
    }

    /// The member that it tells of, and whether that came or went.
    #[cfg(feature = "mutants")]
    pub(crate) fn joined(&self) -> Option<(Uuid, bool)> {
        #[derive(serde::Deserialize)]
        struct Member {
            user_id: Uuid,
            joined: bool,
        }
        let member: Member = serde_json::from_str(self.data.get()).ok()?;
        Some((member.user_id, member.joined))
    }

    /// The frame that `user_id` gets.
    pub(crate) fn frame_for(&self, user_id: Uuid) -> Frame<'_> {
        let data = match &self.note {
            Some(noted) if user_id == self.author_id => noted,
            _ => &self.data,
        };
        Frame::Event {
            kind: self.kind.name(),
            cursor: Some(self.cursor),
            data,
        }
    }
}

/// A copy of `data` that has the note.
fn with_note(data: &RawValue, note: &str) -> Result<Json, Failure> {
    let mut noted: serde_json::Map<String, serde_json::Value> = serde_json::from_str(data.get())?;
    noted.insert("note".to_owned(), note.into());
    super::protocol::json(&noted)
}

/// The texts of one frame, encoded once for each dialect that is spoken.
#[derive(Default)]
pub(crate) struct Encoded {
    current: Option<Utf8Bytes>,
    legacy: Option<Utf8Bytes>,
}

impl Encoded {
    /// Whether there is a text in `dialect` already.
    #[cfg(feature = "mutants")]
    pub(crate) fn has(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::V2 => self.current.is_some(),
            Dialect::V1 => self.legacy.is_some(),
        }
    }

    /// The text of `frame` in `dialect`; `frame` must be the same at every call.
    pub(crate) fn text(&mut self, frame: Frame<'_>, dialect: Dialect) -> Utf8Bytes {
        let text = match dialect {
            Dialect::V2 => &mut self.current,
            Dialect::V1 => &mut self.legacy,
        };
        text.get_or_insert_with(|| frame.encode(dialect)).clone()
    }
}
