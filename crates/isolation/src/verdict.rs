//! What is printed and gated: one verdict for each check.

use std::fmt;

use history::Check;
use serde::{Deserialize, Serialize};

/// States of a verdict, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The target cannot have this; its profile says why.
    NotApplicable,
    /// Applicable, exercised, controls seen, nothing found.
    Valid,
    /// Applicable but not proven.
    Unknown,
    /// Evidence of a leak.
    Violated,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplicable => "not applicable",
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Violated => "violated",
        })
    }
}

/// Attempts that must be denied, and how many were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCount {
    /// Denied, with the control accepted before and after.
    pub refused: u64,
    /// All attempts.
    pub total: u64,
}

/// The required situation that occurred least often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weakest {
    /// Its name.
    pub situation: String,
    /// How often it occurred, over all processes.
    pub count: u64,
    /// See [`upper_bound`].
    pub bound: f64,
}

/// The verdict of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckVerdict {
    /// Which check.
    pub check: Check,
    /// The verdict.
    pub state: State,
    /// Why it is not valid, or what else is to be said.
    pub reasons: Vec<String>,
    /// Distinct violations: by kind, observer and victim.
    pub violations: u64,
    /// Exposures, each (connection, phase, round) with at least one event counted once.
    pub units: u64,
    /// Exposing events; never used for the bound, since events within a unit are not independent.
    pub events: u64,
    /// See [`upper_bound`]; `None` without a unit or with a violation.
    pub bound: Option<f64>,
    /// The check's probes.
    pub probes: ProbeCount,
    /// The weakest of the situations that the check requires.
    pub weakest: Option<Weakest>,
    /// What the check says nothing about.
    pub not_covered: String,
}

/// Upper end of the one-sided 95 % confidence interval of a rate, after no violation in `n` independent units:
/// the rate p at which (1 - p)^n = 0.05, as a share from 0 to 1. `None` for no unit.
///
/// About 3/n: Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983), 1743-1745.
#[must_use]
pub fn upper_bound(n: u64) -> Option<f64> {
    (n > 0).then(|| -(0.05_f64.ln() / n as f64).exp_m1())
}

impl fmt::Display for CheckVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.check.letter(), self.state)?;
        if self.state == State::NotApplicable {
            return f.write_str(&self.reasons.join("; "));
        }
        if self.state == State::Unknown {
            write!(f, "{}. ", self.reasons.join("; "))?;
        }
        let violations = counted(self.violations, "violation");
        let units = counted(self.units, "unit");
        let events = events(self.check, self.events);
        write!(
            f,
            "{violations} in {events}, {units} (connection x phase x round)."
        )?;
        if let Some(bound) = self.bound {
            let bound = percent(bound);
            write!(
                f,
                " If units leak independently at one rate, it is below {bound} (95 %)."
            )?;
        }
        if self.probes.total > 0 {
            let (refused, total) = (grouped(self.probes.refused), grouped(self.probes.total));
            write!(f, " {refused} of {total} denied paths refused.")?;
        }
        if let Some(weakest) = &self.weakest {
            let (count, bound) = (grouped(weakest.count), percent(weakest.bound));
            write!(
                f,
                " Weakest required situation: {}, {count} times, below {bound}.",
                weakest.situation
            )?;
        }
        if self.state == State::Violated && !self.reasons.is_empty() {
            write!(f, " Besides: {}.", self.reasons.join("; "))?;
        }
        write!(f, " Not covered: {}.", self.not_covered)
    }
}

/// A check's events, counted.
fn events(check: Check, n: u64) -> String {
    let (one, many) = match check {
        Check::Thread => (
            "overlapping create or foreign-thread probe",
            "overlapping creates and foreign-thread probes",
        ),
        Check::Token => ("identity read back", "identities read back"),
        Check::Secret | Check::UserId => ("frame", "frames"),
        Check::Response => ("nonce-checked reply", "nonce-checked replies"),
        Check::Boundary => ("opportunity after the end", "opportunities after the end"),
    };
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// What no check of the kind can see.
pub(crate) fn not_covered(check: Check) -> &'static str {
    match check {
        Check::Thread => "ids that are shown in part",
        Check::Token => "tokens that stay inside the services",
        Check::Secret | Check::UserId => "timing, hashes, images, encryption",
        Check::Response => "crossings between ops that carry no nonce",
        Check::Boundary => "the grace after a session's end",
    }
}

/// `1 unit`, `48,210 units`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Digits in groups of three.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in per cent, with two digits that count.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = (1.0 - percent.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{percent:.decimals$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(state: State) -> CheckVerdict {
        CheckVerdict {
            check: Check::Secret,
            state,
            reasons: vec![],
            violations: 0,
            units: 612,
            events: 48_210,
            bound: upper_bound(612),
            probes: ProbeCount::default(),
            weakest: None,
            not_covered: not_covered(Check::Secret).into(),
        }
    }

    #[test]
    fn a_valid_verdict_says_what_it_is_worth() {
        let weakest = Weakest {
            situation: "cancelled_reply".into(),
            count: 118,
            bound: upper_bound(118).unwrap(),
        };
        let probes = ProbeCount {
            refused: 26,
            total: 26,
        };
        let verdict = CheckVerdict {
            weakest: Some(weakest),
            probes,
            ..verdict(State::Valid)
        };
        insta::assert_snapshot!(verdict, @"S valid: 0 violations in 48,210 frames, 612 units (connection x phase x round). If units leak independently at one rate, it is below 0.49 % (95 %). 26 of 26 denied paths refused. Weakest required situation: cancelled_reply, 118 times, below 2.5 %. Not covered: timing, hashes, images, encryption.");
    }

    #[test]
    fn an_unknown_verdict_says_why_first() {
        let reasons = vec![
            "user 3 never saw its own secret".into(),
            "a service died: agent".into(),
        ];
        let verdict = CheckVerdict {
            reasons,
            units: 0,
            events: 0,
            bound: None,
            ..verdict(State::Unknown)
        };
        insta::assert_snapshot!(verdict, @"S unknown: user 3 never saw its own secret; a service died: agent. 0 violations in 0 frames, 0 units (connection x phase x round). Not covered: timing, hashes, images, encryption.");
    }

    #[test]
    fn a_violated_verdict_counts_and_claims_no_bound() {
        let reasons = vec!["the run was interrupted".into()];
        let verdict = CheckVerdict {
            reasons,
            violations: 1,
            units: 1,
            bound: None,
            ..verdict(State::Violated)
        };
        insta::assert_snapshot!(verdict, @"S violated: 1 violation in 48,210 frames, 1 unit (connection x phase x round). Besides: the run was interrupted. Not covered: timing, hashes, images, encryption.");
    }

    #[test]
    fn a_check_that_does_not_apply_says_why() {
        let reasons = vec!["the target has no threads".into()];
        let verdict = CheckVerdict {
            reasons,
            ..verdict(State::NotApplicable)
        };
        insta::assert_snapshot!(verdict, @"S not applicable: the target has no threads");
    }

    #[track_caller]
    fn check(n: u64, expect: &str) {
        assert_eq!(upper_bound(n).map(percent).unwrap_or_default(), expect);
    }

    #[test]
    fn bounds_are_about_three_over_n() {
        check(0, "");
        check(1, "95 %");
        check(118, "2.5 %");
        check(612, "0.49 %");
        check(3_000_000, "0.000100 %");
    }
}
