//! The judge: takes a run's events, merges with other judges, decides.

pub(crate) mod case;
mod check;
mod connection;
pub(crate) mod docket;
mod finish;
mod inbound;
mod ledger;
mod pending;
mod reply;
mod sightings;

use std::collections::BTreeMap;

use history::{
    At, AuditRow, Conn, Event, Fact, Inbound, Interval, Invoked, Op, Outcome, Place, Probe, ProbeResult,
    Replica, User,
};
use rustc_hash::FxHashMap;

use crate::Judgement;
use crate::canary::Found;
use crate::differential::Transcripts;
use crate::identity::fingerprint_of_id;
use crate::scan::{Medium, Scanner};
use crate::seen::Seen;
use crate::ticks::Ticks;

use case::Case;
use connection::{Connection, Opened};
use inbound::Frame;
use ledger::{Ledger, Occurred, Stored};
use sightings::{Read, Row, Sightings};

/// Judges the events of a run.
///
/// Every worker has one of its own, and all events of one connection go to one judge, in their order; all other facts
/// may go to any. [`Judge::merge`] is commutative and associative, so that it does not matter how many there were or in
/// which order they meet.
///
/// ```
/// use history::{At, Event, Fact, Place};
/// use isolation::{Judge, State};
///
/// let mut judge = Judge::new(4711);
/// let ended = Event { at: At(1), fact: Fact::Ended { interrupted: false } };
/// judge.observe(Place { worker: 0, index: 0 }, &ended);
/// // nothing was seen, so nothing is proven
/// assert_eq!(judge.finish().overall(), State::Unknown);
/// ```
#[derive(Debug)]
pub struct Judge {
    run: u32,
    scanner: Scanner,
    ledger: Ledger,
    sightings: Sightings,
    connections: FxHashMap<Conn, Box<Connection>>,
    /// Attempts that are not completed.
    attempts: FxHashMap<Op, Conn>,
    in_flight: BTreeMap<Replica, Ticks>,
    transcripts: Transcripts,
}

impl Judge {
    /// A judge for the run of this number (25 bits), which canaries carry.
    #[must_use]
    pub fn new(run: u32) -> Self {
        Self {
            run,
            scanner: Scanner::new(run),
            ledger: Ledger::new(),
            sightings: Sightings::new(),
            connections: FxHashMap::default(),
            attempts: FxHashMap::default(),
            in_flight: BTreeMap::new(),
            transcripts: Transcripts::default(),
        }
    }

    /// Takes an event and where it stands in the history.
    pub fn observe(&mut self, place: Place, event: &Event<'_>) {
        self.transcripts.observe(place, event);
        let at = event.at;
        match &event.fact {
            Fact::Opened {
                conn,
                user,
                session,
                replica,
                channel,
                ..
            } => {
                self.connection(*conn).accepting = true;
                self.own(*conn, *user);
                self.connection(*conn).accepting = false;
                let opened = Opened {
                    at,
                    place,
                    session: *session,
                    replica: *replica,
                    channel: *channel,
                };
                self.connection(*conn).opened = Some(opened);
            }
            Fact::Refused { conn, user, .. } => {
                self.connection(*conn).refused = true;
                self.own(*conn, *user);
            }
            Fact::Closed { conn, cause, .. } => self.connection(*conn).close(at, *cause),
            Fact::Invoked(invoked) => self.invoked(at, invoked),
            Fact::Completed { op, outcome } => self.completed(at, place, *op, outcome),
            Fact::Inbound(inbound) => self.inbound(at, place, inbound),
            Fact::AuditRow(row) => self.audit_row(at, place, row),
            Fact::Probe(probe) => self.probe(at, place, probe),
            fact => self.ledger.take(at, place, fact),
        }
    }

    /// Takes in what another judge of the same run saw.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        if self.run != other.run {
            let (low, high) = (self.run.min(other.run), self.run.max(other.run));
            self.run = low;
            self.ledger.problems.put(
                format!("histories of two runs, {low} and {high}, were merged"),
                (),
            );
        }
        self.ledger.merge(other.ledger);
        self.sightings.merge(other.sightings);
        self.transcripts.merge(other.transcripts);
        for (conn, connection) in other.connections {
            if self.connections.insert(conn, connection).is_some() {
                let problem = format!("connection {} stands in the histories of two workers", conn.0);
                self.ledger.problems.put(problem, ());
            }
        }
        self.attempts.extend(other.attempts);
        for (replica, ticks) in other.in_flight {
            self.in_flight.entry(replica).or_default().merge(ticks);
        }
        self
    }

    /// Joins what was seen with what is known, and decides.
    #[must_use]
    pub fn finish(mut self) -> Judgement {
        self.end_connections();
        self.ledger.stored.settle();
        finish::judgement(&Case::new(&self), &self.transcripts)
    }

    fn connection(&mut self, conn: Conn) -> &mut Connection {
        self.connections
            .entry(conn)
            .or_insert_with(|| Box::new(Connection::new()))
    }

    /// Notes whose a connection is, and judges what it received before that was known.
    fn own(&mut self, conn: Conn, user: User) {
        let connection = self.connection(conn);
        if *connection.user.get_or_insert(user) != user {
            let problem = format!("connection {} is said to be of two users", conn.0);
            return self.ledger.problems.put(problem, ());
        }
        for (at, place, inbound) in connection.pending.take() {
            self.inbound(at, place, &inbound);
        }
    }

    fn invoked(&mut self, at: At, invoked: &Invoked<'_>) {
        self.own(invoked.conn, invoked.user);
        self.connection(invoked.conn).invoke(at, invoked);
        self.attempts.insert(invoked.op, invoked.conn);
        if !invoked.probe {
            self.ledger.roles.entry(invoked.role).or_default().invoked += 1;
        }
        if let Some(serial) = invoked.stores {
            let write = Some((at, invoked.op));
            self.ledger.stored(
                invoked.user,
                serial,
                Stored {
                    write,
                    ..Stored::default()
                },
            );
        }
    }

    fn completed(&mut self, at: At, place: Place, op: Op, outcome: &Outcome) {
        let Some(conn) = self.attempts.remove(&op) else {
            let problem = format!("attempt {} ended and never began", op.0);
            return self.ledger.problems.put(problem, ());
        };
        let accepted = *outcome == Outcome::Ok;
        if let Some(mut frame) = self.frame(at, place, conn) {
            frame.complete(op, accepted);
        }
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let Some(attempt) = connection.attempt(op) else {
            return;
        };
        attempt.completed = true;
        let (role, probe, invoked) = (attempt.role, attempt.probe, attempt.invoked);
        connection.settle(op);
        if accepted && !probe {
            self.ledger.roles.entry(role).or_default().ok += 1;
        }
        let answered = !matches!(outcome, Outcome::Info(_));
        if let (true, Some(user), Some(opened)) = (answered, connection.user, connection.opened) {
            let ticks = self.in_flight.entry(opened.replica).or_default();
            ticks.mark(
                user,
                Interval {
                    from: invoked,
                    to: at,
                },
            );
        }
    }

    fn inbound(&mut self, at: At, place: Place, inbound: &Inbound<'_>) {
        if let Some(mut frame) = self.frame(at, place, inbound.conn) {
            return frame.judge(inbound);
        }
        if !self.connection(inbound.conn).pending.keep(at, place, inbound) {
            let problem = format!(
                "too much came over connection {} before it was opened",
                inbound.conn.0
            );
            self.ledger.problems.put(problem, ());
        }
    }

    /// What judging a message takes; `None` as long as it is not known whose the connection is.
    fn frame(&mut self, at: At, place: Place, conn: Conn) -> Option<Frame<'_>> {
        let connection = self.connections.get_mut(&conn)?;
        let user = connection.user?;
        let (ledger, sightings, scanner) = (&mut self.ledger, &mut self.sightings, &mut self.scanner);
        Some(Frame {
            at,
            place,
            conn,
            user,
            connection,
            ledger,
            sightings,
            scanner,
        })
    }

    fn audit_row(&mut self, at: At, place: Place, row: &AuditRow<'_>) {
        let scanned = self.scanner.scan(&row.body, Medium::Text);
        self.sightings.opaque_bytes += scanned.opaque;
        let owner = row.owner.as_deref().map(fingerprint_of_id);
        for hit in scanned.hits {
            let (head, serial) = match hit.found {
                Found::Whole(canary) => (Read::from(canary).head, Some(canary.serial)),
                Found::Head(head) => (head, None),
                Found::Fragment(_) => continue,
            };
            if hit.residue {
                self.sightings.residue(head.run);
                continue;
            }
            if let (Some(serial), false) = (serial, row.derived) {
                self.ledger.stored(
                    head.owner,
                    serial,
                    Stored {
                        audited: true,
                        ..Stored::default()
                    },
                );
            }
            let key = Row {
                canary: head,
                derived: row.derived,
                owner,
                author: fingerprint_of_id(&row.author),
                tenant: fingerprint_of_id(&row.tenant),
                room: owner.is_none().then(|| fingerprint_of_id(&row.container)),
            };
            let detail = format!("a row of {}", row.table);
            self.sightings.rows.put(
                key,
                Seen {
                    encoding: hit.encoding,
                    ..Seen::once(at, place).says(detail)
                },
            );
        }
    }

    fn probe(&mut self, at: At, place: Place, probe: &Probe<'_>) {
        self.ledger.probe(place, probe);
        if probe.result == ProbeResult::Accepted {
            let kind = format!("probe accepted: {}", probe.name);
            let seen = Seen {
                conn: probe.conn,
                ..Seen::once(at, place).says(probe.detail.clone().into_owned())
            };
            self.sightings
                .violate(probe.check, kind, probe.attacker, probe.victim, seen);
        }
    }

    /// Nothing more comes: ends all streams.
    fn end_connections(&mut self) {
        let lasts: Vec<_> = self
            .connections
            .iter()
            .map(|(&conn, connection)| (conn, connection.last))
            .collect();
        for (conn, last) in lasts {
            if let Some(mut frame) = last.and_then(|(at, place)| self.frame(at, place, conn)) {
                frame.end();
            }
        }
    }
}
