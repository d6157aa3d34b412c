//! Histories in a few words: what the tests tell the judge.

use std::collections::BTreeMap;

use history::{
    At, Audience, Check, Conn, Event, Fact, Fingerprint, Interval, Op, Place, Role, RunHeader, Serial, User,
};
use isolation::canary::{Canary, Datum, Mint};
use isolation::{Finding, Judge, Judgement, State};

pub(crate) const RUN: u32 = 4711;
pub(crate) const GRACE_MS: u64 = 1000;

/// An instant, in milliseconds.
pub(crate) fn ms(at: u64) -> At {
    At(at * 1_000_000)
}

pub(crate) fn span(from: u64, to: u64) -> Interval {
    Interval {
        from: ms(from),
        to: ms(to),
    }
}

pub(crate) fn user_id(user: u32) -> String {
    format!("aaaaaaaa-0000-4000-8000-{user:012x}")
}

pub(crate) fn tenant_id(tenant: u32) -> String {
    format!("bbbbbbbb-0000-4000-8000-{tenant:012x}")
}

pub(crate) fn thread_id(thread: u32) -> String {
    format!("cccccccc-0000-4000-8000-{thread:012x}")
}

pub(crate) fn room_id(room: u32) -> String {
    format!("dddddddd-0000-4000-8000-{room:012x}")
}

/// A token as auth makes them: alike but for the signature.
pub(crate) fn token(user: u32) -> String {
    let letter = |at| char::from(b'A' + (Fingerprint::of(&[user as u8, at]).0 % 26) as u8);
    let signature: String = (0..86).map(letter).collect();
    format!("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhdXRoIn0.{signature}")
}

/// Users 2n and 2n+1 are of tenant n.
pub(crate) fn tenant_of(user: u32) -> u32 {
    user / 2
}

/// The main connection of a user; those of one parity talk to one process.
pub(crate) fn conn(user: u32) -> Conn {
    Conn(10 + user)
}

/// What happened, in any order; told in the order of the clock.
#[derive(Clone)]
pub(crate) struct Story {
    events: Vec<(u64, Fact<'static>)>,
    mints: Vec<Mint>,
    pub(crate) next_op: u64,
}

/// An attempt to tell of.
pub(crate) struct Ask {
    pub(crate) conn: Conn,
    pub(crate) user: u32,
    pub(crate) role: Role,
    pub(crate) nonce: Option<Serial>,
    pub(crate) stores: Option<Serial>,
    pub(crate) names: Vec<String>,
    pub(crate) probe: bool,
}

/// An attempt of a user over its main connection.
pub(crate) fn ask(user: u32, role: Role) -> Ask {
    Ask {
        conn: conn(user),
        user,
        role,
        nonce: None,
        stores: None,
        names: vec![],
        probe: false,
    }
}

impl Story {
    /// Nothing at all.
    pub(crate) fn empty() -> Self {
        let mints = (0..64).map(|user| Mint::new(User(user), RUN).unwrap()).collect();
        Self {
            events: vec![],
            mints,
            next_op: 0,
        }
    }

    /// Tells a fact at an instant in milliseconds.
    pub(crate) fn tell(&mut self, at: u64, fact: Fact<'static>) -> &mut Self {
        self.events.push((at, fact));
        self
    }

    /// Keeps those facts for which `keep` holds.
    pub(crate) fn without(&mut self, drop: impl Fn(&Fact<'_>) -> bool) -> &mut Self {
        self.events.retain(|(_, fact)| !drop(fact));
        self
    }

    /// Changes facts.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut Fact<'static>)) -> &mut Self {
        self.events.iter_mut().for_each(|(_, fact)| change(fact));
        self
    }

    pub(crate) fn header(&mut self, change: impl FnOnce(&mut RunHeader)) -> &mut Self {
        let mut change = Some(change);
        self.change(|fact| {
            if let (Fact::Run(header), Some(change)) = (fact, change.take()) {
                change(header);
            }
        })
    }

    pub(crate) fn mint(&mut self, owner: u32, audience: Audience, datum: Datum) -> Canary {
        self.mints[owner as usize].mint(audience, datum).unwrap()
    }

    pub(crate) fn secret(&mut self, owner: u32) -> Canary {
        self.mint(owner, Audience::Owner, Datum::Secret)
    }

    /// The events in the order of the clock, with their places: a worker for each connection, worker 0 for the rest.
    pub(crate) fn events(&self) -> Vec<(Place, Event<'static>)> {
        let mut events = self.events.clone();
        events.sort_by_key(|&(at, _)| at);
        let homes = homes(&events);
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        let mut told = Vec::new();
        for (at, fact) in events {
            let worker = home(&fact, &homes).map_or(0, |conn| conn.0 as u16 + 1);
            let index = counts.entry(worker).or_default();
            told.push((
                Place {
                    worker,
                    index: *index,
                },
                Event { at: ms(at), fact },
            ));
            *index += 1;
        }
        told
    }

    pub(crate) fn judge(&self) -> Judgement {
        let mut judge = Judge::new(RUN);
        for (place, event) in self.events() {
            judge.observe(place, &event);
        }
        judge.finish()
    }
}

fn homes(events: &[(u64, Fact<'_>)]) -> BTreeMap<Op, Conn> {
    let invoked = events.iter().filter_map(|(_, fact)| match fact {
        Fact::Invoked(invoked) => Some((invoked.op, invoked.conn)),
        _ => None,
    });
    invoked.collect()
}

/// The connection to which a fact belongs, if to any.
fn home(fact: &Fact<'_>, homes: &BTreeMap<Op, Conn>) -> Option<Conn> {
    match fact {
        Fact::Opened { conn, .. } | Fact::Refused { conn, .. } | Fact::Closed { conn, .. } => Some(*conn),
        Fact::Invoked(invoked) => Some(invoked.conn),
        Fact::Inbound(inbound) => Some(inbound.conn),
        Fact::Completed { op, .. } => homes.get(op).copied(),
        _ => None,
    }
}

/// Checks that the judgement holds exactly one finding of `check`, of that kind, observer and victim; other checks may
/// have their own.
#[track_caller]
pub(crate) fn violated(
    story: &Story,
    check: Check,
    kind: &str,
    observer: u32,
    victim: impl Into<Option<u32>>,
) -> Finding {
    let judgement = story.judge();
    let mut found: Vec<_> = judgement
        .findings
        .iter()
        .filter(|finding| finding.check == check)
        .collect();
    let expected = (kind, User(observer), victim.into().map(User));
    let told: Vec<_> = found
        .iter()
        .map(|finding| (finding.kind.as_str(), finding.observer, finding.victim))
        .collect();
    assert_eq!(told, [expected], "{judgement:#?}");
    assert_eq!(judgement.verdict(check).state, State::Violated);
    assert_eq!(judgement.overall(), State::Violated);
    found.remove(0).clone()
}

/// Checks that a check is unknown, and that a reason begins like this.
#[track_caller]
pub(crate) fn unknown(story: &Story, check: Check, reason: &str) {
    let judgement = story.judge();
    let verdict = judgement.verdict(check);
    assert_eq!(verdict.state, State::Unknown, "{verdict}");
    let given = verdict.reasons.iter().any(|given| given.contains(reason));
    assert!(given, "{reason:?} is not among {:#?}", verdict.reasons);
    assert_ne!(judgement.overall(), State::Valid);
}

/// Checks that all is valid.
#[track_caller]
pub(crate) fn valid(story: &Story) {
    let judgement = story.judge();
    assert!(judgement.findings.is_empty(), "{:#?}", judgement.findings);
    for verdict in &judgement.verdicts {
        assert_eq!(verdict.state, State::Valid, "{verdict}");
    }
    assert_eq!(judgement.overall(), State::Valid, "{:#?}", judgement.problems);
}
