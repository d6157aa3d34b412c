//! How a canary was dressed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One layer of dress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Layer {
    /// Base64 of RFC 4648, of either alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// UTF-16 of either byte order.
    Utf16,
    /// Last character first.
    Reversed,
    /// Interspersed with white space, hyphens or zero-width characters.
    Split,
    /// Percent-encoding of RFC 3986.
    Percent,
    /// `\u` escapes of RFC 8259.
    Unicode,
    /// Character references of HTML.
    Html,
    /// A list of the integers 0 to 255.
    Integers,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// RFC 1951.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Layer {
    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Utf16 => "utf-16",
            Self::Reversed => "reversed",
            Self::Split => "split",
            Self::Percent => "percent",
            Self::Unicode => "unicode escapes",
            Self::Html => "html",
            Self::Integers => "integers",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Deflate => "deflate",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }
}

/// Layers of dress, outermost first, at most [`Encoding::DEPTH_MAX`] and one that needs no decoding
/// (reversed, split, UTF-16). Displays as `gzip > base64`; `plain` if there are none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Encoding([Option<Layer>; Self::DEPTH_MAX + 1]);

impl Encoding {
    /// Layers that a scanner decodes one within another.
    pub const DEPTH_MAX: usize = 3;
    /// No dress at all.
    pub const PLAIN: Self = Self([None; Self::DEPTH_MAX + 1]);

    /// The layers, outermost first.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        self.0.iter().map_while(|layer| *layer)
    }

    /// How many layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers().count()
    }

    /// With one more layer inside; the same if there is no room for it.
    #[must_use]
    pub(super) fn then(mut self, layer: Layer) -> Self {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(layer);
        }
        self
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth() == 0 {
            return f.write_str("plain");
        }
        for (at, layer) in self.layers().enumerate() {
            let joint = if at == 0 { "" } else { " > " };
            write!(f, "{joint}{}", layer.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({self})")
    }
}
