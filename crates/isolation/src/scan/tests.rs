//! What the scanner finds, and what it does not take for a find.

mod dress;
mod ids;
mod laws;
mod splits;
mod table;

use history::{Audience, Room, User};

use super::{Hit, Medium, Scanner};
use crate::canary::{Canary, Datum, Found, Mint};

const RUN: u32 = 20_260;

/// A canary of user 4321, made so that none of its fields is zero.
fn canary() -> Canary {
    let mut mint = Mint::new(User(4321), RUN).unwrap();
    (0..77)
        .map(|_| mint.mint(Audience::Room(Room(99)), Datum::RoomBody).unwrap())
        .last()
        .unwrap()
}

fn scan(bytes: &[u8], medium: Medium) -> (Vec<Hit>, u64) {
    let mut scanner = Scanner::new(RUN);
    let scanned = scanner.scan(bytes, medium);
    (scanned.hits.to_vec(), scanned.opaque)
}

/// The one hit in `bytes`, which must be the whole of `expected`.
#[track_caller]
fn the_hit(bytes: &[u8], medium: Medium, expected: &Canary) -> Hit {
    let (hits, opaque) = scan(bytes, medium);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
    assert_eq!(hits.len(), 1, "{hits:?} in {text}");
    assert_eq!(hits[0].found, Found::Whole(*expected), "in {text}");
    assert_eq!(opaque, 0, "in {text}");
    hits[0]
}
