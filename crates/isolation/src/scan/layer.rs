//! Bytes under examination, and where they came from.

use super::encoding::{Encoding, Layer};

/// A view of bytes: those that were handed in, or those that a layer of dress was taken from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) dress: Encoding,
    pub(super) nature: Nature,
    origin: Option<Origin<'a>>,
}

/// What kind of bytes a view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Handed in as text.
    Text,
    /// Handed in as bytes that may be anything: what cannot be read is opaque.
    Binary,
    /// Decoded from something that may not have been an encoding at all, or known to be more than text.
    Decoded,
}

#[derive(Clone, Copy)]
struct Origin<'a> {
    parent: &'a View<'a>,
    from: usize,
    to: usize,
    points: &'a [Point],
}

/// From `inner` on, the decoded bytes are the encoded ones from `outer` on, until the next point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) outer: usize,
    pub(super) inner: usize,
}

impl<'a> View<'a> {
    pub(super) fn top(bytes: &'a [u8], nature: Nature) -> Self {
        Self {
            bytes,
            dress: Encoding::PLAIN,
            nature,
            origin: None,
        }
    }

    /// What `layer` over `from..to` of this view, once decoded, holds; places are interpolated.
    pub(super) fn decoded(&'a self, layer: Layer, from: usize, to: usize, bytes: &'a [u8]) -> Self {
        let origin = Origin {
            parent: self,
            from,
            to,
            points: &[],
        };
        Self {
            bytes,
            dress: self.dress.then(layer),
            nature: Nature::Decoded,
            origin: Some(origin),
        }
    }

    /// What `layer` over this view from `from` on, once decompressed, holds; as doubtful as the view itself.
    pub(super) fn inflated(&'a self, layer: Layer, from: usize, bytes: &'a [u8]) -> Self {
        Self {
            nature: self.nature,
            ..self.decoded(layer, from, self.bytes.len(), bytes)
        }
    }

    /// All of this view without the escapes of `layer`; places are exact.
    pub(super) fn unescaped(&'a self, layer: Layer, bytes: &'a [u8], points: &'a [Point]) -> Self {
        let origin = Origin {
            parent: self,
            from: 0,
            to: self.bytes.len(),
            points,
        };
        Self {
            bytes,
            dress: self.dress.then(layer),
            nature: self.nature,
            origin: Some(origin),
        }
    }

    /// Whether one more layer may be taken off.
    pub(super) fn may_decode(&self) -> bool {
        self.dress.depth() < Encoding::DEPTH_MAX
    }

    /// Where byte `at` of this view, or its end, stands in what was handed in.
    pub(super) fn place(&self, at: usize) -> usize {
        let Some(origin) = &self.origin else { return at };
        let outer = match origin
            .points
            .partition_point(|point| point.inner <= at)
            .checked_sub(1)
        {
            Some(last) => {
                let point = origin.points[last];
                point.outer + (at - point.inner)
            }
            None if origin.points.is_empty() => interpolate(at, self.bytes.len(), origin.from, origin.to),
            None => at,
        };
        origin.parent.place(outer.min(origin.to))
    }
}

fn interpolate(at: usize, len: usize, from: usize, to: usize) -> usize {
    from + (at * (to - from)).checked_div(len).unwrap_or(0)
}
