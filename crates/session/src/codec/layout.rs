//! How the frames of a binary protocol are laid out, field by field, and what they are as JSON objects: `packet`, the name of the kind
//! of frame, and each field that has a name. A number is a number, text is text, bytes are hexadecimal digits.
//!
//! A layout is read and written by alike: what a frame is sent as looks like what would come.

mod bits;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::Read;
pub use write::LayoutError;
pub(crate) use write::{STAND_IN, STAND_IN_ID};

/// The member of the object that names the kind of frame.
pub const PACKET: &str = "packet";

/// How frames are laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// What each frame begins with: numbers. Where one measures the frame, several may stand in a message, and one over several.
    pub head: Vec<Field>,
    /// The kinds of frames; what comes is of the first that fits from its first byte to its last.
    pub packets: Vec<Packet>,
}

/// A kind of frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its name.
    pub name: String,
    /// What stands in which field of the head.
    pub when: Vec<(String, u64)>,
    /// What follows the head.
    pub fields: Vec<Field>,
}

/// A field of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; `None` if nobody has to know what stands there.
    pub name: Option<String>,
    /// What it is.
    pub form: Form,
    /// What always stands there.
    pub is: Option<Content>,
    /// What is written if nothing is given.
    pub default: Option<Content>,
    /// Whether a frame may end before it.
    pub optional: bool,
}

/// What a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number.
    Number(Integer),
    /// How long something is.
    Measure(Integer, Measure),
    /// UTF-8.
    Text(Extent),
    /// Anything.
    Bytes(Extent),
    /// A UUID (RFC 9562), as its 16 bytes; its object has it as text.
    Uuid,
}

/// Bytes of a UUID.
const UUID_BYTES: usize = 16;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    /// So many bits, 1 to 64, the highest first.
    Bits(u32),
    /// So many bytes, 1 to 8, the lowest first.
    Little(u32),
    /// LEB128: seven bits a byte, the lowest first, as MQTT has it.
    Varint,
}

/// What a number measures, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// What.
    pub of: Measured,
    /// What the number is more than that.
    pub plus: i64,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// All of the frame.
    All,
    /// What follows the number.
    Rest,
    /// A field of this name, which comes later.
    Field(String),
}

/// Where text or bytes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After as many bytes as a number before them says.
    Prefixed(Integer),
    /// After so many.
    Fixed(usize),
    /// At a zero, which is no part of them.
    Zero,
    /// After as many as an earlier field says that measures this one.
    Measured,
    /// With the frame.
    Rest,
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A number.
    Number(u64),
    /// Text, or the hexadecimal digits of bytes.
    Text(String),
}

impl Integer {
    /// The highest number that can be written so.
    #[must_use]
    pub fn max(self) -> u64 {
        match self {
            Self::Bits(bits) => highest(bits),
            Self::Little(bytes) => highest(8 * bytes),
            Self::Varint => u64::MAX,
        }
    }

    /// How many bits it takes; `None` if that depends on the number.
    #[must_use]
    pub fn bits(self) -> Option<u32> {
        match self {
            Self::Bits(bits) => Some(bits),
            Self::Little(bytes) => Some(8 * bytes),
            Self::Varint => None,
        }
    }
}

fn highest(bits: u32) -> u64 {
    u64::MAX
        .checked_shr(64_u32.saturating_sub(bits))
        .unwrap_or_default()
}

impl Layout {
    /// The field of the head that measures the frame, and where it is in the head.
    fn measure(&self) -> Option<(usize, Integer, &Measure)> {
        let mut head = self.head.iter().enumerate();
        head.find_map(|(at, field)| match &field.form {
            Form::Measure(integer, measure) => Some((at, *integer, measure)),
            _ => None,
        })
    }

    /// The kinds of frames.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.packets.iter().map(|packet| packet.name.as_str())
    }
}
