//! Canaries that the pieces of a stream hide from one another.

use super::scanner::{Hit, Medium, Scanned, Scanner};
use crate::canary::{Found, LONG_LEN};

/// Most bytes that one is dressed in while it is found over the end of a piece: hexadecimal digits three times over, or
/// escapes once. Escapes within escapes are longer, and are found within one piece alone.
const EXPANSION_MAX: usize = 8;
/// Bytes of the past that a stream keeps: a canary less its last character, times the encoding's expansion.
const CARRY_MAX: usize = (LONG_LEN - 1) * EXPANSION_MAX;
/// No encoded canary goes on over these.
const BREAKERS: &[u8] = b"\"{}[]<>()";

/// Scans the pieces of one stream as if they were one.
///
/// It keeps what the last piece ended with as far as that could be the beginning of something: nothing after
/// a complete JSON document. Each hit is told once, with its place in the whole stream; the beginning of a
/// canary is told when it is clear that the rest does not come.
#[derive(Debug)]
pub struct StreamScanner {
    medium: Medium,
    carry: Vec<u8>,
    /// Bytes of the stream before `carry`.
    base: u64,
    /// Whole canaries that were told and reach into `carry`.
    told: Vec<Hit>,
}

impl StreamScanner {
    /// A stream that has not begun.
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        Self {
            medium,
            carry: Vec::new(),
            base: 0,
            told: Vec::new(),
        }
    }

    /// As [`Self::feed`], for a piece that may be of another kind than those before it.
    pub(crate) fn feed_as<'s>(
        &mut self,
        medium: Medium,
        scanner: &'s mut Scanner,
        piece: &[u8],
    ) -> Scanned<'s> {
        self.medium = medium;
        self.feed(scanner, piece)
    }

    /// Scans the next piece together with what was kept.
    pub fn feed<'s>(&mut self, scanner: &'s mut Scanner, piece: &[u8]) -> Scanned<'s> {
        if self.carry.is_empty() {
            let opaque = scanner.scan(piece, self.medium).opaque;
            let kept = keep(piece);
            self.tell(scanner, (piece.len() - kept) as u64);
            self.carry.extend_from_slice(&piece[piece.len() - kept..]);
            self.base += (piece.len() - kept) as u64;
            return Scanned {
                hits: scanner.hits(),
                opaque,
            };
        }
        let mut joined = std::mem::take(&mut self.carry);
        joined.extend_from_slice(piece);
        let opaque = scanner.scan(&joined, self.medium).opaque;
        let gone = joined.len() - keep(&joined);
        self.tell(scanner, gone as u64);
        joined.drain(..gone);
        self.base += gone as u64;
        joined.shrink_to(CARRY_MAX);
        self.carry = joined;
        Scanned {
            hits: scanner.hits(),
            opaque,
        }
    }

    /// Ends the stream: what was kept is all there is.
    pub fn finish(mut self, scanner: &mut Scanner) -> Scanned<'_> {
        let opaque = scanner.scan(&self.carry, self.medium).opaque;
        self.tell(scanner, u64::MAX);
        Scanned {
            hits: scanner.hits(),
            opaque,
        }
    }

    /// Bytes that have come.
    pub(crate) fn len(&self) -> u64 {
        self.base + self.carry.len() as u64
    }

    /// Bytes that are kept, at most a few hundred.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.carry.len()
    }

    /// Leaves those hits that are new and certain, at their places in the stream. `kept_from` is where, in
    /// what was scanned, that part begins which is kept and will be scanned again.
    fn tell(&mut self, scanner: &mut Scanner, kept_from: u64) {
        let base = self.base;
        let told = &mut self.told;
        scanner.hits_mut().retain_mut(|hit| {
            let pending = hit.offset >= kept_from;
            hit.offset += base;
            hit.end += base;
            match hit.found {
                Found::Whole(_) => !is_told(told, hit),
                Found::Head(_) | Found::Fragment(_) => !pending,
            }
        });
        told.retain(|hit| hit.end >= base.saturating_add(kept_from));
    }
}

/// Whether `hit` goes on with one that was told; now it is.
fn is_told(told: &mut Vec<Hit>, hit: &Hit) -> bool {
    let earlier = told
        .iter_mut()
        .find(|told| told.found == hit.found && hit.offset <= told.end && told.offset <= hit.end);
    let Some(earlier) = earlier else {
        told.push(*hit);
        return false;
    };
    earlier.end = earlier.end.max(hit.end);
    true
}

/// How many of the last bytes could be the beginning of something.
fn keep(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .take(CARRY_MAX)
        .take_while(|byte| !BREAKERS.contains(byte))
        .count()
}
