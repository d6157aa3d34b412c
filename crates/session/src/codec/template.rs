//! Frames as data: text with slots.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::slot::{Slot, Slots};
use super::values::Values;

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
    /// What comes after a slot's colon is not known.
    #[error("unknown form {form:?} of slot {slot:?} in the frame {frame:?}, there are {}", .forms.join(", "))]
    UnknownForm {
        /// The slot's name.
        slot: String,
        /// The form.
        form: String,
        /// Those that there are.
        forms: Vec<&'static str>,
        /// The whole template.
        frame: String,
    },
    /// An environment variable is not set, or is no text.
    #[error("the environment has no variable {name:?}")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// A slot has no closing brace.
    #[error("a slot without its closing brace in the frame {frame:?}")]
    Unclosed {
        /// The whole template.
        frame: String,
    },
}

/// Text with slots, written `${slot}`; as `${slot:bare}`, a slot's value goes into JSON without the quotes around it: within
/// a longer string, or where a number has to be; `${slot:bytes}` is its length in bytes. `${env:NAME}` is the environment variable of that name.
/// `${id:u8}` and `${id:u16}` are a request's id as a number that starts again from 1 where it would not fit.
/// `${base64:TEXT}` is text with slots of its own, in base64 (RFC 4648, section 4).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    taken: Slots,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(Slot, Form),
    /// A value from the environment: a secret.
    Given(String, Form),
    /// Text that goes in base64.
    Encoded(Template),
}

/// How a value is written into JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As a string, or as a bare number where the slot is one.
    Whole,
    /// Without quotes.
    Bare,
    /// Its length in bytes, in place of it.
    Bytes,
    /// A number of so many bits, none of which is zero.
    Wrapped(u32),
}

impl Form {
    /// What ends the name of a slot whose value is written so, and nothing else is said.
    const NAMED: [(Self, &'static str); 4] = [
        (Self::Bare, "bare"),
        (Self::Bytes, "bytes"),
        (Self::Wrapped(8), "u8"),
        (Self::Wrapped(16), "u16"),
    ];

    /// Those that there are of a slot.
    fn of(slot: &str) -> impl Iterator<Item = &'static (Self, &'static str)> {
        let counts = [Slot::Id, Slot::Request].iter().any(|id| id.name() == slot);
        let there = move |(form, _): &&(Self, _)| counts || !matches!(form, Self::Wrapped(_));
        Self::NAMED.iter().filter(there)
    }
}

/// How many request ids there are of so many bits: all but 0.
pub(crate) fn ids_of(bits: u32) -> u32 {
    u32::MAX
        .checked_shr(32_u32.saturating_sub(bits))
        .unwrap_or_default()
}

/// What begins the name of an environment variable.
const ENVIRONMENT: &str = "env:";
/// What begins text that goes in base64.
const ENCODED: &str = "base64:";

impl Template {
    /// The template that `frame` spells.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for an unknown or unclosed slot, and for an environment variable that is not set.
    pub fn parse(frame: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = frame;
        while let Some((text, after)) = rest.split_once("${") {
            let unclosed = || TemplateError::Unclosed {
                frame: frame.to_owned(),
            };
            let end = closing(after).ok_or_else(unclosed)?;
            let (name, tail) = (&after[..end], &after[end + 1..]);
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(match name.strip_prefix(ENCODED) {
                Some(inner) => Piece::Encoded(Self::parse(inner)?),
                None => Piece::named(name, frame)?,
            });
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let taken = pieces.iter().flat_map(Piece::slots).collect();
        Ok(Self { pieces, taken })
    }

    /// The slots, in order.
    pub fn slots(&self) -> Box<dyn Iterator<Item = Slot> + '_> {
        Box::new(self.pieces.iter().flat_map(Piece::slots))
    }

    /// The values from the environment that are in it.
    pub(crate) fn given(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.pieces.iter().flat_map(|piece| match piece {
            Piece::Given(value, _) => Box::new(std::iter::once(value.as_str())),
            Piece::Encoded(inner) => inner.given(),
            Piece::Text(_) | Piece::Slot(..) => Box::new(std::iter::empty()),
        }))
    }

    /// How many request ids there are, if it says them in so few bits that they start again.
    pub(crate) fn ids(&self) -> Option<u32> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Slot(Slot::Id, Form::Wrapped(bits)) => Some(ids_of(*bits)),
            Piece::Encoded(inner) => inner.ids(),
            _ => None,
        })
    }

    /// Whether it has this slot.
    #[must_use]
    pub fn takes(&self, slot: Slot) -> bool {
        self.taken.has(slot)
    }

    /// All that it takes.
    pub(crate) fn taken(&self) -> Slots {
        self.taken
    }

    /// The text, each slot's value as a JSON string, or as a bare number where the slot is one.
    ///
    /// # Errors
    ///
    /// [`Missing`] names the first slot that `values` lacks.
    pub fn json(&self, values: &Values) -> Result<String, Missing> {
        self.fill(values, self.len_with(values), push_json)
    }

    /// The text, each value as `write` writes it.
    ///
    /// # Errors
    ///
    /// [`Missing`] names the first slot that `values` lacks.
    pub(crate) fn text(&self, values: &Values, write: impl Fn(&str) -> String) -> Result<String, Missing> {
        self.fill(values, 0, |out, value, _, _| out.push_str(&write(value)))
    }

    /// The text, each value as `write` puts it to the end of what is there already.
    ///
    /// # Errors
    ///
    /// [`Missing`] names the first slot that `values` lacks.
    pub(crate) fn written(
        &self,
        values: &Values,
        write: impl Fn(&mut String, &str),
    ) -> Result<String, Missing> {
        self.fill(values, self.len_with(values), |out, value, _, _| {
            write(out, value)
        })
    }

    fn fill(
        &self,
        values: &Values,
        capacity: usize,
        put: impl Fn(&mut String, &str, bool, Form),
    ) -> Result<String, Missing> {
        let mut out = String::with_capacity(capacity);
        for piece in &self.pieces {
            let encoded;
            let (value, number, form) = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Encoded(inner) => {
                    encoded = BASE64.encode(inner.text(values, str::to_owned)?);
                    (encoded.as_str(), false, Form::Whole)
                }
                Piece::Slot(slot, form) => {
                    let value = values.get(*slot).ok_or(Missing { slot: *slot })?;
                    (value, slot.is_number(), *form)
                }
                Piece::Given(value, form) => (value.as_str(), false, *form),
            };
            match form {
                Form::Bytes => out.push_str(&value.len().to_string()),
                Form::Wrapped(bits) => out.push_str(&wrapped(value, bits)),
                form => put(&mut out, value, number, form),
            }
        }
        Ok(out)
    }

    /// Bytes of the text with `values` in it, if nothing in them needs an escape.
    fn len_with(&self, values: &Values) -> usize {
        let len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Slot(slot, _) => {
                values.get(*slot).map_or(0, str::len) + if slot.is_number() { 0 } else { 2 }
            }
            Piece::Given(value, _) => value.len() + 2,
            Piece::Encoded(inner) => inner.len_with(values) * 4 / 3 + 4,
        };
        self.pieces.iter().map(len).sum()
    }
}

impl Piece {
    fn slots(&self) -> Box<dyn Iterator<Item = Slot> + '_> {
        match self {
            Self::Slot(slot, _) => Box::new(std::iter::once(*slot)),
            Self::Encoded(inner) => inner.slots(),
            Self::Text(_) | Self::Given(..) => Box::new(std::iter::empty()),
        }
    }

    /// What stands between the braces of `frame`.
    fn named(name: &str, frame: &str) -> Result<Self, TemplateError> {
        let (plain, form) = match name.strip_prefix(ENVIRONMENT).unwrap_or(name).rsplit_once(':') {
            Some((slot, form)) => {
                let unknown = || TemplateError::UnknownForm {
                    slot: slot.to_owned(),
                    form: form.to_owned(),
                    forms: Form::of(slot).map(|(_, name)| *name).collect(),
                    frame: frame.to_owned(),
                };
                let named = Form::of(slot).find(|(_, name)| *name == form);
                (slot, named.ok_or_else(unknown)?.0)
            }
            None => (name.strip_prefix(ENVIRONMENT).unwrap_or(name), Form::Whole),
        };
        if name.starts_with(ENVIRONMENT) {
            let value = std::env::var(plain).map_err(|_| TemplateError::NoVariable {
                name: plain.to_owned(),
            })?;
            return Ok(Self::Given(value, form));
        }
        let unknown = || TemplateError::UnknownSlot {
            name: plain.to_owned(),
            frame: frame.to_owned(),
        };
        Ok(Self::Slot(Slot::named(plain).ok_or_else(unknown)?, form))
    }
}

impl fmt::Debug for Template {
    /// As it is spelt, but for what the environment gave.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Slot(slot, Form::Whole) => write!(f, "${{{}}}", slot.name()),
            Piece::Slot(slot, Form::Bare) => write!(f, "${{{}:bare}}", slot.name()),
            Piece::Slot(slot, Form::Bytes) => write!(f, "${{{}:bytes}}", slot.name()),
            Piece::Slot(slot, Form::Wrapped(bits)) => write!(f, "${{{}:u{bits}}}", slot.name()),
            Piece::Given(..) => f.write_str("${env:...}"),
            Piece::Encoded(inner) => write!(f, "${{base64:{inner:?}}}"),
        })
    }
}

/// Where the brace is that closes what was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, _) in text.match_indices(['{', '}']) {
        match (text.as_bytes()[at], depth) {
            (b'}', 0) => return Some(at),
            (b'}', _) => depth -= 1,
            _ => depth += 1,
        }
    }
    None
}

/// A request id as one of those that there are of so many bits; what is no number, as it is.
fn wrapped(id: &str, bits: u32) -> String {
    let number = id.parse().ok().and_then(|id: u32| id.checked_sub(1));
    number.map_or_else(|| id.to_owned(), |number| (number % ids_of(bits) + 1).to_string())
}

fn push_json(out: &mut String, value: &str, number: bool, form: Form) {
    if number {
        out.push_str(value);
        return;
    }
    if form == Form::Bare {
        return push_escaped(out, value);
    }
    out.push('"');
    // without an early end, so that it is vector code
    let escaped = |byte| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    if value.bytes().fold(false, |any, byte| any | escaped(byte)) {
        push_escaped(out, value);
    } else {
        out.push_str(value);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_take_values() {
        let frame = Template::parse(r#"{"id":${id},"after":${after},"x":[]}"#).unwrap();
        let values = Values::new().with(Slot::Id, "7").with(Slot::After, "12");
        assert_eq!(frame.json(&values).unwrap(), r#"{"id":"7","after":12,"x":[]}"#);
        assert_eq!(frame.slots().collect::<Vec<_>>(), [Slot::Id, Slot::After]);
    }

    #[test]
    fn a_bare_value_takes_no_quotes() {
        let frame = Template::parse(r#"{"cid":${id:bare},"topic":"u/${user:bare}/x"}"#).unwrap();
        let values = Values::new().with(Slot::Id, "7").with(Slot::User, "a\"b");
        assert_eq!(frame.json(&values).unwrap(), r#"{"cid":7,"topic":"u/a\"b/x"}"#);
        assert_eq!(
            format!("{frame:?}"),
            r#"{"cid":${id:bare},"topic":"u/${user:bare}/x"}"#
        );
    }

    #[test]
    fn a_length_counts_bytes() {
        let frame = Template::parse("PUB ${thread:bare} ${body:bytes}\r\n${body:bare}\r\n").unwrap();
        let values = Values::new().with(Slot::Thread, "t").with(Slot::Body, "é!");
        let text = frame.written(&values, String::push_str).unwrap();
        assert_eq!(text, "PUB t 3\r\né!\r\n");
    }

    #[test]
    fn text_takes_values_as_they_are_or_as_they_are_wanted() {
        let path = Template::parse("/ws?token=${access-token}").unwrap();
        let values = Values::new().with(Slot::AccessToken, "a b");
        assert_eq!(path.text(&values, str::to_owned).unwrap(), "/ws?token=a b");
        let escaped = path.text(&values, |value| value.replace(' ', "%20"));
        assert_eq!(escaped.unwrap(), "/ws?token=a%20b");
    }

    #[test]
    fn text_may_go_in_base64() {
        let frame = Template::parse("Basic ${base64:${handle}:${password}}.").unwrap();
        let values = Values::new().with(Slot::Handle, "a").with(Slot::Password, "b");
        assert_eq!(frame.text(&values, str::to_owned).unwrap(), "Basic YTpi.");
        assert_eq!(frame.slots().collect::<Vec<_>>(), [Slot::Handle, Slot::Password]);
        assert!(frame.takes(Slot::Password) && !frame.takes(Slot::Id));
        let frame = Template::parse(r#"{"auth":${base64:\0${handle}}}"#).unwrap();
        assert_eq!(frame.json(&values).unwrap(), r#"{"auth":"XDBh"}"#);
        refuse(
            "${base64:${handle}",
            r#"a slot without its closing brace in the frame "${base64:${handle}""#,
        );
    }

    #[test]
    fn the_environment_gives_values_that_are_not_shown() {
        let frame = Template::parse("${env:PATH}").unwrap();
        let path = serde_json::to_string(&std::env::var("PATH").unwrap()).unwrap();
        assert_eq!(frame.json(&Values::new()).unwrap(), path);
        assert_eq!(format!("{frame:?}"), "${env:...}");
        refuse(
            "${env:NO_SUCH_VARIABLE}",
            r#"the environment has no variable "NO_SUCH_VARIABLE""#,
        );
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
        refuse(
            "${id:hex}",
            r#"unknown form "hex" of slot "id" in the frame "${id:hex}", there are bare, bytes, u8, u16"#,
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
