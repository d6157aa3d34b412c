//! The numbers that name things within one run.

use serde::{Deserialize, Serialize};

/// Numbers that are large mostly, as four or eight bytes (little-endian) that are put down and taken up at once. Of postcard's numbers
/// only the floating-point ones are that: a whole one goes byte by byte. Where people read, they are numbers as any.
mod at_once {
    macro_rules! as_bits_of {
        ($float:ident, $whole:ident, $serialize:ident) => {
            pub(crate) mod $whole {
                use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

                pub(crate) fn serialize<S: Serializer>(number: &$whole, to: S) -> Result<S::Ok, S::Error> {
                    match to.is_human_readable() {
                        true => number.serialize(to),
                        false => to.$serialize($float::from_bits(*number)),
                    }
                }

                pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$whole, D::Error> {
                    match from.is_human_readable() {
                        true => $whole::deserialize(from),
                        false => Ok($float::deserialize(from)?.to_bits()),
                    }
                }
            }
        };
    }
    as_bits_of!(f32, u32, serialize_f32);
    as_bits_of!(f64, u64, serialize_f64);
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($(#[$how:meta])* $repr:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name($(#[$how])* pub $repr);
    };
}

number! {
    /// A virtual user, counted from 0; fits 20 bits, since a canary carries it.
    User(u32)
}
number! {
    /// A tenant, counted from 0; fits 20 bits.
    Tenant(u32)
}
number! {
    /// A room of the plan, counted from 0 over all tenants; fits 20 bits.
    Room(u32)
}
number! {
    /// A connection (one WebSocket, or the HTTP exchanges of one login), never reused within a run.
    Conn(#[serde(with = "at_once::u32")] u32)
}
number! {
    /// One login of a user, with all tokens that came of it by refresh.
    Session(u32)
}
number! {
    /// One attempt of an op, never reused within a run: its connection in the upper 32 bits, its number there below.
    Op(#[serde(with = "at_once::u64")] u64)
}
number! {
    /// One mintable canary of a user: a nonce, 20 bits.
    Serial(u32)
}
number! {
    /// A process under test that a connection talks to, counted from 0 in the order of the target's list of gateways;
    /// [`Replica::AUTH`] is the authentication service.
    Replica(u8)
}
number! {
    /// A round of the measured phases, counted from 1; 0 outside of them.
    Round(u16)
}

impl Op {
    /// The attempt of this number, which is above those before it, over `conn`.
    #[must_use]
    pub fn of(conn: Conn, number: u32) -> Self {
        Self(u64::from(conn.0) << 32 | u64::from(number))
    }

    /// Its number within its connection.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0 as u32
    }
}

impl Replica {
    /// The authentication service, reached over HTTP.
    pub const AUTH: Self = Self(255);
}

/// An instant: nanoseconds of the monotonic clock since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct At(#[serde(with = "at_once::u64")] pub u64);

impl At {
    /// The instant before which nothing happened.
    pub const START: Self = Self(0);
    /// Later than every instant of a run: an acknowledgement that never came.
    pub const NEVER: Self = Self(u64::MAX);

    /// Nanoseconds from `earlier` to here; 0 if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A stretch of time that an op, a phase or an entitlement covers; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant.
    pub from: At,
    /// The last instant; [`At::NEVER`] while open.
    pub to: At,
}

impl Interval {
    /// Whether the two share an instant.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// 64 bits of BLAKE3 over some bytes: names a token or an id without keeping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(#[serde(with = "at_once::u64")] pub u64);

impl Fingerprint {
    /// The fingerprint of `bytes`, taken as they are; normalising is the caller's.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let hash = blake3::hash(bytes);
        let mut head = [0; 8];
        head.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_le_bytes(head))
    }
}

/// Where an event stands in a history: what evidence points at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The worker that wrote it; its segments are numbered apart.
    pub worker: u16,
    /// Counted from 0 over all segments of that worker.
    pub index: u64,
}
