//! All that is known when everything is known.

use std::collections::{BTreeMap, BTreeSet};

use history::{
    At, Audience, ChannelKind, Conn, Fingerprint, Interval, Replica, Room, Round, RunHeader, Tenant,
    USERS_MAX, Unseen, User,
};
use rustc_hash::FxHashMap;

use crate::policy::{Memberships, Policy};
use crate::ticks::Ticks;

use super::Judge;
use super::connection::{Connection, IdSeen, Opened};
use super::docket::UnitKey;
use super::ledger::Ledger;
use super::sightings::Sightings;

/// Whom an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    User(User),
    Tenant(Tenant),
}

/// A connection whose user is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) conn: Conn,
    pub(crate) user: User,
    pub(crate) connection: &'a Connection,
}

/// The whole.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) run: u32,
    pub(crate) ledger: &'a Ledger,
    pub(crate) sightings: &'a Sightings,
    /// By number.
    pub(crate) connections: Vec<Of<'a>>,
    /// Connections of which nobody knows whose they are.
    pub(crate) nobodys: BTreeSet<Conn>,
    pub(crate) in_flight: &'a BTreeMap<Replica, Ticks>,
    pub(crate) header: Option<&'a RunHeader>,
    pub(crate) policy: Policy,
    pub(crate) named: FxHashMap<Fingerprint, Named>,
    /// By their ids.
    pub(crate) rooms: FxHashMap<Fingerprint, Room>,
    /// Begins of phases, in order.
    phases: Vec<(At, u16, Round)>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(judge: &'a Judge) -> Self {
        let ledger = &judge.ledger;
        let mut connections = Vec::with_capacity(judge.connections.len());
        let mut nobodys = BTreeSet::new();
        for (&conn, connection) in &judge.connections {
            match connection.user {
                Some(user) => connections.push(Of {
                    conn,
                    user,
                    connection,
                }),
                None => drop(nobodys.insert(conn)),
            }
        }
        connections.sort_unstable_by_key(|of| of.conn);
        let header = ledger.headers.iter().next().map(|(_, first)| &first.value);
        let mut phases: Vec<_> = ledger
            .phases
            .iter()
            .map(|(&number, phase)| (phase.value.began, number, phase.value.round))
            .collect();
        phases.sort_unstable();
        Self {
            run: judge.run,
            ledger,
            sightings: &judge.sightings,
            connections,
            nobodys,
            in_flight: &judge.in_flight,
            header,
            policy: policy(ledger, header),
            named: named(ledger),
            rooms: rooms(ledger),
            phases,
        }
    }

    /// The users whom the plan asked for.
    pub(crate) fn expected(&self) -> BTreeSet<User> {
        (0..self.header.map_or(0, |header| header.users.min(USERS_MAX)))
            .map(User)
            .collect()
    }

    /// Why something cannot be looked into at this target, if its profile says so.
    pub(crate) fn unseen(&self, what: Unseen) -> Option<&'a str> {
        let of_header = self.header.map_or(&[][..], |header| &header.unseen);
        let (_, reason) = of_header.iter().find(|(unseen, _)| *unseen == what)?;
        Some(reason)
    }

    /// The unit of a connection at an instant.
    pub(crate) fn unit_at(&self, conn: Conn, at: At) -> UnitKey {
        let begun = self.phases.partition_point(|&(began, ..)| began <= at);
        let (_, phase, round) = begun
            .checked_sub(1)
            .map_or((At::START, 0, Round(0)), |last| self.phases[last]);
        (conn, phase, round)
    }

    /// Connections that were accepted.
    pub(crate) fn opened(&self) -> impl Iterator<Item = (Of<'a>, Opened)> + '_ {
        self.connections
            .iter()
            .filter_map(|&of| Some((of, of.connection.opened?)))
    }

    pub(crate) fn web_sockets(&self) -> impl Iterator<Item = (Of<'a>, Opened)> + '_ {
        self.opened()
            .filter(|(_, opened)| opened.channel == ChannelKind::WebSocket)
    }

    /// Identifiers and pieces of tokens that came in, over which connection, and not because it had sent them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (Of<'a>, Fingerprint, &'a IdSeen)> + '_ {
        let of_one = |of: &Of<'a>| {
            let of = *of;
            let strange = of.connection.ids.iter().filter(|(_, seen)| !seen.reflected);
            strange.map(move |(&id, seen)| (of, id, seen))
        };
        self.connections.iter().flat_map(of_one)
    }
}

/// All of a run.
pub(crate) const ALWAYS: Interval = Interval {
    from: At::START,
    to: At::NEVER,
};

fn policy(ledger: &Ledger, header: Option<&RunHeader>) -> Policy {
    let mut memberships = Memberships::default();
    for (&(room, user, joined, from, to), ()) in ledger.moves.iter() {
        memberships.add(room, user, joined, Interval { from, to });
    }
    for (&room, issued) in ledger.rooms.iter() {
        // a room's creator is its first member, some time before the id came
        let born = Interval {
            from: At::START,
            to: At::START,
        };
        memberships.add(room, issued.value.owner, true, born);
    }
    Policy {
        identity: header.map_or(Audience::OwnTenant, |header| header.identity_audience),
        tenants: ledger
            .accounts
            .iter()
            .map(|(&user, ids)| (user, ids.value.tenant))
            .collect(),
        memberships,
    }
}

fn rooms(ledger: &Ledger) -> FxHashMap<Fingerprint, Room> {
    let ids = ledger.rooms.iter();
    ids.map(|(&room, issued)| (issued.value.room_id, room)).collect()
}

fn named(ledger: &Ledger) -> FxHashMap<Fingerprint, Named> {
    let mut named = FxHashMap::default();
    // of two users with one id, the lower number; the conflict is a violation of its own
    for (&user, ids) in ledger.accounts.iter() {
        named
            .entry(ids.value.tenant_id)
            .or_insert(Named::Tenant(ids.value.tenant));
        named.entry(ids.value.user_id).or_insert(Named::User(user));
    }
    named
}
