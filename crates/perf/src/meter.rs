//! What turns events into sums.

use std::collections::BTreeMap;

use history::{At, Event, Fact, Interval, Op, PoolFigures, RunHeader};
use rustc_hash::FxHashMap;

use crate::attempt::{Begun, Ended};
use crate::connect::ConnectTally;
use crate::performance::Performance;
use crate::phase::{PhaseFacts, PhaseTally};

/// Sums over the events of a run, or of a part of it.
///
/// Every worker has one and nothing is shared; [`Meter::merge`] is commutative and associative, and an event may be in any
/// part: an attempt may begin in one and end in another.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    pub(crate) header: Option<Box<RunHeader>>,
    pub(crate) open: FxHashMap<Op, Begun>,
    pub(crate) ended: FxHashMap<Op, Ended>,
    pub(crate) facts: BTreeMap<u16, PhaseFacts>,
    pub(crate) phases: BTreeMap<u16, PhaseTally>,
    pub(crate) connections: ConnectTally,
    pub(crate) pools: Vec<PoolFigures>,
    pub(crate) stages: Vec<(Interval, String)>,
    pub(crate) last_seen: At,
}

impl Meter {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event into the sums.
    pub fn observe(&mut self, event: &Event<'_>) {
        self.last_seen = self.last_seen.max(event.at);
        match &event.fact {
            Fact::Run(header) => self.header = Some(header.clone()),
            Fact::Invoked(invoked) => self.begin(invoked.op, Begun::new(event.at, invoked)),
            Fact::Completed { op, outcome } => {
                self.end(
                    *op,
                    Ended {
                        at: event.at,
                        outcome: outcome.clone(),
                    },
                );
            }
            Fact::Opened {
                conn,
                user,
                session,
                channel,
                ..
            } => {
                self.connections.opened(*conn, *user, *channel, session.is_some());
            }
            Fact::Ready { conn, total_ns } => self.connections.ready(*conn, *total_ns),
            Fact::Refused {
                expected: false,
                reason,
                ..
            } => self.connections.refused(reason),
            Fact::Closed { conn, cause, .. } => self.connections.closed(*conn, *cause),
            Fact::PhaseBegan {
                phase,
                name,
                round,
                measured,
            } => {
                let began = Some(event.at);
                let facts = PhaseFacts {
                    name: name.to_string(),
                    round: *round,
                    measured: *measured,
                    began,
                    ended: None,
                };
                self.facts.entry(*phase).or_default().merge(facts);
            }
            Fact::PhaseEnded { phase } => {
                let ended = PhaseFacts {
                    ended: Some(event.at),
                    ..PhaseFacts::default()
                };
                self.facts.entry(*phase).or_default().merge(ended);
            }
            Fact::Pool(figures) => self.pools.push((**figures).clone()),
            Fact::Stage { name, during } => self.stages.push((*during, name.to_string())),
            _ => {}
        }
    }

    /// The sums over the events of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.header = self.header.or(other.header);
        self.last_seen = self.last_seen.max(other.last_seen);
        for (phase, facts) in other.facts {
            self.facts.entry(phase).or_default().merge(facts);
        }
        for (phase, tally) in other.phases {
            self.phases.entry(phase).or_default().merge(tally);
        }
        for (op, begun) in other.open {
            self.begin(op, begun);
        }
        for (op, ended) in other.ended {
            self.end(op, ended);
        }
        self.connections.merge(other.connections);
        self.pools.extend(other.pools);
        self.stages.extend(other.stages);
        self
    }

    /// The figures of all that was seen.
    #[must_use]
    pub fn finish(mut self) -> Performance {
        for begun in std::mem::take(&mut self.open)
            .into_values()
            .filter(|begun| !begun.probe)
        {
            self.phases
                .entry(begun.phase)
                .or_default()
                .count_open(begun, self.last_seen);
        }
        Performance::of(self)
    }

    fn begin(&mut self, op: Op, begun: Begun) {
        match self.ended.remove(&op) {
            Some(ended) => self.pair(begun, &ended),
            None => {
                self.open.insert(op, begun);
            }
        }
    }

    fn end(&mut self, op: Op, ended: Ended) {
        match self.open.remove(&op) {
            Some(begun) => self.pair(begun, &ended),
            None => {
                self.ended.insert(op, ended);
            }
        }
    }

    fn pair(&mut self, begun: Begun, ended: &Ended) {
        if !begun.probe {
            self.phases.entry(begun.phase).or_default().count(begun, ended);
        }
    }
}
