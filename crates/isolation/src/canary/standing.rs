//! The bytes around a marker.

use super::{BLOCK_LEN, Canary, Found, Fragment, Head, MARKER_LEN, is_marked, symbols, values};

/// What stands at a marker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// The symbols from the marker on; those that a cut took are taken from the neighbour before, if there is one.
    pub(crate) block: [u8; BLOCK_LEN],
    /// How many of them stand there.
    pub(crate) len: usize,
}

impl Standing {
    /// Reads around the marker at `at` of `piece`, whose bytes up to the first that is no symbol on either
    /// side are contiguous; `None` if there is no marker.
    pub(crate) fn at(piece: &[u8], at: usize) -> Option<Self> {
        let tail = &piece[at..piece.len().min(at + BLOCK_LEN)];
        let len = symbols(tail);
        if len < MARKER_LEN || !is_marked(tail) {
            return None;
        }
        let mut block = [0; BLOCK_LEN];
        block[..len].copy_from_slice(&tail[..len]);
        if len < BLOCK_LEN && at + len >= BLOCK_LEN {
            let neighbour = &piece[at + len - BLOCK_LEN..at];
            block[len..].copy_from_slice(neighbour);
        }
        Some(Self { block, len })
    }

    /// What that is.
    pub(crate) fn found(&self) -> Found {
        if let Some(canary) = Canary::decode(&self.block) {
            return Found::Whole(canary);
        }
        let own = &self.block[..self.len];
        match Head::read(&values(&self.block)[..self.len]) {
            Some(head) => Found::Head(head),
            None => Found::Fragment(Fragment::new(own)),
        }
    }
}
