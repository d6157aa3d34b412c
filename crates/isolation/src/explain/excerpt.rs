//! The bytes around a hit, fit to be printed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Needle;
use crate::scan::{Medium, Scanner, ids};

/// Characters of an excerpt.
const EXCERPT_MAX: usize = 240;
/// Characters of the hit that are shown.
const HIT_MAX: usize = 160;

/// A part of a message, fit to be printed: what is no UTF-8 or a control character is replaced by U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// At most 240 characters.
    pub text: String,
    /// Which bytes of `text` are the canary or the id; `None` if it is spread over several messages.
    pub highlight: Option<Range<usize>>,
}

impl Excerpt {
    /// Around the hit in `bytes`, or from their beginning.
    pub(super) fn of(bytes: &[u8], hit: Option<Range<usize>>) -> Self {
        let Some(hit) = hit else {
            return Self {
                text: printable(bytes).take(EXCERPT_MAX).collect(),
                highlight: None,
            };
        };
        let shown: String = printable(&bytes[hit.clone()]).take(HIT_MAX).collect();
        let room = EXCERPT_MAX - shown.chars().count();
        let mut before: Vec<char> = printable(tail(&bytes[..hit.start])).collect();
        let after: Vec<char> = printable(head(&bytes[hit.end..])).collect();
        let right = after.len().min((room / 2).max(room.saturating_sub(before.len())));
        before.drain(..before.len().saturating_sub(room - right));
        let mut text: String = before.into_iter().collect();
        let start = text.len();
        text.push_str(&shown);
        let highlight = Some(start..text.len());
        text.extend(&after[..right]);
        Self { text, highlight }
    }
}

/// Bytes that surely hold more characters than are shown.
const ENOUGH: usize = 4 * EXCERPT_MAX;

fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(ENOUGH)]
}

fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(ENOUGH)..]
}

fn printable(bytes: &[u8]) -> impl Iterator<Item = char> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let replace = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(replace).collect::<Vec<_>>().into_iter()
}

/// Where a needle stands in `bytes`.
pub(super) fn find(scanner: &mut Scanner, bytes: &[u8], needle: Needle) -> Option<Range<usize>> {
    match needle {
        Needle::Canary { owner, .. } => {
            let scanned = scanner.scan(bytes, Medium::Binary);
            let hit = scanned.hits.iter().find(|hit| hit.found.owner() == Some(owner))?;
            let end = (hit.end as usize).min(bytes.len());
            Some((hit.offset as usize).min(end)..end)
        }
        Needle::Identifier(wanted) => {
            let mut found = None;
            ids::find(bytes, |id| match id {
                ids::Id::Uuid { fingerprint, at } if fingerprint == wanted => {
                    found.get_or_insert(at..uuid_end(bytes, at));
                }
                ids::Id::Run { text, at } => {
                    if let Some(gram) = ids::grams(text).position(|gram| gram == wanted) {
                        found.get_or_insert(at + gram..at + gram + ids::PIECE_LEN);
                    }
                }
                ids::Id::Uuid { .. } => {}
            });
            found
        }
    }
}

/// The end of the UUID that begins at `at`, with hyphens or without.
fn uuid_end(bytes: &[u8], at: usize) -> usize {
    let len = if bytes.get(at + 8) == Some(&b'-') { 36 } else { 32 };
    (at + len).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], hit: Range<usize>, expect: &str) {
        let excerpt = Excerpt::of(bytes, Some(hit));
        assert!(excerpt.text.chars().count() <= EXCERPT_MAX);
        assert_eq!(
            excerpt
                .highlight
                .map(|range| excerpt.text[range].to_owned())
                .as_deref(),
            Some(expect)
        );
    }

    #[test]
    fn a_short_message_is_shown_whole() {
        let excerpt = Excerpt::of(b"{\"x\":\"secret\"}", Some(6..12));
        assert_eq!(
            (excerpt.text.as_str(), excerpt.highlight),
            ("{\"x\":\"secret\"}", Some(6..12))
        );
    }

    #[test]
    fn a_long_message_is_cut_around_the_hit() {
        let bytes = ["a".repeat(1000), "secret".into(), "b".repeat(1000)].concat();
        check(bytes.as_bytes(), 1000..1006, "secret");
        check(bytes.as_bytes(), 0..1, "a");
        check(bytes.as_bytes(), 2005..2006, "b");
        assert_eq!(Excerpt::of(bytes.as_bytes(), Some(0..1)).text.len(), EXCERPT_MAX);
        assert_eq!(
            Excerpt::of(bytes.as_bytes(), Some(1000..1006)).text.len(),
            EXCERPT_MAX
        );
    }

    #[test]
    fn a_long_hit_is_cut_too() {
        check("x".repeat(900).as_bytes(), 100..600, &"x".repeat(HIT_MAX));
    }

    #[test]
    fn what_would_steer_a_terminal_is_replaced() {
        check(b"\x1b[2J\xff\xfesecret", 6..12, "secret");
        assert!(!Excerpt::of(b"\x1b[2J", None).text.contains('\x1b'));
    }
}
