//! Frames as the objects that they are.

use super::bits::{Cursor, Fault};
use super::{Content, Extent, Field, Form, Layout, Measured, PACKET, Packet, UUID_BYTES};
use crate::limits::MESSAGE_LIMIT_BYTES;

/// The first frame of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::codec) enum Read<'b> {
    /// All of it, and what comes after it.
    Whole {
        /// As JSON; `None` if no kind of frame fits.
        object: Option<String>,
        after: &'b [u8],
    },
    /// It takes at least so many bytes.
    Begun(usize),
    /// Where it ends cannot be told.
    Wrong,
}

/// What stands in a field.
enum Value<'b> {
    Number(u64),
    Text(&'b str),
    Bytes(&'b [u8]),
    Uuid(&'b [u8]),
}

/// What was read of a frame.
#[derive(Default)]
struct Found<'b> {
    numbers: Vec<(&'b str, u64)>,
    /// How long fields are, by their names.
    lengths: Vec<(&'b str, u64)>,
    object: String,
}

impl Layout {
    pub(in crate::codec) fn read<'b>(&self, bytes: &'b [u8]) -> Read<'b> {
        let (frame, after) = match self.end(bytes) {
            Ok(None) => (bytes, &[][..]),
            Ok(Some(end)) => match bytes.split_at_checked(end) {
                Some(split) => split,
                None => return Read::Begun(end),
            },
            Err(Fault::Short) => return Read::Begun(bytes.len() + 1),
            Err(Fault::Wrong) => return Read::Wrong,
        };
        let object = self.packets.iter().find_map(|packet| self.object(packet, frame));
        Read::Whole { object, after }
    }

    /// Where the first frame ends; `None` if it is the whole message.
    fn end(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some((place, integer, measure)) = self.measure() else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(bytes);
        for field in &self.head[..place] {
            if let Form::Number(integer) = field.form {
                cursor.number(integer)?;
            }
        }
        let said = cursor.number(integer)?;
        let counted = i128::from(said) - i128::from(measure.plus);
        let counted = usize::try_from(counted).map_err(|_| Fault::Wrong)?;
        let read = cursor.position();
        let end = match measure.of {
            Measured::All => counted,
            Measured::Rest | Measured::Field(_) => read.saturating_add(counted),
        };
        match (read..=MESSAGE_LIMIT_BYTES).contains(&end) {
            true => Ok(Some(end)),
            false => Err(Fault::Wrong),
        }
    }

    /// What a frame is as one of this kind; `None` if it is none.
    fn object(&self, packet: &Packet, frame: &[u8]) -> Option<String> {
        let mut found = Found::default();
        found.member(PACKET, &Value::Text(&packet.name));
        let mut cursor = Cursor::new(frame);
        for field in &self.head {
            // what its kind has said is not said again
            let known = |(name, _): &(String, u64)| field.name.as_ref() == Some(name);
            let told = !packet.when.iter().any(known);
            found.field(field, &mut cursor, told).ok()?;
        }
        let is = |(name, number): &(String, u64)| found.numbers.contains(&(name.as_str(), *number));
        if !packet.when.iter().all(is) {
            return None;
        }
        for field in &packet.fields {
            if field.optional && cursor.rest().is_empty() {
                break;
            }
            found.field(field, &mut cursor, true).ok()?;
        }
        found.object.push('}');
        cursor.rest().is_empty().then_some(found.object)
    }
}

impl<'b> Found<'b> {
    /// Reads a field, which is `told` if it has a name.
    fn field(&mut self, field: &'b Field, cursor: &mut Cursor<'_>, told: bool) -> Result<(), Fault> {
        let value = match &field.form {
            Form::Number(integer) => {
                let number = cursor.number(*integer)?;
                self.numbers
                    .extend(field.name.as_deref().map(|name| (name, number)));
                Value::Number(number)
            }
            Form::Measure(integer, measure) => {
                let said = cursor.number(*integer)?;
                if let Measured::Field(name) = &measure.of {
                    let length = i128::from(said) - i128::from(measure.plus);
                    let length = u64::try_from(length).map_err(|_| Fault::Wrong)?;
                    self.lengths.push((name, length));
                }
                Value::Number(said)
            }
            Form::Text(extent) => {
                let bytes = self.content(field, *extent, cursor)?;
                let text = std::str::from_utf8(bytes).map_err(|_| Fault::Wrong)?;
                Value::Text(match extent {
                    Extent::Fixed(_) => text.trim_end_matches('\0'),
                    _ => text,
                })
            }
            Form::Bytes(extent) => Value::Bytes(self.content(field, *extent, cursor)?),
            Form::Uuid => Value::Uuid(cursor.take(UUID_BYTES)?),
        };
        if field.is.as_ref().is_some_and(|is| !value.is(is)) {
            return Err(Fault::Wrong);
        }
        if let Some(name) = field.name.as_ref().filter(|_| told) {
            self.member(name, &value);
        }
        Ok(())
    }

    fn content<'f>(&self, field: &Field, extent: Extent, cursor: &mut Cursor<'f>) -> Result<&'f [u8], Fault> {
        let length = match extent {
            Extent::Prefixed(integer) => cursor.number(integer)?,
            Extent::Fixed(bytes) => bytes as u64,
            Extent::Zero => {
                let zero = memchr::memchr(0, cursor.rest()).ok_or(Fault::Short)?;
                let content = cursor.take(zero)?;
                cursor.take(1)?;
                return Ok(content);
            }
            Extent::Measured => {
                let own = |(name, _): &&(&str, u64)| field.name.as_deref() == Some(*name);
                self.lengths.iter().find(own).ok_or(Fault::Wrong)?.1
            }
            Extent::Rest => cursor.rest().len() as u64,
        };
        cursor.take(usize::try_from(length).map_err(|_| Fault::Short)?)
    }

    fn member(&mut self, name: &str, value: &Value<'_>) {
        let object = &mut self.object;
        object.push(if object.is_empty() { '{' } else { ',' });
        push_text(object, name);
        object.push(':');
        match value {
            Value::Number(number) => object.push_str(&number.to_string()),
            Value::Text(text) => push_text(object, text),
            Value::Bytes(bytes) => push_text(object, &digits(bytes)),
            Value::Uuid(bytes) => push_text(object, &hyphenated(bytes)),
        }
    }
}

impl Value<'_> {
    fn is(&self, content: &Content) -> bool {
        match (self, content) {
            (Self::Number(number), Content::Number(is)) => number == is,
            (Self::Text(text), Content::Text(is)) => text == is,
            (Self::Bytes(bytes), Content::Text(is)) => digits(bytes) == *is,
            (Self::Uuid(bytes), Content::Text(is)) => hyphenated(bytes) == *is,
            _ => false,
        }
    }
}

fn push_text(json: &mut String, text: &str) {
    // text is JSON whatever it holds
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Hexadecimal digits, two a byte.
fn digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The digits of a UUID, in groups of 8, 4, 4, 4 and 12.
fn hyphenated(uuid: &[u8]) -> String {
    let mut text = digits(uuid);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}
