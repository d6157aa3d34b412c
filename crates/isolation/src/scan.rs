//! Finds canaries in bytes, however they are dressed.
//!
//! A [`Scanner`] looks for a dozen constant needles: the marker, plain and encoded. Only at a hit does it
//! decode. So its cost depends on the bytes alone, not on how many users, rooms or secrets there are.
//!
//! A [`StreamScanner`] keeps what a piece of a stream ended with, for canaries that a split hides. [`ids`]
//! finds what the service made itself and what therefore holds no canary: UUIDs and tokens.

mod decode;
mod encoding;
mod escapes;
pub mod ids;
mod inflate;
mod layer;
mod needles;
mod rare;
mod reach;
mod runs;
mod scanner;
mod settle;
mod split;
mod stream;
#[cfg(test)]
mod tests;

pub use encoding::{Encoding, Layer};
pub use needles::holds_needle;
pub use scanner::{Hit, Medium, Scanned, Scanner};
pub use stream::StreamScanner;
