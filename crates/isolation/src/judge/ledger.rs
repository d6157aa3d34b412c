//! Facts that hold for the whole run, whoever reported them: joined in `finish`.

use std::collections::{BTreeMap, BTreeSet};

use history::{
    Account, At, BoundaryKind, Check, Conn, Fact, Fingerprint, Identified, Interval, Op, Place, PoolFigures,
    Probe, ProbeResult, Replica, Role, Room, RoomIssued, Round, RunHeader, Serial, Session, Tenant,
    ThreadIssued, Token, User,
};

use crate::ProbeCount;
use crate::bounded::{Bounded, Collected, Join};
use crate::identity::{fingerprint_of_id, is_recognised};
use crate::judgement::index;
use crate::limits::{
    FACTS_MAX, IDENTIFIED_MAX, NAMES_MAX, PIECES_MAX, PROBES_MAX, PROBLEMS_MAX, SIGHTINGS_MAX,
};
use crate::seen::{First, Holders, Seen};

/// The service's ids of one user.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub(crate) tenant: Tenant,
    pub(crate) user_id: Fingerprint,
    pub(crate) tenant_id: Fingerprint,
    /// Whether both are recognised in bytes.
    pub(crate) recognised: bool,
}

/// A room, as the service made it.
#[derive(Clone, Debug)]
pub(crate) struct RoomIds {
    pub(crate) owner: User,
    pub(crate) room_id: Fingerprint,
}

/// Where and when a thread's id was handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issue {
    pub(crate) conn: Conn,
    pub(crate) op: Op,
    pub(crate) during: Interval,
    /// Whether the id is recognised in bytes.
    pub(crate) recognised: bool,
}

/// The end of a session: of several, the one that was confirmed first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) during: Interval,
    pub(crate) kind: BoundaryKind,
}

impl Join for Ending {
    fn join(&mut self, other: Self) {
        let order = |ending: &Self| (ending.during.to, ending.during.from, ending.kind as u8);
        if order(&other) < order(self) {
            *self = other;
        }
    }
}

/// What became of a canary that a request asked to store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// When the write began, and the attempt; the earliest.
    pub(crate) write: Option<(At, Op)>,
    pub(crate) acknowledged: bool,
    pub(crate) audited: bool,
}

impl Join for Stored {
    fn join(&mut self, other: Self) {
        self.write = [self.write, other.write].into_iter().flatten().min();
        self.acknowledged |= other.acknowledged;
        self.audited |= other.audited;
    }
}

/// A phase of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) began: At,
    pub(crate) round: Round,
}

/// An identity that was read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadBack {
    pub(crate) user: User,
    pub(crate) replica: Replica,
    pub(crate) to: At,
}

/// A probe, as far as exposures and reasons need it.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    pub(crate) check: Check,
    pub(crate) name: String,
    pub(crate) attacker: User,
    pub(crate) conn: Option<Conn>,
    pub(crate) during: Interval,
    /// Why it says nothing; `None` if it does.
    pub(crate) shortfall: Option<String>,
}

/// How often a situation occurred, and who needs it.
#[derive(Clone, Debug)]
pub(crate) struct Occurred {
    pub(crate) count: u64,
    pub(crate) required_by: BTreeSet<Check>,
}

impl Join for Occurred {
    fn join(&mut self, other: Self) {
        self.count.join(other.count);
        self.required_by.extend(other.required_by);
    }
}

/// What was found on the connections of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Hygiene {
    pub(crate) checked: u64,
    pub(crate) findings: BTreeSet<String>,
}

impl Join for Hygiene {
    fn join(&mut self, other: Self) {
        self.checked.join(other.checked);
        self.findings.extend(other.findings);
    }
}

/// Attempts of one role, probes apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    pub(crate) invoked: u64,
    pub(crate) ok: u64,
}

/// What must be unique to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unique {
    Token(Fingerprint),
    TokenId(Fingerprint),
    UserId(Fingerprint),
}

/// The facts.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) headers: Bounded<Place, First<RunHeader>>,
    /// Whether the run was interrupted.
    pub(crate) ends: Bounded<Place, First<bool>>,
    pub(crate) accounts: Bounded<User, First<Ids>>,
    pub(crate) rooms: Bounded<Room, First<RoomIds>>,
    /// Room, user, joined, from, to.
    pub(crate) moves: Bounded<(Room, User, bool, At, At), ()>,
    pub(crate) threads: Bounded<Fingerprint, Holders<Issue>>,
    pub(crate) uniques: Bounded<Unique, Holders<()>>,
    /// Pieces of tokens.
    pub(crate) pieces: Bounded<Fingerprint, Holders<()>>,
    /// Who was called what.
    pub(crate) seen_as: Bounded<(User, Fingerprint), Seen>,
    pub(crate) read_back: Bounded<(Conn, At, Place), First<ReadBack>>,
    pub(crate) endings: Bounded<Session, Ending>,
    pub(crate) stored: Collected<(User, Serial), Stored>,
    pub(crate) audits: u64,
    pub(crate) incomplete_audits: u64,
    pub(crate) probes: [ProbeCount; 6],
    pub(crate) probed: Bounded<Place, First<Probed>>,
    pub(crate) situations: Bounded<String, Occurred>,
    pub(crate) pools: Bounded<String, Hygiene>,
    pub(crate) phases: Bounded<u16, First<Phase>>,
    pub(crate) roles: BTreeMap<Role, Tries>,
    /// Services that died and limits that were hit.
    pub(crate) losses: Bounded<String, ()>,
    /// Contradictions.
    pub(crate) problems: Bounded<String, ()>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            headers: Bounded::new(2),
            ends: Bounded::new(2),
            accounts: Bounded::new(FACTS_MAX),
            rooms: Bounded::new(FACTS_MAX),
            moves: Bounded::new(FACTS_MAX),
            threads: Bounded::new(FACTS_MAX),
            uniques: Bounded::new(FACTS_MAX),
            pieces: Bounded::new(PIECES_MAX),
            seen_as: Bounded::new(FACTS_MAX),
            read_back: Bounded::new(IDENTIFIED_MAX),
            endings: Bounded::new(FACTS_MAX),
            stored: Collected::new(SIGHTINGS_MAX),
            audits: 0,
            incomplete_audits: 0,
            probes: [ProbeCount::default(); 6],
            probed: Bounded::new(PROBES_MAX),
            situations: Bounded::new(NAMES_MAX),
            pools: Bounded::new(NAMES_MAX),
            phases: Bounded::new(NAMES_MAX),
            roles: BTreeMap::new(),
            losses: Bounded::new(PROBLEMS_MAX),
            problems: Bounded::new(PROBLEMS_MAX),
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.headers.merge(other.headers);
        self.ends.merge(other.ends);
        self.accounts.merge(other.accounts);
        self.rooms.merge(other.rooms);
        self.moves.merge(other.moves);
        self.threads.merge(other.threads);
        self.uniques.merge(other.uniques);
        self.pieces.merge(other.pieces);
        self.seen_as.merge(other.seen_as);
        self.read_back.merge(other.read_back);
        self.endings.merge(other.endings);
        self.stored.merge(other.stored);
        self.audits.join(other.audits);
        self.incomplete_audits.join(other.incomplete_audits);
        for (mine, theirs) in self.probes.iter_mut().zip(other.probes) {
            mine.refused.join(theirs.refused);
            mine.total.join(theirs.total);
        }
        self.probed.merge(other.probed);
        self.situations.merge(other.situations);
        self.pools.merge(other.pools);
        self.phases.merge(other.phases);
        for (role, tries) in other.roles {
            let mine = self.roles.entry(role).or_default();
            mine.invoked.join(tries.invoked);
            mine.ok.join(tries.ok);
        }
        self.losses.merge(other.losses);
        self.problems.merge(other.problems);
    }

    /// Names of the tables that dropped something which verdicts need.
    pub(crate) fn overflows(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.accounts.overflowed(), "accounts"),
            (self.rooms.overflowed(), "rooms"),
            (self.moves.overflowed(), "membership changes"),
            (self.threads.overflowed(), "threads"),
            (self.uniques.overflowed(), "tokens"),
            (self.pieces.overflowed(), "pieces of tokens"),
            (self.seen_as.overflowed(), "identities read back"),
            (self.endings.overflowed(), "ended sessions"),
            (self.stored.overflowed(), "stored canaries"),
            (self.probed.overflowed(), "probes"),
            (self.situations.overflowed(), "situations"),
            (self.pools.overflowed(), "pools"),
        ]
        .into_iter()
        .filter_map(|(overflowed, name)| overflowed.then_some(name))
    }

    /// Takes a fact that belongs to no connection.
    pub(crate) fn take(&mut self, at: At, place: Place, fact: &Fact<'_>) {
        match fact {
            Fact::Run(header) => self.headers.put(place, First::new(place, (**header).clone())),
            Fact::Ended { interrupted } => self.ends.put(place, First::new(place, *interrupted)),
            Fact::Account(account) => self.account(at, place, account),
            Fact::RoomIssued(issued) => self.room_issued(place, issued),
            Fact::ThreadIssued(issued) => self.thread_issued(place, issued),
            Fact::Membership {
                room,
                user,
                joined,
                during,
            } => {
                self.moves
                    .put((*room, *user, *joined, during.from, during.to), ());
            }
            Fact::Token(token) => self.token(place, token),
            Fact::Identified(identified) => self.identified(place, identified),
            Fact::Boundary {
                session,
                kind,
                during,
                ..
            } => {
                self.endings.put(
                    *session,
                    Ending {
                        during: *during,
                        kind: *kind,
                    },
                );
            }
            Fact::PhaseBegan { phase, round, .. } => {
                self.phases.put(
                    *phase,
                    First::new(
                        place,
                        Phase {
                            began: at,
                            round: *round,
                        },
                    ),
                );
            }
            fact => self.take_outcome(fact),
        }
    }

    /// Takes a fact about how the run went.
    fn take_outcome(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Situation {
                name,
                count,
                required_by,
                ..
            } => {
                let required_by = required_by.iter().copied().collect();
                self.situations.put(
                    name.clone().into_owned(),
                    Occurred {
                        count: *count,
                        required_by,
                    },
                );
            }
            Fact::AuditEnd { complete, .. } => {
                self.audits += 1;
                self.incomplete_audits += u64::from(!complete);
            }
            Fact::Pool(figures) => self.pool(figures),
            Fact::ServiceDied { name, detail } => {
                self.losses
                    .put(format!("a service was lost in mid-run: {name} ({detail})"), ());
            }
            Fact::FaultInjected { what } => self.losses.put(format!("a fault was injected: {what}"), ()),
            Fact::LimitHit { what } => self.losses.put(format!("a limit was hit: {what}"), ()),
            _ => {}
        }
    }

    fn account(&mut self, at: At, place: Place, account: &Account<'_>) {
        let user_id = fingerprint_of_id(&account.user_id);
        let tenant_id = fingerprint_of_id(&account.tenant_id);
        // where there are no tenants, there is no id that could be missed
        let tenant = account.tenant_id.is_empty() || is_recognised(&account.tenant_id);
        let recognised = is_recognised(&account.user_id) && tenant;
        let value = Ids {
            tenant: account.tenant,
            user_id,
            tenant_id,
            recognised,
        };
        self.accounts.put(account.user, First { place, value });
        self.uniques
            .put(Unique::UserId(user_id), Holders::one(at, place, account.user, ()));
    }

    fn room_issued(&mut self, place: Place, issued: &RoomIssued<'_>) {
        let value = RoomIds {
            owner: issued.owner,
            room_id: fingerprint_of_id(&issued.room_id),
        };
        self.rooms.put(issued.room, First { place, value });
    }

    fn thread_issued(&mut self, place: Place, issued: &ThreadIssued<'_>) {
        let &ThreadIssued { conn, op, during, .. } = issued;
        let issue = Issue {
            conn,
            op,
            during,
            recognised: is_recognised(&issued.thread_id),
        };
        let holders = Holders::one(issued.during.to, place, issued.owner, issue);
        self.threads.put(fingerprint_of_id(&issued.thread_id), holders);
    }

    fn token(&mut self, place: Place, token: &Token) {
        let held = || Holders::one(token.during.to, place, token.user, ());
        self.uniques.put(Unique::Token(token.whole), held());
        if let Some(id) = token.token_id {
            self.uniques.put(Unique::TokenId(id), held());
        }
        for &piece in &token.pieces {
            self.pieces.put(piece, held());
        }
    }

    fn identified(&mut self, place: Place, identified: &Identified<'_>) {
        let &Identified {
            user,
            conn,
            replica,
            during,
            ..
        } = identified;
        let seen = Seen::once(during.to, place)
            .over(conn)
            .says(identified.seen.clone().into_owned());
        self.seen_as
            .put((user, fingerprint_of_id(&identified.seen)), seen);
        let value = ReadBack {
            user,
            replica,
            to: during.to,
        };
        self.read_back
            .put((conn, during.from, place), First { place, value });
    }

    pub(crate) fn probe(&mut self, place: Place, probe: &Probe<'_>) {
        let denied = matches!(probe.result, ProbeResult::Refused | ProbeResult::Silent);
        let resolved = denied && probe.control_before && probe.control_after;
        let count = &mut self.probes[index(probe.check)];
        count.total += 1;
        count.refused += u64::from(resolved);
        if probe.result == ProbeResult::Accepted {
            // a violation, of which no more has to be known: however many they are, they take nothing from the others
            return;
        }
        let value = Probed {
            check: probe.check,
            name: probe.name.clone().into_owned(),
            attacker: probe.attacker,
            conn: probe.conn,
            during: probe.during,
            shortfall: match probe.result {
                _ if resolved => None,
                ProbeResult::Lost => Some(probe.detail.clone().into_owned()),
                _ => Some("the same on its user's own was not accepted".into()),
            },
        };
        self.probed.put(place, First { place, value });
    }

    fn pool(&mut self, figures: &PoolFigures) {
        let findings = figures.hygiene_findings.iter().cloned().collect();
        let hygiene = Hygiene {
            checked: figures.hygiene_checked,
            findings,
        };
        self.pools.put(figures.label.clone(), hygiene);
    }

    pub(crate) fn stored(&mut self, user: User, serial: Serial, stored: Stored) {
        self.stored.put((user, serial), stored);
    }
}
