//! Bytes to protocol messages and back, without IO.
//!
//! A codec belongs to one connection and is fed one WebSocket message at a time. A message may hold half a protocol
//! message or three, so one feed yields any number of [`Item`]s; what answers a heartbeat comes back as messages to send.
//!
//! Frames that are sent are text as it goes over the wire, with slots; a codec says how a value is written into it, and how
//! the frame ends. Frames that come are told apart by [`Rules`] over JSON: a codec whose protocol is no JSON makes an object of
//! each frame, and hands it to the rules.

mod binary;
mod chat;
mod echo;
mod json;
mod layout;
mod rules;
mod slot;
mod socketio;
mod stomp;
mod template;
mod text;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use history::Step;
use smallvec::SmallVec;

pub use binary::{Binary, FRAMES_MAX};
pub use chat::{Chat, Envelope};
pub(crate) use echo::echoing;
pub use json::Json;
pub use layout::{
    Content, Extent, Field, Form, Integer, Layout, LayoutError, Measure, Measured, PACKET, Packet,
};
pub(crate) use layout::{STAND_IN, STAND_IN_ID};
pub use rules::{Asked, Condition, Correlation, Heartbeat, Kind, Meaning, Order, Rule, Rules};
pub use slot::Slot;
pub(crate) use slot::Slots;
pub use socketio::SocketIo;
pub(crate) use socketio::is_packet;
pub use stomp::Stomp;
pub(crate) use stomp::is_frame;
pub use template::{Missing, Template, TemplateError};
pub use text::{LENGTH, Lines, Text};
pub use values::Values;

/// One protocol message.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// An answer, or a piece of one.
    Reply {
        /// The request that it answers.
        whose: Whose<'a>,
        /// What it is within the answer.
        step: Step,
        /// Decoded text of a streamed piece.
        text: Option<Cow<'a, str>>,
        /// Code of an error.
        code: Option<Cow<'a, str>>,
        /// The content as JSON, as it came; empty if there is none.
        payload: Cow<'a, str>,
    },
    /// Something nobody asked for.
    Event {
        /// Its kind, as the service names it.
        kind: Cow<'a, str>,
        /// Position in what a resume can replay, if it has one.
        cursor: Option<u64>,
        /// Whether it says what the session may see, or only that the session is over.
        content: bool,
        /// The content as JSON, as it came; empty if there is none.
        payload: Cow<'a, str>,
    },
    /// Proof of life.
    Heartbeat,
    /// Not understood.
    Undecodable,
}

/// The request that an answer is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// That of this id.
    Id(Cow<'a, str>),
    /// The oldest that has no answer yet.
    Oldest,
    /// As [`Self::Oldest`], and what ends the wait for it is still to come.
    OldestFenced,
    /// The oldest such that has no answer yet.
    Fitting(Asked),
}

/// The protocol messages of a WebSocket message, mostly one.
pub type Items<'a> = SmallVec<[Item<'a>; 1]>;

/// A WebSocket message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Wire {
    Text(String),
    Binary(Vec<u8>),
}

/// A protocol's framing, for one connection.
pub trait Codec {
    /// Takes one WebSocket message. Yields the protocol messages that are complete with it, in order; messages that
    /// have to be sent back (an answer to a heartbeat, which may be empty) are put to the end of `back`.
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a>;

    /// As [`Self::decode`], of a message that is known to be text.
    fn decode_text<'a>(&mut self, message: &'a str, back: &mut Vec<Wire>) -> Items<'a> {
        self.decode(message.as_bytes(), back)
    }

    /// The rules that took the items of the last message, counted from 1, in the same order; `None` for an item that none
    /// took, and nothing at all if the protocol has no rules.
    fn taken_by(&self) -> &[Option<usize>] {
        &[]
    }

    /// The bytes that the items of the last message are of: the begin of a frame that is whole now, and `message`, but for the begin of
    /// one that is not.
    fn whole<'a>(&'a self, message: &'a [u8]) -> &'a [u8] {
        message
    }

    /// What has come of a frame that is not whole, if [`Self::whole`] leaves that out.
    fn unfinished(&self) -> &[u8] {
        &[]
    }

    /// Whether the binary messages that it understands are numbers and text, each byte of which has its place, so that none of them is
    /// unreadable for not being text.
    fn names_bytes(&self) -> bool {
        false
    }

    /// The message of a request: `frame` with `values` put in, written as the protocol wants.
    ///
    /// # Errors
    ///
    /// [`Unwritten`] if `values` lacks a slot of `frame`, or has one that does not fit.
    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten>;

    /// A message that came or is sent, for people.
    fn shown<'a>(&self, message: &'a [u8]) -> Cow<'a, str> {
        String::from_utf8_lossy(message)
    }
}

/// Why a frame cannot be written.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// It lacks a value.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A value does not fit.
    #[error(transparent)]
    Unfit(#[from] LayoutError),
}

/// The codecs that there are.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Framing {
    /// JSON objects, one a message, in the envelopes of the reference service.
    Chat(Envelope),
    /// JSON, one text a message, told apart by rules.
    Json(Arc<Rules>),
    /// Socket.IO packets over Engine.IO, told apart by rules.
    SocketIo(Arc<Rules>),
    /// STOMP frames, told apart by rules.
    Stomp(Arc<Rules>),
    /// Texts or lines taken to pieces by regular expressions, told apart by rules.
    Text(Arc<Lines>, Arc<Rules>),
    /// Binary frames, told apart by rules.
    Binary(Arc<Layout>, Arc<Rules>),
}

impl Framing {
    /// A codec for a new connection.
    #[must_use]
    pub fn codec(&self) -> Box<dyn Codec> {
        match self {
            Self::Chat(envelope) => Box::new(Chat::new(*envelope)),
            Self::Json(rules) => Box::new(Json::new(Arc::clone(rules))),
            Self::SocketIo(rules) => Box::new(SocketIo::new(Arc::clone(rules))),
            Self::Stomp(rules) => Box::new(Stomp::new(Arc::clone(rules))),
            Self::Text(lines, rules) => Box::new(Text::new(Arc::clone(lines), Arc::clone(rules))),
            Self::Binary(layout, rules) => Box::new(Binary::new(Arc::clone(layout), Arc::clone(rules))),
        }
    }

    /// What tells frames apart; `None` where that is known.
    fn rules(&self) -> Option<&Rules> {
        match self {
            Self::Chat(_) => None,
            Self::Json(rules)
            | Self::SocketIo(rules)
            | Self::Stomp(rules)
            | Self::Text(_, rules)
            | Self::Binary(_, rules) => Some(rules),
        }
    }

    /// Whether it is by their content that some answers are told.
    pub(crate) fn tells_by_content(&self) -> bool {
        self.rules().is_some_and(Rules::tell_by_content)
    }

    /// What answers are told by, beside ids.
    #[must_use]
    pub fn order(&self) -> Order {
        self.rules().map(Rules::by_order).unwrap_or_default()
    }
}

impl Wire {
    /// A message of this kind.
    #[must_use]
    pub fn new(text: String, binary: bool) -> Self {
        match binary {
            true => Self::Binary(text.into_bytes()),
            false => Self::Text(text),
        }
    }

    /// Its bytes as text, for people.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Binary(bytes) => String::from_utf8_lossy(bytes),
        }
    }
}

impl<'a> Item<'a> {
    /// An answer that is nobody's becomes an event of this kind, `content` or nothing that says what a session may see.
    pub(crate) fn disown(&mut self, kind: &'a str, content: bool) {
        if let Self::Reply { payload, .. } = self {
            *self = Self::Event {
                kind: kind.into(),
                cursor: None,
                content,
                payload: std::mem::take(payload),
            };
        }
    }

    /// Whether this is in its content, where that does not stand in the message as it is.
    pub(crate) fn has_joined(&self, needle: &str) -> bool {
        match self {
            Self::Reply {
                payload: Cow::Owned(payload),
                ..
            }
            | Self::Event {
                payload: Cow::Owned(payload),
                ..
            } => payload.contains(needle),
            _ => false,
        }
    }

    /// Whether it is content that nobody asked for, and this is in it.
    pub(crate) fn pushes(&self, needle: &str) -> bool {
        matches!(self, Self::Event { content: true, payload, .. } if payload.contains(needle))
    }

    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Item<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Item::Reply {
                whose,
                step,
                text,
                code,
                payload,
            } => Item::Reply {
                whose: match whose {
                    Whose::Id(id) => Whose::Id(owned(id)),
                    Whose::Oldest => Whose::Oldest,
                    Whose::OldestFenced => Whose::OldestFenced,
                    Whose::Fitting(asked) => Whose::Fitting(asked),
                },
                step,
                text: text.map(owned),
                code: code.map(owned),
                payload: owned(payload),
            },
            Item::Event {
                kind,
                cursor,
                content,
                payload,
            } => Item::Event {
                kind: owned(kind),
                cursor,
                content,
                payload: owned(payload),
            },
            Item::Heartbeat => Item::Heartbeat,
            Item::Undecodable => Item::Undecodable,
        }
    }
}
