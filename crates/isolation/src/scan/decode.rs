//! Takes off the layers that are runs of characters: base64, hexadecimal, lists of integers.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::runs::BASE64;

/// Fewest integers in a list that are taken for bytes.
const INTEGERS_MIN: usize = 12;

/// Most characters of one item of a list of bytes: `0x7a`.
const GROUP_MAX: usize = 4;

/// Takes pieces of base64 too: no padding, and bits left over at the end.
static LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The end of the base64 that begins at `start`: over line breaks (also as JSON spells them) and `\/`.
pub(super) fn base64_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    loop {
        end += bytes[end..].iter().take_while(|byte| BASE64.has(**byte)).count();
        match character(bytes, end) {
            Some((_, next)) => end = next,
            None => return end,
        }
    }
}

/// All base64 around `at`, which is in it, but not before `floor`.
pub(super) fn base64_around(bytes: &[u8], at: usize, floor: usize) -> Range<usize> {
    let mut start = at;
    while start > floor {
        let before = &bytes[floor..start];
        let broken = line_break_before(before);
        let kept = &before[..before.len() - broken];
        match kept {
            [.., b'\\', b'/'] => start -= broken + 2,
            [.., last] if BASE64.has(*last) => start -= broken + 1,
            _ => break,
        }
    }
    start..base64_end(bytes, at)
}

/// The base64 character at `at` or behind the line break there, and the place after it.
fn character(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let at = at + line_break(bytes.get(at..)?);
    match bytes.get(at..)? {
        [b'\\', b'/', ..] => Some((b'/', at + 2)),
        [byte, ..] if BASE64.has(*byte) => Some((*byte, at + 1)),
        _ => None,
    }
}

/// Length of the line break, with the next line's indentation, that `bytes` begin with.
fn line_break(bytes: &[u8]) -> usize {
    let mut len = 0;
    loop {
        len += match &bytes[len..] {
            [b'\n' | b'\r', ..] => 1,
            [b'\\', b'n' | b'r', ..] => 2,
            [b' ' | b'\t', ..] if len > 0 => 1,
            _ => return len,
        };
    }
}

/// Length of the line break that `bytes` end with.
fn line_break_before(bytes: &[u8]) -> usize {
    let blank = bytes
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let mut len = blank;
    loop {
        len += match &bytes[..bytes.len() - len] {
            [.., b'\n' | b'\r'] => 1,
            [.., b'\\', b'n' | b'r'] => 2,
            _ if len > blank => return len,
            _ => return 0,
        };
    }
}

/// How many base64 characters stand in `run`.
pub(super) fn base64_characters(bytes: &[u8], run: Range<usize>) -> usize {
    let mut at = run.start;
    let mut count = 0;
    while let Some((_, next)) = character(bytes, at).filter(|(_, next)| *next <= run.end) {
        at = next;
        count += 1;
    }
    count
}

/// Decodes the base64 in `run` into `out`, its first character taken for number `phase` of a group of four;
/// bytes that the run holds in part are left out.
pub(super) fn base64(bytes: &[u8], run: Range<usize>, phase: usize, out: &mut Vec<u8>) {
    let mut text = vec![b'A'; phase];
    text.reserve(run.len());
    let mut at = run.start;
    while let Some((byte, next)) = character(bytes, at).filter(|(_, next)| *next <= run.end) {
        text.push(match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
        at = next;
    }
    if text.len() % 4 == 1 {
        text.pop();
    }
    out.clear();
    // Every character is of the alphabet and the length is possible, so this cannot fail.
    if LENIENT.decode_vec(&text, out).is_ok() {
        out.drain(..phase.min(out.len()));
    }
}

/// All hexadecimal digits around `core`.
pub(super) fn hex_around(bytes: &[u8], core: Range<usize>) -> Range<usize> {
    let after = bytes[core.end..]
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let before = bytes[..core.start]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    core.start - before..core.end + after
}

/// Decodes pairs of hexadecimal digits, over everything else, into `out`. An odd last digit is left out.
pub(super) fn hex(digits: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut high = None;
    for digit in digits.iter().filter_map(|byte| char::from(*byte).to_digit(16)) {
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push((high << 4 | digit) as u8),
        }
    }
}

/// Whether a list of bytes (`0x7a, 51`) begins or ends here, and no UUID: its groups are short.
pub(super) fn may_be_list(bytes: &[u8]) -> bool {
    let short = |bytes: &[u8]| bytes.iter().any(|byte| !byte.is_ascii_alphanumeric());
    let group = GROUP_MAX + 1;
    bytes.len() >= group && (short(&bytes[..group]) || short(&bytes[bytes.len() - group..]))
}

/// Decodes a dump of bytes (`7a 37`, `7A:37`, `0x7a, 0x37`) into `out`; empty if it is none.
pub(super) fn dump(bytes: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for group in bytes.split(|byte| !byte.is_ascii_hexdigit() && !matches!(byte, b'x' | b'X')) {
        let digits = group
            .strip_prefix(b"0x")
            .or_else(|| group.strip_prefix(b"0X"))
            .unwrap_or(group);
        match digits {
            [] => {}
            [high, low] => match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
                (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
                _ => return out.clear(),
            },
            // An address or a count beside the bytes.
            _ => {}
        }
    }
}

/// Decodes a list of at least [`INTEGERS_MIN`] decimal integers from 0 to 255 into `out`; empty if there is
/// none.
pub(super) fn integers(bytes: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let separator = |byte: &u8| matches!(byte, b',' | b';' | b' ' | b'\t' | b'\r' | b'\n');
    for group in bytes.split(separator).filter(|group| !group.is_empty()) {
        match std::str::from_utf8(group).ok().and_then(|text| text.parse().ok()) {
            Some(byte) => out.push(byte),
            None if out.len() >= INTEGERS_MIN => return,
            None => out.clear(),
        }
    }
    if out.len() < INTEGERS_MIN {
        out.clear();
    }
}
