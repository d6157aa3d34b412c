//! What may be strewn into a string without changing how it reads: white space, hyphens, zero-width
//! characters.

/// Longest run of separators between two symbols, in bytes.
const SEPARATORS_MAX: usize = 32;

/// Separators of more than one byte: UTF-8 of the no-break space, soft hyphen, combining grapheme joiner, the
/// zero-width characters, hyphens, line separators and byte order mark; and white space as JSON spells it.
const LONG: [&[u8]; 19] = [
    b"\\n",
    b"\\r",
    b"\\t",
    "\u{a0}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{34f}".as_bytes(),
    "\u{180e}".as_bytes(),
    "\u{2009}".as_bytes(),
    "\u{200a}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200c}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{200e}".as_bytes(),
    "\u{200f}".as_bytes(),
    "\u{2010}".as_bytes(),
    "\u{2011}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{2060}".as_bytes(),
    "\u{feff}".as_bytes(),
];

fn is_short(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'-'
}

/// Bytes of separators that begin at `at`.
pub(super) fn separator_after(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while end - at < SEPARATORS_MAX {
        match bytes.get(end) {
            Some(byte) if is_short(*byte) => end += 1,
            Some(byte) if *byte == b'\\' || *byte >= 0x80 => {
                match LONG.iter().find(|long| bytes[end..].starts_with(long)) {
                    Some(long) => end += long.len(),
                    None => break,
                }
            }
            _ => break,
        }
    }
    end - at
}

/// Bytes of separators that end before `at`.
pub(super) fn separator_before(bytes: &[u8], at: usize) -> usize {
    let mut start = at;
    while at - start < SEPARATORS_MAX {
        let before = &bytes[..start];
        match before.last() {
            Some(byte) if is_short(*byte) => start -= 1,
            Some(_) => match LONG.iter().find(|long| before.ends_with(long)) {
                Some(long) => start -= long.len(),
                None => break,
            },
            None => break,
        }
    }
    at - start
}
