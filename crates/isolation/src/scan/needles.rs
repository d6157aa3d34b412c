//! What is searched for: the marker in every dress that has a constant look.
//!
//! All of these looks but one hold the marker's first letter, in one case or the other: the plain ones do,
//! and the marker was chosen so that its base64 does at each alignment. The letter is rare, and so one search
//! for a letter in either case finds them all. What it does not find, hexadecimal digits, is one more needle: without the
//! first letter the marker's digits have no letters in them, and so no case. Fourteen of them hold a whole aligned word of four
//! wherever they begin, so that a look at the words, in a loop that the compiler turns into vector code, tells where to search.
//! (One loop that looks for letters and words was slower than two.)

use std::sync::LazyLock;

#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::avx2::memchr::Two;
use memchr::memchr2_iter;
use memchr::memmem::Finder;

use crate::canary::{MARKER, MARKER_LEN, is_marked};

use super::split::separator_after;

/// Characters of a base64 needle: those that hold nothing but bits of the marker.
const BASE64_LEN: usize = 10;

/// What a needle's occurrence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needle {
    /// The marker in any case.
    Plain,
    /// The marker, last character first.
    Reversed,
    /// The marker with a zero byte between each two characters: either byte order.
    Utf16,
    /// The marker with separators in it.
    Split,
    /// The marker's bytes in hexadecimal digits.
    Hex,
    /// Base64 that covers the marker; the needle begins with this character of a group of four.
    Base64 {
        /// 0, 2 or 3.
        phase: usize,
    },
}

/// Base64 of the marker: the characters that hold its bits alone.
#[derive(Debug)]
struct Base64Needle {
    text: &'static [u8; BASE64_LEN],
    /// Where the letter stands in it.
    anchor: usize,
    phase: usize,
}

/// For a marker that begins none, one and two bytes after a group of three does.
const BASE64: [Base64Needle; 3] = [
    Base64Needle {
        text: b"ejNxeDd2dz",
        anchor: 9,
        phase: 0,
    },
    Base64Needle {
        text: b"ozcXg3dnc2",
        anchor: 1,
        phase: 2,
    },
    Base64Needle {
        text: b"6M3F4N3Z3N",
        anchor: 7,
        phase: 3,
    },
];

static HEX: LazyLock<Finder<'static>> = LazyLock::new(|| {
    let digits: String = MARKER[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    Finder::new(&digits).into_owned()
});

impl Base64Needle {
    /// Where it begins, if the letter at `at` is its.
    fn around(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let start = at.checked_sub(self.anchor)?;
        let own = bytes[at] == self.text[self.anchor] && bytes[start..].starts_with(self.text);
        own.then_some(start)
    }
}

/// Bytes in which one search follows the other: few enough to be at hand the second time.
const BLOCK_LEN: usize = 32 * 1024;
/// Bytes whose words are looked at together.
const PIECE_LEN: usize = 128;
/// Bits in which words of the marker's digits agree, at least one for each place where the digits may begin within a word, and
/// what these bits are. Of words of random hexadecimal digits, one in a thousand agrees too.
const WORD_BITS: u32 = u32::from_le_bytes([0xfe, 0xfe, 0xfa, 0xfa]);
const WORD: u32 = u32::from_le_bytes([0x36, 0x36, 0x32, 0x32]);

/// Puts all places where a needle begins into `found`, in order.
pub(super) fn find(bytes: &[u8], found: &mut Vec<(usize, Needle)>) {
    found.clear();
    let (mut sorted, mut searched) = (true, 0);
    for from in (0..bytes.len()).step_by(BLOCK_LEN) {
        let to = bytes.len().min(from + BLOCK_LEN);
        each_letter(&bytes[from..to], |at| {
            if may_be_needle(bytes, from + at) {
                found.extend(around(bytes, from + at));
            }
        });
        let lettered = found.len();
        let (pieces, rest) = bytes[from..to].as_chunks::<PIECE_LEN>();
        for (nth, _) in pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| may_hold_digits(piece))
        {
            digits(bytes, from + nth * PIECE_LEN, &mut searched, found);
        }
        if !rest.is_empty() {
            digits(bytes, to - rest.len(), &mut searched, found);
        }
        sorted &= lettered == found.len();
    }
    if !sorted {
        found.sort_by_key(|(at, _)| *at);
    }
}

/// The marker's first letter, in either case.
const LETTERS: [u8; 2] = [MARKER[0], MARKER[0].to_ascii_uppercase()];

/// For a processor that has AVX2: what [`memchr2_iter`] comes to there, without finding that out anew after each letter.
#[cfg(target_arch = "x86_64")]
static AVX2: LazyLock<Option<Two>> = LazyLock::new(|| Two::new(LETTERS[0], LETTERS[1]));

/// Tells where the marker's first letter stands.
fn each_letter(bytes: &[u8], found: impl FnMut(usize)) {
    #[cfg(target_arch = "x86_64")]
    if let Some(letters) = &*AVX2 {
        return letters.iter(bytes).for_each(found);
    }
    memchr2_iter(LETTERS[0], LETTERS[1], bytes).for_each(found);
}

/// Whether any needle occurs: the pass that every scan begins with, and all that most bytes need. (Canaries
/// may be there all the same, under escapes or within two layers of dress.)
#[must_use]
pub fn holds_needle(bytes: &[u8]) -> bool {
    let mut found = Vec::new();
    find(bytes, &mut found);
    !found.is_empty()
}

/// Whether a word of the marker's digits may be there.
fn may_hold_digits(piece: &[u8; PIECE_LEN]) -> bool {
    let mut any = 0;
    for word in piece.as_chunks::<4>().0 {
        any |= u32::from(u32::from_le_bytes(*word) & WORD_BITS == WORD);
    }
    any != 0
}

/// Puts the places where the marker's hexadecimal digits begin, as far as they have something in common with the piece at
/// `piece`; places before `searched` are known.
fn digits(bytes: &[u8], piece: usize, searched: &mut usize, found: &mut Vec<(usize, Needle)>) {
    let from = piece.saturating_sub(HEX.needle().len()).max(*searched);
    let to = bytes.len().min(piece + PIECE_LEN + HEX.needle().len());
    for at in HEX.find_iter(&bytes[from..to]) {
        *searched = from + at + 1;
        // the digits of the first letter stand before
        let start = (from + at).checked_sub(2);
        found.extend(
            start
                .filter(|start| bytes[*start..from + at].eq_ignore_ascii_case(b"7a"))
                .map(|start| (start, Needle::Hex)),
        );
    }
}

/// The needle that the letter at `at` is part of, and where it begins.
fn around(bytes: &[u8], at: usize) -> Option<(usize, Needle)> {
    let rest = &bytes[at..];
    if is_marked(rest) {
        return Some((at, Needle::Plain));
    }
    if is_reversed(&bytes[..=at]) {
        return Some((at + 1 - MARKER_LEN, Needle::Reversed));
    }
    if is_wide(rest) {
        return Some((at, Needle::Utf16));
    }
    if is_split(bytes, at) {
        return Some((at, Needle::Split));
    }
    BASE64
        .iter()
        .find_map(|needle| Some((needle.around(bytes, at)?, Needle::Base64 { phase: needle.phase })))
}

/// Whether a needle could have the letter's neighbours: a look that saves most of the others.
#[inline]
fn may_be_needle(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let after = bytes.get(at + 1);
    matches!(before, Some(b'3' | b'd' | b'o'))
        || !after.is_some_and(|byte| byte.is_ascii_graphic() && !b"3-\\".contains(byte))
}

fn is_reversed(until: &[u8]) -> bool {
    until.len() >= MARKER_LEN
        && until
            .iter()
            .rev()
            .zip(MARKER)
            .all(|(byte, own)| byte.eq_ignore_ascii_case(own))
}

fn is_wide(from: &[u8]) -> bool {
    let own = |(at, byte): (usize, &u8)| match at % 2 {
        0 => byte.eq_ignore_ascii_case(&MARKER[at / 2]),
        _ => *byte == 0,
    };
    let wide_len = 2 * MARKER_LEN - 1;
    from.get(..wide_len)
        .is_some_and(|wide| wide.iter().enumerate().all(own))
}

fn is_split(bytes: &[u8], at: usize) -> bool {
    let mut next = at;
    MARKER[1..].iter().all(|own| {
        next += 1;
        next += separator_after(bytes, next);
        bytes.get(next).is_some_and(|byte| byte.eq_ignore_ascii_case(own))
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::{BASE64, BASE64_LEN, BLOCK_LEN, HEX, Needle, PIECE_LEN, WORD, WORD_BITS, find};
    use crate::canary::{MARKER, MARKER_LEN};

    const ANCHORS: [u8; 2] = [MARKER[0], MARKER[0].to_ascii_uppercase()];

    #[test]
    fn base64_looks_like_that() {
        for (shift, needle) in BASE64.iter().enumerate() {
            let mut bytes = vec![0; shift];
            bytes.extend_from_slice(MARKER);
            let first = (8 * shift).div_ceil(6);
            let text = &STANDARD_NO_PAD.encode(bytes)[first..first + BASE64_LEN];
            assert_eq!(text.as_bytes(), needle.text);
            assert_eq!(first % 4, needle.phase);
            assert!(ANCHORS.contains(&needle.text[needle.anchor]), "{needle:?}");
            assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{needle:?}"
            );
        }
    }

    /// Wherever a needle stands, the seams of the blocks included, it is found, and in order.
    #[test]
    fn seams_hide_nothing() {
        let mut found = Vec::new();
        let hex: String = MARKER.iter().map(|byte| format!("{byte:02X}")).collect();
        for seam in [BLOCK_LEN, 2 * BLOCK_LEN] {
            for at in seam - 2 * MARKER_LEN - 1..=seam + 1 {
                let mut bytes = vec![b' '; 3 * BLOCK_LEN];
                bytes[at..at + hex.len()].copy_from_slice(hex.as_bytes());
                bytes[at + 40..at + 40 + MARKER_LEN].copy_from_slice(MARKER);
                bytes[5..5 + BASE64_LEN].copy_from_slice(BASE64[1].text);
                find(&bytes, &mut found);
                let expect = [
                    (5, Needle::Base64 { phase: 2 }),
                    (at, Needle::Hex),
                    (at + 40, Needle::Plain),
                ];
                assert_eq!(found, expect);
            }
        }
    }

    /// Wherever the digits begin, they are found, and once.
    #[test]
    fn words_hide_nothing() {
        let mut found = Vec::new();
        let hex: String = MARKER.iter().map(|byte| format!("{byte:02x}")).collect();
        for len in [hex.len(), PIECE_LEN, 3 * PIECE_LEN, 3 * PIECE_LEN + 40] {
            for at in 0..=len - hex.len() {
                let mut bytes = vec![b'7'; len];
                bytes[at..at + hex.len()].copy_from_slice(hex.as_bytes());
                find(&bytes, &mut found);
                assert_eq!(found, [(at, Needle::Hex)], "{len} bytes");
            }
        }
    }

    #[test]
    fn digits_hold_an_aligned_word_wherever_they_begin() {
        for before in 0..4 {
            let words = HEX.needle()[before..].as_chunks::<4>().0;
            let agrees = |word: &[u8; 4]| u32::from_le_bytes(*word) & WORD_BITS == WORD;
            assert!(words.iter().any(agrees), "{before}");
        }
    }

    #[test]
    fn hexadecimal_digits_have_no_case() {
        assert!(HEX.needle().iter().all(u8::is_ascii_digit));
    }
}
