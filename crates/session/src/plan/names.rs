//! Names that look alike: a cache or an index that compares them carelessly shows.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const PEOPLE: [&str; 12] = [
    "Kim Park",
    "kim park",
    "Kim  Park",
    "Kim Park ",
    "Kim Pärk",
    "KIM PARK",
    "Kim.Park",
    "Kim_Park",
    "Kim%Park",
    "Kim' Park",
    "Kím Park",
    "Kim Parks",
];

const TENANTS: [&str; 6] = ["north", "north-1", "n0rth", "north--1", "northern", "nort"];

const KEY_CHARS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many names for people there are before they repeat.
pub(super) const COUNT: u32 = PEOPLE.len() as u32;

/// Display name of user `number`; repeats, as people's names do.
pub(super) fn person(number: u32) -> String {
    PEOPLE[(number % COUNT) as usize].to_owned()
}

/// Slug of tenant `number`; `tag` keeps the tenants of different runs apart.
pub(super) fn tenant(number: u32, tag: u64) -> String {
    let name = TENANTS[number as usize % TENANTS.len()];
    match number as usize / TENANTS.len() {
        0 => format!("{name}-{tag:010x}"),
        lap => format!("{name}-{tag:010x}-{lap}"),
    }
}

/// A tenant's key: 20 characters, 100 bits.
pub(super) fn key(rng: &mut ChaCha8Rng) -> String {
    (0..20)
        .map(|_| char::from(KEY_CHARS[rng.random_range(0..KEY_CHARS.len())]))
        .collect()
}
