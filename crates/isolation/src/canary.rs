//! Canaries: planted strings that say whose they are.
//!
//! A block is 32 characters of `[a-z2-7]` (the base32 alphabet of RFC 4648, lower case; five bits each), high
//! bits first:
//!
//! | symbols | field | bits |
//! |---|---|---|
//! | 0..8 | marker, constant and unbordered (no prefix of it is a suffix) | 40 |
//! | 8..12 | owner | 20 |
//! | 12 | class: kind of audience (2), kind of datum (3) | 5 |
//! | 13..17 | audience: number of the room or tenant; the owner's again for [`Kind::Owner`] | 20 |
//! | 17..22 | run | 25 |
//! | 22..26 | serial | 20 |
//! | 26..32 | Bech32m's checksum over the 26 symbols before it | 30 |
//!
//! The short form is one block, the long form three identical ones: any 39 contiguous characters of it hold a
//! whole marker and each of the 32 symbols at least once.

mod check;
mod mint;
mod standing;
#[cfg(test)]
mod tests;

use std::fmt;

use history::{Audience, Room, Serial, Tenant, User};
use serde::{Deserialize, Serialize};

pub use mint::{Mint, MintError};
pub(crate) use standing::Standing;

/// What every block begins with. A letter that is rare everywhere and stands in it once, then consonants
/// between digits as no word has them. Its base64 shows that letter at each alignment, and neither of the
/// characters in which the two alphabets differ; its hexadecimal digits after the first pair are decimal
/// ones.
pub const MARKER: &[u8; MARKER_LEN] = b"z3qx7vw6";
/// Characters of the marker.
pub const MARKER_LEN: usize = 8;
/// Characters of a block, the short form.
pub const BLOCK_LEN: usize = 32;
/// Characters of the long form.
pub const LONG_LEN: usize = 3 * BLOCK_LEN;
/// Contiguous characters of the long form that suffice to read all of it: a block and a marker less one.
pub const WINDOW_LEN: usize = BLOCK_LEN + MARKER_LEN - 1;
/// Characters of a block that name owner, class, audience and run, though neither serial nor checksum.
pub const HEAD_LEN: usize = 22;
/// Users, rooms, tenants and serials are below this (20 bits).
pub const NUMBER_END: u32 = 1 << 20;
/// Runs are below this (25 bits).
pub const RUN_END: u32 = 1 << 25;

/// Symbols that the checksum covers.
const DATA_LEN: usize = BLOCK_LEN - check::LEN;
/// The symbols of the marker, by value.
const MARKER_VALUES: [u8; MARKER_LEN] = {
    let (mut values, mut at) = ([0; MARKER_LEN], 0);
    while at < MARKER_LEN {
        values[at] = value(MARKER[at]);
        at += 1;
    }
    values
};
/// The marker as a number, and the bits in which its letters' cases differ.
const MARKER_NUMBER: u64 = u64::from_le_bytes(*MARKER);
const MARKER_CASES: u64 = {
    let (mut cases, mut at) = ([0; MARKER_LEN], 0);
    while at < MARKER_LEN {
        cases[at] = MARKER[at] ^ MARKER[at].to_ascii_uppercase();
        at += 1;
    }
    u64::from_le_bytes(cases)
};

/// The symbol of a value below 32, as arithmetic on many at once.
const fn letter(value: u8) -> u8 {
    value + if value < 26 { b'a' } else { b'2' - 26 }
}

/// The values of all symbols, see [`value`]. (Within another loop, the compiler does not make vector code of it.)
#[inline(never)]
fn values<const N: usize>(bytes: &[u8; N]) -> [u8; N] {
    bytes.map(value)
}

/// The value (0 to 31) of a symbol in either case, or 255 of what is none: as [`letter`], on many at once.
const fn value(byte: u8) -> u8 {
    let (letter, digit) = ((byte | 0x20).wrapping_sub(b'a'), byte.wrapping_sub(b'2'));
    if letter < 26 {
        letter
    } else if digit < 6 {
        digit + 26
    } else {
        u8::MAX
    }
}

/// The value (0 to 31) of a symbol in either case; `None` if it is none.
#[must_use]
pub(crate) fn symbol(byte: u8) -> Option<u8> {
    let value = value(byte);
    (value < 32).then_some(value)
}

/// How many symbols `bytes` begin with, counted a block at a time.
pub(crate) fn symbols(bytes: &[u8]) -> usize {
    let all = |few: &&[u8; BLOCK_LEN]| are_symbols(&values(few));
    let whole = BLOCK_LEN * bytes.as_chunks().0.iter().take_while(all).count();
    let rest = bytes[whole..].iter();
    whole + rest.take_while(|byte| symbol(**byte).is_some()).count()
}

/// Whether all of these values are those of symbols.
fn are_symbols<const N: usize>(values: &[u8; N]) -> bool {
    values.iter().fold(0, |all, value| all | value) < 32
}

/// Whether `bytes` begin with the marker, in whatever case.
pub(crate) fn is_marked(bytes: &[u8]) -> bool {
    let marker = bytes.first_chunk();
    marker.is_some_and(|marker| u64::from_le_bytes(*marker) | MARKER_CASES == MARKER_NUMBER)
}

/// Kind of audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The owner alone.
    Owner,
    /// The members of a room.
    Room,
    /// The users of a tenant.
    Tenant,
}

/// What the canary was planted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Datum {
    /// A secret in a private message.
    Secret,
    /// What a reply must derive from.
    Nonce,
    /// A thread's title.
    Title,
    /// The local part of an e-mail address.
    Email,
    /// The author-only field of a room message.
    Note,
    /// A room message.
    RoomBody,
    /// Sent by a probe, in place of anybody's secret.
    Probe,
    /// A user's or a room's name.
    Name,
}

impl Datum {
    const ALL: [Self; 8] = [
        Self::Secret,
        Self::Nonce,
        Self::Title,
        Self::Email,
        Self::Note,
        Self::RoomBody,
        Self::Probe,
        Self::Name,
    ];
}

/// One planted string. Only a [`Mint`] and [`Canary::decode`] make them, so that every number fits its field.
///
/// ```
/// use history::{Audience, User};
/// use isolation::canary::{Canary, Datum, Mint};
///
/// let mut mint = Mint::new(User(7), 4711)?;
/// let secret = mint.mint(Audience::Owner, Datum::Secret)?;
/// assert_eq!(Canary::decode(&secret.block()), Some(secret));
/// assert_eq!(Canary::recover(&secret.long().as_bytes()[20..59]), Some(secret));
/// # Ok::<(), isolation::canary::MintError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Canary {
    /// Who planted it; 20 bits.
    pub owner: User,
    /// Kind of audience.
    pub kind: Kind,
    /// What it was planted as.
    pub datum: Datum,
    /// Number of the room or tenant, or the owner's number; 20 bits.
    pub audience: u32,
    /// The run; 25 bits.
    pub run: u32,
    /// Which of the owner's canaries; 20 bits.
    pub serial: Serial,
}

impl Canary {
    /// The 32 characters of the block.
    #[must_use]
    pub fn block(&self) -> [u8; BLOCK_LEN] {
        let mut symbols = [0; BLOCK_LEN];
        symbols[..MARKER_LEN].copy_from_slice(&MARKER_VALUES);
        put(&mut symbols[8..12], self.owner.0);
        symbols[12] = (self.kind as u8) << 3 | self.datum as u8;
        put(&mut symbols[13..17], self.audience);
        put(&mut symbols[17..22], self.run);
        put(&mut symbols[22..26], self.serial.0);
        let (data, check) = symbols
            .split_first_chunk_mut::<DATA_LEN>()
            .expect("data is a part of it");
        check.copy_from_slice(&check::checksum(data));
        for symbol in &mut symbols {
            *symbol = letter(*symbol);
        }
        symbols
    }

    /// The short form: one block, for e-mail addresses and titles.
    #[must_use]
    pub fn short(&self) -> String {
        text(&self.block()).to_owned()
    }

    /// The long form: three identical blocks, 96 characters.
    #[must_use]
    pub fn long(&self) -> String {
        Spelt::of(*self, self.block()).long().to_owned()
    }

    /// Reads a block, in either case; `None` unless the marker stands first and the checksum holds.
    #[must_use]
    pub fn decode(block: &[u8; BLOCK_LEN]) -> Option<Self> {
        let symbols = values(block);
        if !are_symbols(&symbols) {
            return None;
        }
        let head = Head::read(&symbols)?;
        check::holds(&symbols).then(|| head.with(Serial(get(&symbols[22..26]))))
    }

    /// Reads any piece of the long form of at least [`WINDOW_LEN`] characters (or one that begins with a
    /// whole block); `None` if `piece` is no such piece. Symbols that a cut took from the block are taken
    /// from its neighbour.
    #[must_use]
    pub fn recover(piece: &[u8]) -> Option<Self> {
        marks(piece).find_map(|at| match Standing::at(piece, at)?.found() {
            Found::Whole(canary) => Some(canary),
            Found::Head(_) | Found::Fragment(_) => None,
        })
    }

    /// Who may see it.
    #[must_use]
    pub fn seen_by(&self) -> Audience {
        audience(self.kind, self.audience)
    }
}

/// A canary and its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelt {
    /// The canary.
    pub canary: Canary,
    blocks: [[u8; BLOCK_LEN]; LONG_LEN / BLOCK_LEN],
}

impl Spelt {
    fn of(canary: Canary, block: [u8; BLOCK_LEN]) -> Self {
        Self {
            canary,
            blocks: [block; LONG_LEN / BLOCK_LEN],
        }
    }

    /// As [`Canary::short`].
    #[must_use]
    pub fn short(&self) -> &str {
        text(&self.blocks[0])
    }

    /// As [`Canary::long`].
    #[must_use]
    pub fn long(&self) -> &str {
        text(self.blocks.as_flattened())
    }
}

/// What a block cut after at least [`HEAD_LEN`] characters still says; its checksum is unverified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Head {
    /// Who planted it.
    pub owner: User,
    /// Kind of audience.
    pub kind: Kind,
    /// What it was planted as.
    pub datum: Datum,
    /// Number of the room or tenant, or the owner's number.
    pub audience: u32,
    /// The run.
    pub run: u32,
}

impl Head {
    /// From the values of at least [`HEAD_LEN`] symbols.
    fn read(symbols: &[u8]) -> Option<Self> {
        let class = *symbols.get(12)?;
        let kind = match class >> 3 {
            0 => Kind::Owner,
            1 => Kind::Room,
            2 => Kind::Tenant,
            _ => return None,
        };
        (symbols.starts_with(&MARKER_VALUES) && symbols.len() >= HEAD_LEN).then(|| Self {
            owner: User(get(&symbols[8..12])),
            kind,
            datum: Datum::ALL[usize::from(class & 7)],
            audience: get(&symbols[13..17]),
            run: get(&symbols[17..22]),
        })
    }

    fn with(self, serial: Serial) -> Canary {
        let Self {
            owner,
            kind,
            datum,
            audience,
            run,
        } = self;
        Canary {
            owner,
            kind,
            datum,
            audience,
            run,
            serial,
        }
    }

    /// Who may see it.
    #[must_use]
    pub fn seen_by(&self) -> Audience {
        audience(self.kind, self.audience)
    }

    /// Whether it may be the head of `canary`.
    #[must_use]
    pub fn begins(&self, canary: &Canary) -> bool {
        self.with(canary.serial) == *canary
    }
}

/// The first characters of a block, marker included, too few for a [`Head`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fragment {
    text: [u8; HEAD_LEN - 1],
    len: u8,
}

impl Fragment {
    fn new(text: &[u8]) -> Self {
        let len = text.len().min(HEAD_LEN - 1);
        let mut kept = [0; HEAD_LEN - 1];
        kept[..len].copy_from_slice(&text[..len]);
        kept.make_ascii_lowercase();
        Self {
            text: kept,
            len: len as u8,
        }
    }

    /// Its characters, 8 to 21, in lower case.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The owner, if enough of it came.
    #[must_use]
    pub fn owner(&self) -> Option<User> {
        let mut symbols = [0; 4];
        for (value, byte) in symbols.iter_mut().zip(self.text().get(8..12)?) {
            *value = symbol(*byte)?;
        }
        Some(User(get(&symbols)))
    }

    /// Whether `canary` begins with it.
    #[must_use]
    pub fn begins(&self, canary: &Canary) -> bool {
        canary.block().starts_with(self.text())
    }
}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragment({:?})", String::from_utf8_lossy(self.text()))
    }
}

/// What was read at a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Found {
    /// All of it, and its checksum holds.
    Whole(Canary),
    /// At least [`HEAD_LEN`] characters: who and for whom, its checksum unverified.
    Head(Head),
    /// Less.
    Fragment(Fragment),
}

impl Found {
    /// Who planted it, as far as that can be read.
    #[must_use]
    pub fn owner(&self) -> Option<User> {
        match self {
            Self::Whole(canary) => Some(canary.owner),
            Self::Head(head) => Some(head.owner),
            Self::Fragment(fragment) => fragment.owner(),
        }
    }

    /// Whether `canary` is it or begins with it.
    #[must_use]
    pub fn begins(&self, canary: &Canary) -> bool {
        match self {
            Self::Whole(whole) => whole == canary,
            Self::Head(head) => head.begins(canary),
            Self::Fragment(fragment) => fragment.begins(canary),
        }
    }

    /// The run in which it was planted, as far as that can be read.
    #[must_use]
    pub fn run(&self) -> Option<u32> {
        match self {
            Self::Whole(canary) => Some(canary.run),
            Self::Head(head) => Some(head.run),
            Self::Fragment(_) => None,
        }
    }
}

fn text(blocks: &[u8]) -> &str {
    std::str::from_utf8(blocks).expect("symbols are ASCII")
}

/// Where markers stand, in either case.
fn marks(piece: &[u8]) -> impl Iterator<Item = usize> + '_ {
    piece
        .windows(MARKER_LEN)
        .enumerate()
        .filter(|(_, window)| is_marked(window))
        .map(|(at, _)| at)
}

fn audience(kind: Kind, number: u32) -> Audience {
    match kind {
        Kind::Owner => Audience::Owner,
        Kind::Room => Audience::Room(Room(number)),
        Kind::Tenant => Audience::Tenant(Tenant(number)),
    }
}

/// Writes `number` as symbols of five bits, the highest first.
fn put(symbols: &mut [u8], number: u32) {
    for (place, value) in symbols.iter_mut().rev().enumerate() {
        *value = (number >> (5 * place) & 31) as u8;
    }
}

fn get(symbols: &[u8]) -> u32 {
    symbols
        .iter()
        .fold(0, |number, value| number << 5 | u32::from(*value))
}
