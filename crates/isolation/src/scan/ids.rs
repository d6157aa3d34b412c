//! Ids and tokens that the service made: they hold no canary, so they are named by fingerprint.

use std::ops::Range;

use history::Fingerprint;

use super::runs::{Runs, TOKEN};
use crate::canary::{LONG_LEN, is_marked, symbol, symbols};

/// Hexadecimal digits of a UUID, and so the shortest run that is looked at.
const UUID_DIGITS: usize = 32;
/// Where the hyphens stand, if there are any.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const HYPHENATED_LEN: usize = UUID_DIGITS + HYPHENS.len();
/// Characters of a piece of a token.
pub const PIECE_LEN: usize = 16;

/// Something that the service may have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id<'a> {
    /// A UUID in any spelling.
    Uuid {
        /// Of its 32 digits in lower case.
        fingerprint: Fingerprint,
        /// Its first byte.
        at: usize,
    },
    /// 32 or more token characters that are neither UUID nor canary: perhaps a token, or a piece of one.
    Run {
        /// The characters.
        text: &'a [u8],
        /// The first one's place.
        at: usize,
    },
}

/// Yields all ids in `bytes`, in order of the runs of token characters (`[A-Za-z0-9_-]`) that hold them.
/// Looks closer only where a block of 16 bytes holds neither space nor quote, so that text without long words
/// costs little.
pub fn find<'a>(bytes: &'a [u8], mut yield_id: impl FnMut(Id<'a>)) {
    between(bytes, 0..bytes.len(), &mut yield_id);
}

/// As [`find`], where whole canaries are known to stand at `canaries`, in order: what is between them is looked into, and nothing of a frame
/// that is short but for them.
pub(crate) fn find_beside<'a>(
    bytes: &'a [u8],
    canaries: impl Iterator<Item = Range<usize>>,
    mut yield_id: impl FnMut(Id<'a>),
) {
    let mut from = 0;
    for canary in canaries {
        between(bytes, from..canary.start, &mut yield_id);
        from = from.max(canary.end);
    }
    between(bytes, from..bytes.len(), &mut yield_id);
}

fn between<'a>(bytes: &'a [u8], gap: Range<usize>, yield_id: &mut impl FnMut(Id<'a>)) {
    if gap.len() < UUID_DIGITS {
        return;
    }
    let bytes = &bytes[..gap.end];
    let mut runs = Runs::new(bytes, &TOKEN);
    runs.resume_at(gap.start);
    for run in runs {
        let mut from = run.start;
        while let Some(known) = next_known(bytes, from..run.end) {
            rest(bytes, from..known.start, yield_id);
            if let Some(fingerprint) = uuid_fingerprint(&bytes[known.clone()]) {
                yield_id(Id::Uuid {
                    fingerprint,
                    at: known.start,
                });
            }
            from = known.end;
        }
        rest(bytes, from..run.end, yield_id);
    }
}

fn rest<'a>(bytes: &'a [u8], range: Range<usize>, yield_id: &mut impl FnMut(Id<'a>)) {
    if range.len() >= UUID_DIGITS {
        yield_id(Id::Run {
            text: &bytes[range.clone()],
            at: range.start,
        });
    }
}

/// The first UUID or canary in `range`.
fn next_known(bytes: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let mut at = range.start;
    while at + UUID_DIGITS <= range.end {
        let rest = &bytes[at..range.end];
        if let Some(len) = uuid_len(rest) {
            return Some(at..at + len);
        }
        if is_marked(rest) {
            let before = bytes[range.start..at].iter().rev().take(LONG_LEN);
            let before = before.take_while(|byte| symbol(**byte).is_some()).count();
            let len = symbols(&rest[..rest.len().min(LONG_LEN)]);
            return Some(at - before..at + len);
        }
        at += 1;
    }
    None
}

/// Length of the UUID that `bytes` begin with: 36 with hyphens, 32 without (and then no further digit
/// follows).
fn uuid_len(bytes: &[u8]) -> Option<usize> {
    let hyphenated = bytes.get(..HYPHENATED_LEN).is_some_and(|text| {
        text.iter().enumerate().all(|(at, byte)| {
            if HYPHENS.contains(&at) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
    });
    if hyphenated {
        return Some(HYPHENATED_LEN);
    }
    let digits = bytes.iter().take(UUID_DIGITS).all(u8::is_ascii_hexdigit);
    let ends = !bytes.get(UUID_DIGITS).is_some_and(u8::is_ascii_hexdigit);
    (bytes.len() >= UUID_DIGITS && digits && ends).then_some(UUID_DIGITS)
}

/// The fingerprint of the one UUID in `text`, whatever its spelling (hyphens, case, braces, `urn:uuid:`):
/// that of its 32 digits in lower case; `None` if `text` is no UUID.
#[must_use]
pub fn uuid_fingerprint(text: &[u8]) -> Option<Fingerprint> {
    let text = match text.get(..9) {
        Some(urn) if urn.eq_ignore_ascii_case(b"urn:uuid:") => &text[9..],
        _ => text
            .strip_prefix(b"{")
            .and_then(|inner| inner.strip_suffix(b"}"))
            .unwrap_or(text),
    };
    if uuid_len(text) != Some(text.len()) {
        return None;
    }
    let mut digits = [0; UUID_DIGITS];
    for (digit, byte) in digits.iter_mut().zip(text.iter().filter(|byte| **byte != b'-')) {
        *digit = byte.to_ascii_lowercase();
    }
    Some(Fingerprint::of(&digits))
}

/// What a token leaves behind when a piece of it turns up: the fingerprints of its 16-character pieces at
/// stride 16. Of a JWT (three parts, divided by dots) only the signature, since headers and claims are alike;
/// of any other token, all.
#[must_use]
pub fn pieces_of_token(token: &str) -> Vec<Fingerprint> {
    let mut parts = token.split('.');
    let own = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(signature), None) => signature,
        _ => token,
    };
    own.as_bytes()
        .chunks_exact(PIECE_LEN)
        .map(Fingerprint::of)
        .collect()
}

/// Fingerprints of the 16 characters at every place of `run`: any 31 of a token's characters in a row hold
/// one of [`pieces_of_token`].
pub fn grams(run: &[u8]) -> impl Iterator<Item = Fingerprint> + '_ {
    run.windows(PIECE_LEN).map(Fingerprint::of)
}
