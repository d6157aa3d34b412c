//! What one checker comes to.

use std::borrow::Cow;
use std::collections::BTreeSet;

use history::{Check, Conn, Round, User};

use crate::bounded::Bounded;
use crate::judgement::Finding;
use crate::limits::{FINDINGS_MAX, NAMED_IN_REASON_MAX};
use crate::seen::Seen;

use super::sightings::Violation;

/// What a rate is per: a connection in a phase of a round.
pub(crate) type UnitKey = (Conn, u16, Round);

/// Violations, exposures, and reasons against validity of one check.
#[derive(Debug)]
pub(crate) struct Docket {
    pub(crate) check: Check,
    violations: Bounded<Violation, Seen>,
    reasons: Vec<String>,
    units: BTreeSet<UnitKey>,
    pub(crate) events: u64,
}

impl Docket {
    pub(crate) fn new(check: Check) -> Self {
        Self {
            check,
            violations: Bounded::new(FINDINGS_MAX),
            reasons: Vec::new(),
            units: BTreeSet::new(),
            events: 0,
        }
    }

    /// Takes what was plain where it was seen.
    pub(crate) fn adopt(&mut self, violations: &Bounded<Violation, Seen>) {
        self.violations.merge(violations.clone());
    }

    pub(crate) fn violation(
        &mut self,
        kind: impl Into<Cow<'static, str>>,
        observer: User,
        victim: Option<User>,
        seen: Seen,
    ) {
        self.violations.put(
            Violation {
                kind: kind.into(),
                observer,
                victim,
            },
            seen,
        );
    }

    /// Adds a reason why the check is not valid.
    pub(crate) fn reason(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Counts `events` exposing events in a unit.
    pub(crate) fn expose(&mut self, unit: UnitKey, events: u64) {
        self.units.insert(unit);
        self.events += events;
    }

    pub(crate) fn units(&self) -> u64 {
        self.units.len() as u64
    }

    pub(crate) fn violations(&self) -> u64 {
        self.violations.len() as u64
    }

    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = self.reasons.clone();
        if self.violations.overflowed() {
            reasons.push(format!(
                "more than {FINDINGS_MAX} distinct violations; the rest is not told apart"
            ));
        }
        reasons
    }

    /// The violations, the earliest first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.violations.iter().map(|found| self.finding(found)).collect();
        findings.sort_by_key(|finding| (finding.at, finding.place));
        findings
    }

    fn finding(&self, (violation, seen): (&Violation, &Seen)) -> Finding {
        Finding {
            check: self.check,
            kind: violation.kind.clone().into_owned(),
            observer: violation.observer,
            victim: violation.victim,
            conn: seen.conn,
            op: seen.op,
            place: seen.place,
            at: seen.at,
            encoding: seen.encoding.to_string(),
            detail: seen.detail.clone().into_owned(),
            count: seen.count,
            needle: seen.needle,
        }
    }
}

/// `user 3`, `users 3 and 7`, `users 0, 1, 2, 3, 4 and 7 more`.
pub(crate) fn users(users: &BTreeSet<User>) -> String {
    let noun = if users.len() == 1 { "user" } else { "users" };
    let mut named: Vec<_> = users
        .iter()
        .take(NAMED_IN_REASON_MAX)
        .map(|user| user.0.to_string())
        .collect();
    let more = users.len() - named.len();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    match named.split_last() {
        Some((last, [])) => format!("{noun} {last}"),
        Some((last, rest)) => format!("{noun} {} and {last}", rest.join(", ")),
        None => format!("no {noun}"),
    }
}
