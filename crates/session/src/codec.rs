//! Bytes to protocol messages and back, without IO.
//!
//! A codec belongs to one connection and is fed one WebSocket message at a time. A message may hold half a protocol
//! message or three, so one feed yields any number of [`Item`]s; what answers a heartbeat comes back as bytes to send.

mod chat;
mod json;
mod slot;
mod template;

use std::borrow::Cow;
use std::sync::Arc;

use history::Step;

pub use chat::{Chat, Envelope};
pub use json::{Condition, Heartbeat, Json, Kind, Meaning, Rule, Rules};
pub use slot::Slot;
pub use template::{Missing, Template, TemplateError, Values};

/// One protocol message.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// An answer, or a piece of one.
    Reply {
        /// The request id that it carries.
        request: Cow<'a, str>,
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

/// A protocol's framing, for one connection.
pub trait Codec {
    /// Takes one WebSocket message. Yields the protocol messages that are complete with it, in order; messages that
    /// have to be sent back (an answer to a heartbeat, which may be empty) are put to the end of `back`.
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Vec<u8>>) -> Vec<Item<'a>>;

    /// The rule that a message is taken by, counted from 1; `None` if it is taken by none, or the protocol has no rules.
    fn rule(&self, message: &[u8]) -> Option<usize> {
        let _ = message;
        None
    }

    /// The bytes of a request: `frame` with `values` put in, quoted as the protocol wants.
    ///
    /// # Errors
    ///
    /// [`Missing`] names a slot of `frame` that `values` lacks.
    fn encode(&self, frame: &Template, values: &Values) -> Result<String, Missing>;
}

/// The codecs that there are.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// JSON objects, one a message, in the envelopes of the reference service.
    Chat(Envelope),
    /// JSON, one text a message, told apart by rules.
    Json(Arc<Rules>),
}

impl Framing {
    /// A codec for a new connection.
    #[must_use]
    pub fn codec(&self) -> Box<dyn Codec> {
        match self {
            Self::Chat(envelope) => Box::new(Chat::new(*envelope)),
            Self::Json(rules) => Box::new(Json::new(Arc::clone(rules))),
        }
    }
}
