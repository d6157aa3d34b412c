//! Where canaries come from.

use history::{Audience, Serial, User};
use thiserror::Error;

use super::{BLOCK_LEN, Canary, Datum, Kind, MARKER, MARKER_LEN, NUMBER_END, RUN_END, Spelt};

/// Why no canary could be made.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MintError {
    /// A number does not fit its field.
    #[error("{field} {value} does not fit a canary: it must be below {end}")]
    OutOfRange {
        /// Which number.
        field: &'static str,
        /// The number.
        value: u32,
        /// The end of the range.
        end: u32,
    },
    /// The audience names no tenant.
    #[error("a canary needs a numbered audience, not the policy \"own tenant\"; name the tenant")]
    Unnumbered,
    /// All serials are spent.
    #[error("user {} has spent all {NUMBER_END} canaries of this run; plan fewer ops", owner.0)]
    Exhausted {
        /// Whose mint.
        owner: User,
    },
}

/// Makes the canaries of one user in one run, each with a serial of its own over all classes.
#[derive(Clone, Debug)]
pub struct Mint {
    owner: User,
    run: u32,
    pub(super) next: u32,
}

impl Mint {
    /// A mint for `owner` in `run`.
    ///
    /// # Errors
    /// If `owner` has more than 20 bits or `run` more than 25.
    pub fn new(owner: User, run: u32) -> Result<Self, MintError> {
        within("user", owner.0, NUMBER_END)?;
        within("run", run, RUN_END)?;
        Ok(Self { owner, run, next: 0 })
    }

    /// A fresh canary for `audience`.
    ///
    /// # Errors
    /// If the audience's number has more than 20 bits, if it is [`Audience::OwnTenant`], or if all 2^20
    /// serials are spent.
    pub fn mint(&mut self, audience: Audience, datum: Datum) -> Result<Canary, MintError> {
        Ok(self.spell(audience, datum)?.canary)
    }

    /// As [`Self::mint`], with its characters.
    ///
    /// # Errors
    /// As [`Self::mint`].
    pub fn spell(&mut self, audience: Audience, datum: Datum) -> Result<Spelt, MintError> {
        let (kind, number) = match audience {
            Audience::Owner => (Kind::Owner, self.owner.0),
            Audience::Room(room) => (Kind::Room, room.0),
            Audience::Tenant(tenant) => (Kind::Tenant, tenant.0),
            Audience::OwnTenant => return Err(MintError::Unnumbered),
        };
        within("audience", number, NUMBER_END)?;
        while self.next < NUMBER_END {
            let serial = Serial(self.next);
            self.next += 1;
            let (owner, run) = (self.owner, self.run);
            let canary = Canary {
                owner,
                kind,
                datum,
                audience: number,
                run,
                serial,
            };
            let block = canary.block();
            if marked_once(&block) {
                return Ok(Spelt::of(canary, block));
            }
        }
        Err(MintError::Exhausted { owner: self.owner })
    }
}

/// Whether the long form of `block` holds the marker only where blocks begin.
pub(super) fn marked_once(block: &[u8; BLOCK_LEN]) -> bool {
    let mut wrapped = [0; BLOCK_LEN + MARKER.len() - 1];
    wrapped[..BLOCK_LEN].copy_from_slice(block);
    wrapped[BLOCK_LEN..].copy_from_slice(&block[..MARKER.len() - 1]);
    // without an early end, so that it is vector code
    let mut times = 0;
    for window in wrapped.array_windows::<MARKER_LEN>() {
        times += u8::from(u64::from_ne_bytes(*window) == u64::from_ne_bytes(*MARKER));
    }
    wrapped.starts_with(MARKER) && times == 1
}

fn within(field: &'static str, value: u32, end: u32) -> Result<(), MintError> {
    if value < end {
        Ok(())
    } else {
        Err(MintError::OutOfRange { field, value, end })
    }
}
