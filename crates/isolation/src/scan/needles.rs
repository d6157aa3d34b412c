//! What is searched for: the marker in every dress that has a constant look.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::canary::{MARKER, MARKER_LEN};

/// Characters of a base64 needle: those that hold nothing but bits of the marker.
const BASE64_LEN: usize = 10;

/// What a needle's occurrence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needle {
    /// The marker in one case.
    Plain,
    /// The marker, last character first.
    Reversed,
    /// The marker with a zero byte between each two characters: either byte order.
    Utf16,
    /// The marker's bytes in hexadecimal digits.
    Hex,
    /// Base64 that covers the marker; the needle begins with this character of a group of four.
    Base64 {
        /// 0, 2 or 3.
        phase: usize,
    },
}

static NEEDLES: LazyLock<(AhoCorasick, Vec<Needle>)> = LazyLock::new(|| {
    let (patterns, kinds): (Vec<_>, Vec<_>) = all().into_iter().unzip();
    #[expect(
        clippy::expect_used,
        reason = "a dozen constant patterns are within the library's limits"
    )]
    let searcher = AhoCorasick::new(patterns).expect("constant patterns");
    (searcher, kinds)
});

/// All places where a needle begins.
pub(super) fn find(bytes: &[u8]) -> impl Iterator<Item = (usize, Needle)> + '_ {
    let (searcher, kinds) = &*NEEDLES;
    searcher
        .find_iter(bytes)
        .map(|found| (found.start(), kinds[found.pattern().as_usize()]))
}

fn all() -> Vec<(Vec<u8>, Needle)> {
    let lower = MARKER.to_vec();
    let upper = MARKER.to_ascii_uppercase();
    let mut needles = Vec::new();
    for plain in [&lower, &upper] {
        needles.push((plain.clone(), Needle::Plain));
        needles.push((plain.iter().rev().copied().collect(), Needle::Reversed));
        let wide: Vec<u8> = plain.iter().flat_map(|byte| [*byte, 0]).collect();
        needles.push((wide[..2 * MARKER_LEN - 1].to_vec(), Needle::Utf16));
    }
    let hex: String = lower.iter().map(|byte| format!("{byte:02x}")).collect();
    needles.push((hex.to_ascii_uppercase().into_bytes(), Needle::Hex));
    needles.push((hex.into_bytes(), Needle::Hex));
    for shift in 0..3 {
        needles.push(base64(shift));
    }
    needles
}

/// The characters that hold the marker's bits alone if it begins `shift` bytes after a group of three.
fn base64(shift: usize) -> (Vec<u8>, Needle) {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(MARKER);
    let text = STANDARD_NO_PAD.encode(bytes);
    let first = (8 * shift).div_ceil(6);
    (
        text.as_bytes()[first..first + BASE64_LEN].to_vec(),
        Needle::Base64 { phase: first % 4 },
    )
}
