//! What stands around a marker.

use std::ops::Range;

use crate::canary::{BLOCK_LEN, Found, LONG_LEN, MARKER_LEN, Standing, symbol};

use super::split::{separator_after, separator_before};

/// Symbols that are gathered on either side of a marker: all that the long form can have there.
const SIDE_LEN: usize = LONG_LEN - MARKER_LEN;

/// Reads at the marker that begins at `at`, and says which bytes belong to what was found.
pub(super) fn read(bytes: &[u8], at: usize) -> Option<(Found, Range<usize>)> {
    let standing = Standing::at(bytes, at)?;
    let found = standing.found();
    let span = match found {
        Found::Whole(_) => repeats(bytes, at, &standing.block),
        Found::Head(_) | Found::Fragment(_) => at..at + standing.len,
    };
    Some((found, span))
}

/// How far the repetition of `block`, one of which begins at `at`, reaches on both sides.
pub(super) fn repeats(bytes: &[u8], at: usize, block: &[u8; BLOCK_LEN]) -> Range<usize> {
    // most are of one case, and those are compared at once
    let is_block = |piece: &[u8; BLOCK_LEN]| piece == block || piece.eq_ignore_ascii_case(block);
    let alike = |(byte, own): &(&u8, &u8)| byte.eq_ignore_ascii_case(own);
    let (mut from, mut to) = (at, at);
    while bytes[to..].first_chunk().is_some_and(is_block) {
        to += BLOCK_LEN;
    }
    let ahead = bytes[to..].iter().zip(block).take_while(alike).count();
    // if a symbol comes then, another canary follows, which has its first symbols in common with this one
    if bytes.get(to + ahead).is_none_or(|byte| symbol(*byte).is_none()) {
        to += ahead;
    }
    while bytes[..from].last_chunk().is_some_and(is_block) {
        from -= BLOCK_LEN;
    }
    let behind = bytes[..from].iter().rev().zip(block.iter().rev());
    from - behind.take_while(alike).count()..to
}

/// Symbols around a marker that do not stand side by side, and where each stands.
pub(super) struct Gathered {
    symbols: Vec<u8>,
    places: Vec<usize>,
    marker: usize,
}

impl Gathered {
    fn new(before: impl Iterator<Item = usize>, from: impl Iterator<Item = usize>, bytes: &[u8]) -> Self {
        let mut places: Vec<usize> = before.take(SIDE_LEN).collect();
        places.reverse();
        let marker = places.len();
        places.extend(from.take(SIDE_LEN + MARKER_LEN));
        let symbols = places.iter().map(|at| bytes[*at]).collect();
        Self {
            symbols,
            places,
            marker,
        }
    }

    /// Around the reversed marker that begins at `at`.
    pub(super) fn reversed(bytes: &[u8], at: usize) -> Self {
        let is_symbol = |at: &usize| symbol(bytes[*at]).is_some();
        let before = (at + MARKER_LEN..bytes.len()).take_while(is_symbol);
        let from = (0..at + MARKER_LEN).rev().take_while(is_symbol);
        Self::new(before, from, bytes)
    }

    /// Around the marker that begins at `at` with a zero byte after each character.
    pub(super) fn wide(bytes: &[u8], at: usize) -> Self {
        let is_symbol = |at: usize| bytes.get(at).is_some_and(|byte| symbol(*byte).is_some());
        let is_zero = |at: usize| bytes.get(at) == Some(&0);
        let before = (0..at / 2)
            .map(|back| at - 2 * (back + 1))
            .take_while(|at| is_symbol(*at) && is_zero(*at + 1));
        let from = (at..bytes.len())
            .step_by(2)
            .take_while(|place| is_symbol(*place) && (*place == at || is_zero(*place - 1)));
        Self::new(before, from, bytes)
    }

    /// Around the marker that begins at `at`, over separators.
    pub(super) fn split(bytes: &[u8], at: usize) -> Self {
        let is_symbol = |at: &usize| symbol(bytes[*at]).is_some();
        let ahead = std::iter::successors(Some(at), |at| {
            let next = at + 1;
            Some(next + separator_after(bytes, next)).filter(|next| *next < bytes.len())
        });
        let behind = std::iter::successors(previous(bytes, at), |at| previous(bytes, *at));
        Self::new(behind.take_while(is_symbol), ahead.take_while(is_symbol), bytes)
    }

    /// Reads what was gathered, and says from which byte to which it stood.
    pub(super) fn read(&self) -> Option<(Found, Range<usize>)> {
        let (found, span) = read(&self.symbols, self.marker)?;
        let (first, last) = (self.places[span.start], self.places[span.end - 1]);
        Some((found, first.min(last)..first.max(last) + 1))
    }
}

/// The byte before `at`, over separators.
fn previous(bytes: &[u8], at: usize) -> Option<usize> {
    (at - separator_before(bytes, at)).checked_sub(1)
}
