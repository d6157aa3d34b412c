//! Frames as data: text with slots.

use std::fmt::Write as _;
use std::ops::Range;

/// What can be put into a frame or taken out of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Slot {
    /// The request id.
    Id,
    Thread,
    Room,
    User,
    Tenant,
    Session,
    Title,
    Body,
    Nonce,
    Note,
    Status,
    /// Another request's id.
    Request,
    /// What names an earlier connection.
    Resume,
    /// Position after which one reads.
    After,
    /// Position of what was written.
    Position,
    /// Whether something was done.
    Done,
    Email,
    Password,
    Name,
    TenantSlug,
    TenantKey,
    AccessToken,
    RefreshToken,
    /// Life of an access token, in seconds.
    LifeS,
    /// Public keys of access tokens, as JSON.
    KeySet,
    /// How long something may wait for its turn, in milliseconds.
    WaitMs,
}

impl Slot {
    const ALL: [(Self, &'static str); 26] = [
        (Self::Id, "id"),
        (Self::Thread, "thread"),
        (Self::Room, "room"),
        (Self::User, "user"),
        (Self::Tenant, "tenant"),
        (Self::Session, "session"),
        (Self::Title, "title"),
        (Self::Body, "body"),
        (Self::Nonce, "nonce"),
        (Self::Note, "note"),
        (Self::Status, "status"),
        (Self::Request, "request"),
        (Self::Resume, "resume"),
        (Self::After, "after"),
        (Self::Position, "position"),
        (Self::Done, "done"),
        (Self::Email, "email"),
        (Self::Password, "password"),
        (Self::Name, "name"),
        (Self::TenantSlug, "tenant-slug"),
        (Self::TenantKey, "tenant-key"),
        (Self::AccessToken, "access-token"),
        (Self::RefreshToken, "refresh-token"),
        (Self::LifeS, "life-s"),
        (Self::KeySet, "key-set"),
        (Self::WaitMs, "wait-ms"),
    ];

    /// Its name in templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, other)| *other == name)
            .map(|(slot, _)| *slot)
    }

    fn is_number(self) -> bool {
        matches!(self, Self::After | Self::Position | Self::LifeS | Self::WaitMs)
    }
}

/// A frame lacks a value for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no value for slot {:?} of the frame", slot.name())]
pub struct Missing {
    /// The slot.
    pub slot: Slot,
}

/// Why a text is no template.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A slot's name is not known.
    #[error("unknown slot {name:?} in the frame {frame:?}")]
    UnknownSlot {
        /// The name.
        name: String,
        /// The whole template.
        frame: String,
    },
    /// A slot has no closing brace.
    #[error("a slot without its closing brace in the frame {frame:?}")]
    Unclosed {
        /// The whole template.
        frame: String,
    },
}

/// Text with slots, written `${slot}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(Slot),
}

impl Template {
    /// The template that `frame` spells.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for an unknown or unclosed slot.
    pub fn parse(frame: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = frame;
        while let Some((text, after)) = rest.split_once("${") {
            let unclosed = || TemplateError::Unclosed {
                frame: frame.to_owned(),
            };
            let (name, tail) = after.split_once('}').ok_or_else(unclosed)?;
            let unknown = || TemplateError::UnknownSlot {
                name: name.to_owned(),
                frame: frame.to_owned(),
            };
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Slot(Slot::named(name).ok_or_else(unknown)?));
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// The slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(*slot),
            Piece::Text(_) => None,
        })
    }

    /// The text, each slot's value as a JSON string, or as a bare number where the slot is one.
    ///
    /// # Errors
    ///
    /// [`Missing`] names the first slot that `values` lacks.
    pub fn json(&self, values: &Values) -> Result<String, Missing> {
        let mut out = String::with_capacity(self.len_with(values));
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Slot(slot) => {
                    let value = values.get(*slot).ok_or(Missing { slot: *slot })?;
                    push_json(&mut out, value, slot.is_number());
                }
            }
        }
        Ok(out)
    }

    /// Bytes of the text with `values` in it, if nothing in them needs an escape.
    fn len_with(&self, values: &Values) -> usize {
        let len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Slot(slot) => values.get(*slot).map_or(0, str::len) + if slot.is_number() { 0 } else { 2 },
        };
        self.pieces.iter().map(len).sum()
    }
}

fn push_json(out: &mut String, value: &str, number: bool) {
    if number {
        out.push_str(value);
        return;
    }
    out.push('"');
    if value
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        out.push_str(value);
    } else {
        push_escaped(out, value);
    }
    out.push('"');
}

fn push_escaped(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                // writing to a string cannot fail
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Room that is made for the values of one frame: enough for a post.
const VALUES_BYTES: usize = 192;
const VALUES_COUNT: usize = 5;

/// Values for slots.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// All of them, one after the other.
    text: String,
    /// Where each stands.
    places: Vec<(Slot, Range<usize>)>,
}

impl Values {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, slot: Slot, value: impl AsRef<str>) -> Self {
        self.set(slot, value);
        self
    }

    /// Adds a value, or replaces it.
    pub fn set(&mut self, slot: Slot, value: impl AsRef<str>) {
        if self.places.is_empty() {
            self.text.reserve(VALUES_BYTES);
            self.places.reserve(VALUES_COUNT);
        }
        let from = self.text.len();
        self.text.push_str(value.as_ref());
        let place = from..self.text.len();
        match self.places.iter_mut().find(|(other, _)| *other == slot) {
            Some((_, old)) => *old = place,
            None => self.places.push((slot, place)),
        }
    }

    /// The value of `slot`.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&str> {
        let (_, place) = self.places.iter().find(|(other, _)| *other == slot)?;
        Some(&self.text[place.clone()])
    }

    /// Adds all of `more`, which replace values of the same slots.
    pub fn extend(&mut self, more: Self) {
        if self.places.is_empty() {
            *self = more;
            return;
        }
        for (slot, place) in more.places {
            self.set(slot, &more.text[place]);
        }
    }

    /// The value of `slot`, taken out.
    pub fn take(&mut self, slot: Slot) -> Option<String> {
        let at = self.places.iter().position(|(other, _)| *other == slot)?;
        let (_, place) = self.places.swap_remove(at);
        Some(self.text[place].to_owned())
    }
}

impl PartialEq for Values {
    /// The same values for the same slots, in whatever order they were set.
    fn eq(&self, other: &Self) -> bool {
        let same = |(slot, place): &(Slot, Range<usize>)| other.get(*slot) == Some(&self.text[place.clone()]);
        self.places.len() == other.places.len() && self.places.iter().all(same)
    }
}

impl Eq for Values {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_are_in_order_of_the_table() {
        for (index, (slot, _)) in Slot::ALL.iter().enumerate() {
            assert_eq!(*slot as usize, index);
        }
    }

    #[test]
    fn frames_take_values() {
        let frame = Template::parse(r#"{"id":${id},"after":${after},"x":[]}"#).unwrap();
        let values = Values::new().with(Slot::Id, "7").with(Slot::After, "12");
        assert_eq!(frame.json(&values).unwrap(), r#"{"id":"7","after":12,"x":[]}"#);
        assert_eq!(frame.slots().collect::<Vec<_>>(), [Slot::Id, Slot::After]);
    }

    #[track_caller]
    fn refuse(frame: &str, message: &str) {
        assert_eq!(Template::parse(frame).unwrap_err().to_string(), message);
    }

    #[test]
    fn bad_frames_are_named() {
        refuse("{${who}}", r#"unknown slot "who" in the frame "{${who}}""#);
        refuse(
            "{${id",
            r#"a slot without its closing brace in the frame "{${id""#,
        );
        let frame = Template::parse("${body}").unwrap();
        let missing = frame.json(&Values::new()).unwrap_err();
        assert_eq!(missing.to_string(), r#"no value for slot "body" of the frame"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text: String) {
            let frame = Template::parse("[${body}]").unwrap();
            let json = frame.json(&Values::new().with(Slot::Body, &text)).unwrap();
            let back: Vec<String> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back, [text]);
        }
    }
}
