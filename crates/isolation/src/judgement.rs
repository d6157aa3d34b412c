//! All that was decided about a run.

use history::{At, Check, Conn, Fingerprint, Op, Place, Serial, User};
use serde::{Deserialize, Serialize};

use crate::canary::Datum;
use crate::{CheckVerdict, NonInterference, ProbeCount, State};

/// The judgement of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdicts, in the order of [`Check::ALL`].
    pub verdicts: [CheckVerdict; 6],
    /// The distinct violations, by check, kind, observer and victim; at most 1,024 of each check.
    pub findings: Vec<Finding>,
    /// What was acknowledged and is not in the database; `None` unless the audit read all rows.
    pub lost_acks: Option<LostAcks>,
    /// Canaries of other runs.
    pub residue: Residue,
    /// Bytes that looked encoded and could not be decoded.
    pub opaque_bytes: u64,
    /// Messages of which the codec understood nothing.
    pub undecodable: u64,
    /// Situations, by name, over all processes.
    pub situations: Vec<Situation>,
    /// The probes of all checks.
    pub probes: ProbeCount,
    /// What the last borrower of a pooled connection left for the next.
    pub pool_hygiene: PoolHygiene,
    /// Whether users were answered alike alone and in company; `None` if nobody asked.
    pub non_interference: Option<NonInterference>,
    /// Why the judgement as a whole is not what it should be: holes and contradictions in the history.
    pub problems: Vec<String>,
}

impl Judgement {
    /// The verdict of one check.
    #[must_use]
    pub fn verdict(&self, check: Check) -> &CheckVerdict {
        &self.verdicts[index(check)]
    }

    /// The worst of all: violated, unknown, valid. Valid takes more than the absence of worse: secret contamination and at least one other
    /// check that is backed by probes must be valid.
    #[must_use]
    pub fn overall(&self) -> State {
        let worst = self
            .verdicts
            .iter()
            .map(|verdict| verdict.state)
            .chain(self.non_interference.iter().map(|seventh| seventh.state))
            .max()
            .unwrap_or(State::Unknown);
        if worst == State::Violated || !self.pool_hygiene.findings.is_empty() {
            State::Violated
        } else if worst == State::Valid && self.problems.is_empty() && self.is_founded() {
            State::Valid
        } else {
            State::Unknown
        }
    }

    /// Whether what a run needs at least is valid.
    fn is_founded(&self) -> bool {
        let valid = |verdict: &&CheckVerdict| verdict.state == State::Valid;
        let probed = |verdict: &CheckVerdict| verdict.check != Check::Secret && verdict.probes.total > 0;
        valid(&self.verdict(Check::Secret)) && self.verdicts.iter().filter(valid).any(probed)
    }
}

/// Where a check stands in [`Check::ALL`].
pub(crate) fn index(check: Check) -> usize {
    match check {
        Check::Thread => 0,
        Check::Token => 1,
        Check::Secret => 2,
        Check::Response => 3,
        Check::UserId => 4,
        Check::Boundary => 5,
    }
}

/// One distinct violation, and where it was seen first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check it violates.
    pub check: Check,
    /// What kind of violation.
    pub kind: String,
    /// Who got what it should not have.
    pub observer: User,
    /// Whose it was; `None` if that cannot be told.
    pub victim: Option<User>,
    /// Over this connection.
    pub conn: Option<Conn>,
    /// In the course of this attempt.
    pub op: Option<Op>,
    /// The event that shows it.
    pub place: Place,
    /// When that was.
    pub at: At,
    /// How it was written there: `plain`, or the decodings that led to it.
    pub encoding: String,
    /// What it was, in words.
    pub detail: String,
    /// How often it was seen.
    pub count: u64,
    /// What to look for in the bytes of the event.
    pub needle: Option<Needle>,
}

/// What betrays a leak in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needle {
    /// A canary of this owner.
    Canary {
        /// Who planted it.
        owner: User,
        /// As what.
        datum: Datum,
    },
    /// An identifier, or a piece of a token.
    Identifier(Fingerprint),
}

/// What was acknowledged and is not in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAcks {
    /// How many.
    pub count: u64,
    /// The first hundred, by user and serial.
    pub named: Vec<LostAck>,
}

/// One write that was acknowledged and is not in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAck {
    /// Who wrote it.
    pub user: User,
    /// Serial of the canary in it.
    pub serial: Serial,
    /// The attempt.
    pub op: Op,
}

/// Canaries of other runs: a store that was not cleared, no violation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// How many were seen.
    pub count: u64,
    /// Of these runs, the sixteen smallest numbers.
    pub runs: Vec<u32>,
}

/// How often a situation occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    /// Name, as on the operator port.
    pub name: String,
    /// Over all processes.
    pub count: u64,
    /// Checks that need it.
    pub required_by: Vec<Check>,
}

/// What was found on pooled connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHygiene {
    /// Checkouts examined.
    pub checked: u64,
    /// What was found, with the pool's label; each is a violation.
    pub findings: Vec<String>,
}
