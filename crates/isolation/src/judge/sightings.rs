//! What inbound bytes showed of others, to be joined with what the whole run knows.

use std::borrow::Cow;

use history::{At, Audience, Check, Fingerprint, Room, Serial, User};

use crate::Needle;
use crate::bounded::{Bounded, Join};
use crate::canary::{Canary, Datum, Fragment, Head, Kind};
use crate::judgement::index;
use crate::limits::{FINDINGS_MAX, RESIDUE_RUNS_MAX, SIGHTINGS_MAX};
use crate::seen::Seen;

/// A canary of somebody else whose audience does not change over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Foreign {
    pub(crate) observer: User,
    pub(crate) owner: User,
    pub(crate) audience: Audience,
    pub(crate) datum: Datum,
    /// Whether the checksum was there and held.
    pub(crate) verified: bool,
}

/// Room content of somebody else. The interval in which its receiver must have been entitled ends with the receipt
/// and begins with the request that it answers, or with the write of it, whichever is known to be its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared {
    pub(crate) observer: User,
    pub(crate) room: Room,
    pub(crate) datum: Datum,
    /// When the request was invoked, if it came with a reply.
    pub(crate) pulled: Option<At>,
    /// Whose write it was, if it came by itself; no serial if it was cut off.
    pub(crate) pushed: Option<(User, Option<Serial>)>,
}

/// Sightings of [`Shared`].
#[derive(Clone, Debug)]
pub(crate) struct SharedSeen {
    /// Who wrote it.
    pub(crate) owner: User,
    /// The first sighting, which leaves the least room for an entitlement.
    pub(crate) seen: Seen,
}

impl Join for SharedSeen {
    fn join(&mut self, other: Self) {
        if (other.seen.at, other.seen.place, other.owner) < (self.seen.at, self.seen.place, self.owner) {
            self.owner = other.owner;
        }
        self.seen.join(other.seen);
    }
}

/// A violation that needs no facts but its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) observer: User,
    pub(crate) victim: Option<User>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Sightings {
    pub(crate) foreign: Bounded<Foreign, Seen>,
    pub(crate) shared: Bounded<Shared, SharedSeen>,
    pub(crate) fragments: Bounded<(User, Fragment), Seen>,
    pub(crate) violations: [Bounded<Violation, Seen>; 6],
    pub(crate) rows: Bounded<Row, Seen>,
    pub(crate) residue: u64,
    pub(crate) residue_runs: Bounded<u32, ()>,
    pub(crate) opaque_bytes: u64,
    pub(crate) undecodable: u64,
}

/// What a row of the audit ties together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) canary: Head,
    pub(crate) derived: bool,
    /// Of the id of the thread's owner; `None` for a room.
    pub(crate) owner: Option<Fingerprint>,
    pub(crate) author: Fingerprint,
    pub(crate) tenant: Fingerprint,
    /// Of the room's id; `None` for a thread.
    pub(crate) room: Option<Fingerprint>,
}

/// How a canary came to its receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub(crate) observer: User,
    /// Begin of the earliest request that the message may answer.
    pub(crate) pulled: Option<At>,
    /// Whether the message may have come by itself.
    pub(crate) pushed: bool,
}

/// What was read of a canary: all of it, or its head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) head: Head,
    /// `None` for a head, whose checksum is unverified.
    pub(crate) serial: Option<Serial>,
}

impl From<Canary> for Read {
    fn from(canary: Canary) -> Self {
        let Canary {
            owner,
            kind,
            datum,
            audience,
            run,
            serial,
        } = canary;
        Self {
            head: Head {
                owner,
                kind,
                datum,
                audience,
                run,
            },
            serial: Some(serial),
        }
    }
}

impl Sightings {
    pub(crate) fn new() -> Self {
        Self {
            foreign: Bounded::new(SIGHTINGS_MAX),
            shared: Bounded::new(SIGHTINGS_MAX),
            fragments: Bounded::new(SIGHTINGS_MAX),
            violations: std::array::from_fn(|_| Bounded::new(FINDINGS_MAX)),
            rows: Bounded::new(SIGHTINGS_MAX),
            residue: 0,
            residue_runs: Bounded::new(RESIDUE_RUNS_MAX),
            opaque_bytes: 0,
            undecodable: 0,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.foreign.merge(other.foreign);
        self.shared.merge(other.shared);
        self.fragments.merge(other.fragments);
        for (mine, theirs) in self.violations.iter_mut().zip(other.violations) {
            mine.merge(theirs);
        }
        self.rows.merge(other.rows);
        self.residue.join(other.residue);
        self.residue_runs.merge(other.residue_runs);
        self.opaque_bytes.join(other.opaque_bytes);
        self.undecodable.join(other.undecodable);
    }

    /// Names of the tables that dropped something which verdicts need.
    pub(crate) fn overflows(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.foreign.overflowed(), "foreign canaries"),
            (self.shared.overflowed(), "sightings of room content"),
            (self.fragments.overflowed(), "fragments of canaries"),
            (self.rows.overflowed(), "kinds of audit rows"),
        ]
        .into_iter()
        .filter_map(|(overflowed, name)| overflowed.then_some(name))
    }

    pub(crate) fn violate(
        &mut self,
        check: Check,
        kind: impl Into<Cow<'static, str>>,
        observer: User,
        victim: Option<User>,
        seen: Seen,
    ) {
        self.violations[index(check)].put(
            Violation {
                kind: kind.into(),
                observer,
                victim,
            },
            seen,
        );
    }

    /// Notes a canary of another run.
    pub(crate) fn residue(&mut self, run: u32) {
        self.residue.join(1);
        self.residue_runs.put(run, ());
    }

    /// Notes a canary of this run that belongs to somebody else than its receiver.
    pub(crate) fn foreign(&mut self, cause: Cause, read: Read, seen: Seen) {
        let Read { head, serial } = read;
        let owner = head.owner;
        let seen = Seen {
            needle: Some(Needle::Canary {
                owner,
                datum: head.datum,
            }),
            ..seen
        };
        if head.kind == Kind::Room {
            let shared = Shared {
                observer: cause.observer,
                room: Room(head.audience),
                datum: head.datum,
                pulled: cause.pulled,
                pushed: cause.pushed.then_some((owner, serial)),
            };
            self.shared.put(shared, SharedSeen { owner, seen });
        } else {
            let foreign = Foreign {
                observer: cause.observer,
                owner,
                audience: head.seen_by(),
                datum: head.datum,
                verified: serial.is_some(),
            };
            self.foreign.put(foreign, seen);
        }
    }
}
