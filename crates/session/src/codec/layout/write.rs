//! Objects as the frames that they are.

use serde_json::{Map, Value};

use super::bits::Pen;
use super::{Content, Extent, Field, Form, Integer, Layout, Measured, PACKET, Packet, UUID_BYTES};

/// What stands for a request id while a frame is tried.
pub(crate) const STAND_IN_ID: &str = "3735928558";
/// What stands for any other value then.
pub(crate) const STAND_IN: &str = "3735928559";
/// Bits of a request id.
const ID_BITS: u32 = 32;

/// Why an object is no frame.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It is no JSON object.
    #[error("it is no JSON object")]
    NoObject,
    /// It does not say what kind of frame it is.
    #[error("it does not say by `{PACKET}` what it is")]
    NoPacket,
    /// There is no such kind of frame.
    #[error("there is no packet `{name}`")]
    UnknownPacket {
        /// Its name.
        name: String,
    },
    /// There is no such field.
    #[error("`{packet}` has no field `{field}`")]
    UnknownField {
        /// The kind of frame.
        packet: String,
        /// The field.
        field: String,
    },
    /// A field is not given.
    #[error("`{packet}` lacks its field `{field}`")]
    Lacks {
        /// The kind of frame.
        packet: String,
        /// The field.
        field: String,
    },
    /// What is given does not fit.
    #[error("`{field}` of `{packet}` {why}")]
    Unfit {
        /// The kind of frame.
        packet: String,
        /// The field.
        field: String,
        /// Why not, without what is given, which may be a secret.
        why: String,
    },
}

/// What a frame is written from.
struct Given<'a> {
    packet: &'a Packet,
    members: &'a Map<String, Value>,
    /// Values stand for others, and need not fit.
    trial: bool,
}

impl Layout {
    /// The frame that an object spells.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if it spells none.
    pub fn write(&self, json: &str) -> Result<Vec<u8>, LayoutError> {
        self.written(json, false)
    }

    /// Whether an object spells a frame, once [`STAND_IN`] and [`STAND_IN_ID`] are values.
    pub(crate) fn check(&self, json: &str) -> Result<(), LayoutError> {
        self.written(json, true).map(drop)
    }

    fn written(&self, json: &str, trial: bool) -> Result<Vec<u8>, LayoutError> {
        let members: Map<String, Value> = serde_json::from_str(json).map_err(|_| LayoutError::NoObject)?;
        let name = members
            .get(PACKET)
            .and_then(Value::as_str)
            .ok_or(LayoutError::NoPacket)?;
        let packet = self.packets.iter().find(|packet| packet.name == name);
        let packet = packet.ok_or_else(|| LayoutError::UnknownPacket {
            name: name.to_owned(),
        })?;
        let fields = || self.head.iter().chain(&packet.fields);
        let known = |name: &str| fields().any(|field| field.name.as_deref() == Some(name));
        if let Some(field) = members.keys().find(|name| *name != PACKET && !known(name)) {
            let (packet, field) = (packet.name.clone(), field.clone());
            return Err(LayoutError::UnknownField { packet, field });
        }
        let given = Given {
            packet,
            members: &members,
            trial,
        };
        let mut body = Pen::default();
        given.fields(&packet.fields, &mut body)?;
        let mut pen = Pen::default();
        let Some((place, integer, measure)) = self.measure() else {
            given.fields(&self.head, &mut pen)?;
            pen.put(&body.bytes);
            return Ok(pen.bytes);
        };
        given.fields(&self.head[..place], &mut pen)?;
        let mut rest = Pen::default();
        given.fields(&self.head[place + 1..], &mut rest)?;
        rest.put(&body.bytes);
        let front = pen.bytes.len();
        let of = |own: usize| match measure.of {
            Measured::All => front + own + rest.bytes.len(),
            Measured::Rest | Measured::Field(_) => rest.bytes.len(),
        };
        let number = match integer.bits() {
            // a byte that it shares is in front of it already
            Some(bits) => Some(of((bits / 8) as usize)),
            None => (1..=10)
                .map(of)
                .zip(1..)
                .find(|(all, own)| {
                    let mut pen = Pen::default();
                    pen.number(integer, given.counted(*all, measure.plus).unwrap_or_default());
                    pen.bytes.len() == *own
                })
                .map(|(all, _)| all),
        };
        let number = number.and_then(|bytes| given.counted(bytes, measure.plus));
        let number = number.filter(|number| *number <= integer.max());
        let too_long = || given.unfit(&self.head[place], "is too small for so long a frame");
        pen.number(integer, number.ok_or_else(too_long)?);
        pen.put(&rest.bytes);
        Ok(pen.bytes)
    }
}

impl Given<'_> {
    fn fields(&self, fields: &[Field], pen: &mut Pen) -> Result<(), LayoutError> {
        for field in fields {
            if field.optional && self.of(field).is_none() {
                break;
            }
            self.field(field, pen)?;
        }
        Ok(())
    }

    fn field(&self, field: &Field, pen: &mut Pen) -> Result<(), LayoutError> {
        match &field.form {
            Form::Number(integer) => pen.number(*integer, self.number(field, *integer)?),
            Form::Measure(integer, measure) => {
                let Measured::Field(name) = &measure.of else {
                    return Ok(());
                };
                let measured = self
                    .packet
                    .fields
                    .iter()
                    .find(|field| field.name.as_ref() == Some(name));
                let bytes = measured
                    .map(|field| self.content(field))
                    .transpose()?
                    .unwrap_or_default();
                let number = self
                    .counted(bytes.len(), measure.plus)
                    .filter(|number| *number <= integer.max());
                let too_long = || self.unfit(measured.unwrap_or(field), "is too long");
                pen.number(*integer, number.ok_or_else(too_long)?);
            }
            Form::Uuid => pen.put(&self.content(field)?),
            Form::Text(extent) | Form::Bytes(extent) => {
                let content = self.content(field)?;
                match extent {
                    Extent::Prefixed(integer) if content.len() as u64 > integer.max() => {
                        let why = format!("has {} bytes, at most {}", content.len(), integer.max());
                        return Err(self.unfit(field, &why));
                    }
                    Extent::Prefixed(integer) => pen.number(*integer, content.len() as u64),
                    Extent::Zero if content.contains(&0) => {
                        return Err(self.unfit(field, "has a zero in it, which would end it"));
                    }
                    Extent::Zero | Extent::Fixed(_) | Extent::Measured | Extent::Rest => {}
                }
                pen.put(&content);
                if *extent == Extent::Zero {
                    pen.put(&[0]);
                }
            }
        }
        Ok(())
    }

    /// What is given for a field, or always stands there.
    fn of(&self, field: &Field) -> Option<Content> {
        let name = field.name.as_deref();
        let when = self.packet.when.iter().find(|(of, _)| Some(of.as_str()) == name);
        let fixed = field
            .is
            .clone()
            .or(when.map(|(_, number)| Content::Number(*number)));
        let given = || {
            Some(match self.members.get(name?)? {
                Value::Null => return None,
                Value::String(text) => Content::Text(text.clone()),
                Value::Number(number) if number.is_u64() => Content::Number(number.as_u64()?),
                // an object within a frame goes as the JSON that it is
                other => Content::Text(other.to_string()),
            })
        };
        fixed.or_else(given).or_else(|| field.default.clone())
    }

    fn needed(&self, field: &Field) -> Result<Content, LayoutError> {
        self.of(field).ok_or_else(|| LayoutError::Lacks {
            packet: self.packet.name.clone(),
            field: field.name.clone().unwrap_or_default(),
        })
    }

    fn number(&self, field: &Field, integer: Integer) -> Result<u64, LayoutError> {
        let number = match self.needed(field)? {
            Content::Number(number) => Some(number),
            Content::Text(text) => text.parse().ok(),
        };
        let number = number.ok_or_else(|| self.unfit(field, "is no number"))?;
        let is = |stand_in: &str| self.trial && number.to_string() == stand_in;
        match integer.bits().filter(|bits| *bits < ID_BITS) {
            Some(bits @ (8 | 16)) if is(STAND_IN_ID) => {
                let why = format!(
                    "is too small for a request id, which counts on: `${{id:u{bits}}}` counts from 1 again"
                );
                Err(self.unfit(field, &why))
            }
            Some(_) if is(STAND_IN) => Ok(0),
            _ if number > integer.max() => {
                Err(self.unfit(field, &format!("is too large, at most {}", integer.max())))
            }
            _ => Ok(number),
        }
    }

    /// The bytes of a field that is text or bytes.
    fn content(&self, field: &Field) -> Result<Vec<u8>, LayoutError> {
        let text = match self.needed(field)? {
            Content::Number(number) => number.to_string(),
            Content::Text(text) => text,
        };
        let stand_in = self.trial
            && [STAND_IN, STAND_IN_ID]
                .iter()
                .any(|stand_in| text.contains(stand_in));
        let extent = match &field.form {
            Form::Text(extent) | Form::Bytes(extent) => *extent,
            Form::Uuid => Extent::Fixed(UUID_BYTES),
            Form::Number(_) | Form::Measure(..) => return Ok(Vec::new()),
        };
        let mut content = match &field.form {
            Form::Text(_) => text.into_bytes(),
            _ if stand_in => Vec::new(),
            _ => {
                let why = "is not in hexadecimal digits, two a byte";
                bytes(&text).ok_or_else(|| self.unfit(field, why))?
            }
        };
        if let Extent::Fixed(length) = extent {
            let is_text = matches!(field.form, Form::Text(_));
            if !stand_in && (content.len() > length || content.len() < length && !is_text) {
                return Err(self.unfit(field, &format!("has {} bytes, it takes {length}", content.len())));
            }
            content.resize(length, 0);
        }
        Ok(content)
    }

    /// What is written where so many bytes are measured.
    fn counted(&self, bytes: usize, plus: i64) -> Option<u64> {
        u64::try_from(bytes as i128 + i128::from(plus)).ok()
    }

    fn unfit(&self, field: &Field, why: &str) -> LayoutError {
        LayoutError::Unfit {
            packet: self.packet.name.clone(),
            field: field.name.clone().unwrap_or_default(),
            why: why.to_owned(),
        }
    }
}

/// The bytes that digits spell, which hyphens may part as they do in UUIDs.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.bytes().filter(|byte| *byte != b'-');
    let nibbles: Vec<u8> = digits
        .map(|digit| char::from(digit).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let pairs = nibbles.chunks_exact(2);
    pairs.remainder().is_empty().then(|| {
        nibbles
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    })
}
