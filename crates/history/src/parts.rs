//! The protocol messages within inbound bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::slice;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Op, Step};

/// One protocol message within inbound bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Part<'a> {
    /// An answer to a request.
    Reply {
        /// The attempt whose request id it carries, also when that attempt is over; `None` if this connection never
        /// sent such a request.
        op: Option<Op>,
        /// What it is within the answer.
        step: Step,
        /// Decoded text of a streamed piece, to be joined with its neighbours.
        #[serde(borrow)]
        text: Option<Cow<'a, str>>,
    },
    /// Something nobody asked for: an event, a greeting.
    Event {
        /// Its kind, as the service names it.
        #[serde(borrow)]
        kind: Cow<'a, str>,
        /// Whether it says what the session may see (content), or only that the session is over.
        content: bool,
    },
    /// Proof of life.
    Heartbeat,
    /// The codec understood nothing here.
    Undecodable,
}

/// Parts in order, of which there is one mostly: that one needs no heap.
///
/// ```
/// use history::{Part, Parts};
///
/// let parts: Parts<'_> = [Part::Heartbeat, Part::Undecodable].into_iter().collect();
/// assert_eq!(*parts, [Part::Heartbeat, Part::Undecodable]);
/// assert!(Parts::default().is_empty());
/// ```
#[derive(Clone)]
pub struct Parts<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    One(Part<'a>),
    Some(Vec<Part<'a>>),
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self(Held::Some(Vec::new()))
    }
}

impl<'a> From<Part<'a>> for Parts<'a> {
    fn from(part: Part<'a>) -> Self {
        Self(Held::One(part))
    }
}

impl<'a> From<Vec<Part<'a>>> for Parts<'a> {
    fn from(parts: Vec<Part<'a>>) -> Self {
        Self(Held::Some(parts))
    }
}

impl<'a> FromIterator<Part<'a>> for Parts<'a> {
    fn from_iter<I: IntoIterator<Item = Part<'a>>>(parts: I) -> Self {
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else {
            return Self::default();
        };
        match parts.next() {
            None => first.into(),
            Some(second) => Self(Held::Some([first, second].into_iter().chain(parts).collect())),
        }
    }
}

impl<'a> Deref for Parts<'a> {
    type Target = [Part<'a>];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Held::One(part) => slice::from_ref(part),
            Held::Some(parts) => parts,
        }
    }
}

impl DerefMut for Parts<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            Held::One(part) => slice::from_mut(part),
            Held::Some(parts) => parts,
        }
    }
}

impl PartialEq for Parts<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Sequence)
    }
}

struct Sequence;

impl<'de> Visitor<'de> for Sequence {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parts")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut parts: S) -> Result<Self::Value, S::Error> {
        std::iter::from_fn(|| parts.next_element().transpose()).collect()
    }
}
