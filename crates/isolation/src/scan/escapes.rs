//! Takes off escapes: percent-encoding, JSON's, HTML's character references.

use memchr::memchr3;

use super::encoding::Layer;
use super::layer::Point;
use super::rare;

/// Most characters of an HTML character reference: `&#x10ffff;`.
const REFERENCE_MAX: usize = 10;

/// Text without its escapes.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    pub(super) bytes: Vec<u8>,
    pub(super) points: Vec<Point>,
    counts: [usize; 3],
}

/// One escape: what it stands for, how long it is, which kind.
struct Escape {
    char: Decoded,
    len: usize,
    layer: Layer,
}

enum Decoded {
    Byte(u8),
    Char(char),
}

impl Unescaped {
    /// Takes all escapes off `bytes`; `None` if none of them could hide a canary.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let mut hidden = false;
        let mut skip = 0;
        let begins = |byte| (byte == b'%') | (byte == b'\\') | (byte == b'&');
        rare::each(bytes, begins, |at| {
            if !hidden && at >= skip {
                let escape = escape(&bytes[at..]);
                skip = at + escape.as_ref().map_or(1, |escape| escape.len);
                hidden = escape.is_some_and(|escape| escape.hides());
            }
        });
        hidden.then(|| Self::all(bytes))
    }

    fn all(bytes: &[u8]) -> Self {
        let mut all = Self::default();
        let mut at = 0;
        while let Some(gap) = memchr3(b'%', b'\\', b'&', &bytes[at..]) {
            all.bytes.extend_from_slice(&bytes[at..at + gap]);
            at += gap;
            let Some(escape) = escape(&bytes[at..]) else {
                all.bytes.push(bytes[at]);
                at += 1;
                continue;
            };
            at += escape.len;
            all.take(&escape, at);
        }
        all.bytes.extend_from_slice(&bytes[at..]);
        all
    }

    fn take(&mut self, escape: &Escape, outer: usize) {
        match escape.char {
            Decoded::Byte(byte) => self.bytes.push(byte),
            Decoded::Char(char) => self
                .bytes
                .extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        self.points.push(Point {
            outer,
            inner: self.bytes.len(),
        });
        let kind = match escape.layer {
            Layer::Percent => 0,
            Layer::Html => 1,
            _ => 2,
        };
        self.counts[kind] += 1;
    }

    /// The kind of most escapes.
    pub(super) fn layer(&self) -> Layer {
        let [percent, html, unicode] = self.counts;
        if percent > html.max(unicode) {
            Layer::Percent
        } else if html > unicode {
            Layer::Html
        } else {
            Layer::Unicode
        }
    }
}

impl Escape {
    /// Whether a canary, an encoding of one, or a separator within could be written with it. Line breaks and
    /// `\/`, which JSON is full of, are read over without this; escaped quotes are in no canary.
    fn hides(&self) -> bool {
        match self.char {
            Decoded::Byte(_) => true,
            Decoded::Char('\n' | '\r' | '\t' | '/' | '"') => self.len > 2,
            Decoded::Char('\u{8}' | '\u{c}') => false,
            Decoded::Char('\\') => self.layer == Layer::Unicode,
            Decoded::Char(char) => char.is_ascii() || may_separate(char),
        }
    }
}

/// Whether `char` is in a range that holds the separators beyond ASCII.
fn may_separate(char: char) -> bool {
    let ranges = [
        '\u{a0}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{180e}'..='\u{180e}',
        '\u{2000}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
    ];
    ranges.iter().any(|range| range.contains(&char))
}

/// The escape that `bytes` begin with.
fn escape(bytes: &[u8]) -> Option<Escape> {
    match bytes {
        [b'%', high, low, ..] => {
            let byte = hex(&[*high, *low])? as u8;
            Some(Escape {
                char: Decoded::Byte(byte),
                len: 3,
                layer: Layer::Percent,
            })
        }
        [b'\\', b'u', digits @ ..] => {
            let code = hex(digits.get(..4)?)?;
            // Half of a surrogate pair stands for nothing that matters here.
            let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            Some(Escape {
                char: Decoded::Char(char),
                len: 6,
                layer: Layer::Unicode,
            })
        }
        [b'\\', short, ..] => {
            let char = match short {
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'/' => '/',
                b'"' => '"',
                b'\\' => '\\',
                _ => return None,
            };
            Some(Escape {
                char: Decoded::Char(char),
                len: 2,
                layer: Layer::Unicode,
            })
        }
        [b'&', ..] => reference(bytes),
        _ => None,
    }
}

/// The HTML character reference that `bytes` begin with, numeric or one of XML's five.
fn reference(bytes: &[u8]) -> Option<Escape> {
    let name_len = bytes[1..]
        .iter()
        .take(REFERENCE_MAX)
        .position(|byte| *byte == b';')?;
    let char = match &bytes[1..=name_len] {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        b"shy" => '\u{ad}',
        _ => return None,
    };
    Some(Escape {
        char: Decoded::Char(char),
        len: name_len + 2,
        layer: Layer::Html,
    })
}

/// The value of one to eight hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}
