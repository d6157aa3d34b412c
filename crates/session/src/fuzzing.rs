//! Parsers of foreign bytes that are private to this crate, for the fuzz targets alone.

use crate::pointer;
use crate::socket::Tail;

/// The value at `pointer` in JSON text.
#[must_use]
pub fn pick(json: &str, pointer: &str) -> Option<String> {
    pointer::pick(json, pointer)
}

/// What is kept of the message that has begun and not ended, once all `pieces` of a stream have come.
#[must_use]
pub fn unfinished<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut tail = Tail::new();
    for piece in pieces {
        tail.feed(piece);
    }
    tail.unfinished().to_vec()
}
