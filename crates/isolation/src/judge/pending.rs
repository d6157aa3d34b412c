//! Messages of a connection of which it is not yet known whose it is.

use std::borrow::Cow;

use history::{At, Inbound, Part, Place};

use crate::limits::{PENDING_BYTES_MAX, PENDING_MESSAGES_MAX};

/// A message and where it stands.
pub(crate) type Message = (At, Place, Inbound<'static>);

/// The answer to an upgrade comes before it is known to have been accepted or refused.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    messages: Vec<Message>,
    bytes: usize,
}

impl Pending {
    /// Keeps a message; false if there is no room for it.
    pub(crate) fn keep(&mut self, at: At, place: Place, inbound: &Inbound<'_>) -> bool {
        let fits = self.messages.len() < PENDING_MESSAGES_MAX
            && self.bytes + inbound.bytes.len() <= PENDING_BYTES_MAX;
        if fits {
            self.bytes += inbound.bytes.len();
            self.messages.push((at, place, owned(inbound)));
        }
        fits
    }

    pub(crate) fn take(&mut self) -> Vec<Message> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }
}

fn owned(inbound: &Inbound<'_>) -> Inbound<'static> {
    let own = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
    let part = |part: &Part<'_>| match part {
        Part::Reply { op, step, text } => Part::Reply {
            op: *op,
            step: *step,
            text: text.as_ref().map(own),
        },
        Part::Event { kind, content } => Part::Event {
            kind: own(kind),
            content: *content,
        },
        Part::Heartbeat => Part::Heartbeat,
        Part::Undecodable => Part::Undecodable,
    };
    Inbound {
        conn: inbound.conn,
        source: inbound.source,
        bytes: Cow::Owned(inbound.bytes.to_vec()),
        parts: inbound.parts.iter().map(part).collect(),
    }
}
