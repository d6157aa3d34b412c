//! The second pass: what a finding looked like.

mod excerpt;
mod pointer;
mod steps;

use std::collections::BTreeMap;

use history::{Event, Fact, Place, User};
use serde::{Deserialize, Serialize};

use crate::scan::Scanner;
use crate::{Finding, Judgement};

pub use excerpt::Excerpt;
pub use steps::LastStep;
use steps::Steps;

/// What a finding looked like, and what led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which of [`Judgement::findings`].
    pub finding: usize,
    /// The bytes that show it; `None` if the event holds none (a probe, say).
    pub excerpt: Option<Excerpt>,
    /// Where in the message it stands, as RFC 6901 has it; `None` if that cannot be told.
    pub pointer: Option<String>,
    /// The service's id of the observer.
    pub observer_id: Option<String>,
    /// The service's id of the victim.
    pub victim_id: Option<String>,
    /// What the observer did last before it, at most five steps, the last one last.
    pub observer_steps: Vec<LastStep>,
    /// What the victim did last before it, at most five steps, the last one last.
    pub victim_steps: Vec<LastStep>,
}

/// Fetches evidence for the findings of a judgement from the history that it was made from. Workers may follow one another in
/// any order, as long as each one's events come in theirs.
///
/// ```
/// use history::{At, Event, Fact, Place};
/// use isolation::{Explainer, Judge};
///
/// let judgement = Judge::new(4711).finish();
/// let mut explainer = Explainer::new(&judgement);
/// let ended = Event { at: At(1), fact: Fact::Ended { interrupted: false } };
/// explainer.observe(Place { worker: 0, index: 0 }, &ended);
/// assert!(explainer.finish().is_empty(), "there is nothing to explain");
/// ```
#[derive(Debug)]
pub struct Explainer<'a> {
    findings: &'a [Finding],
    at_place: BTreeMap<Place, Vec<usize>>,
    shown: BTreeMap<usize, (Excerpt, Option<String>)>,
    ids: BTreeMap<User, String>,
    steps: Steps,
    scanner: Scanner,
}

impl<'a> Explainer<'a> {
    /// An explainer for the findings of `judgement`.
    #[must_use]
    pub fn new(judgement: &'a Judgement) -> Self {
        let findings = &judgement.findings;
        let mut at_place: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            at_place.entry(finding.place).or_default().push(at);
        }
        Self {
            findings,
            at_place,
            shown: BTreeMap::new(),
            ids: BTreeMap::new(),
            steps: Steps::before(findings),
            // residue is no finding, so it does not matter which run the scanner takes for its own
            scanner: Scanner::new(0),
        }
    }

    /// Takes an event of the history and where it stands there.
    pub fn observe(&mut self, place: Place, event: &Event<'_>) {
        if let Fact::Account(account) = &event.fact
            && self.steps.concern(account.user)
        {
            self.ids
                .insert(account.user, account.user_id.clone().into_owned());
        }
        let bytes = match &event.fact {
            Fact::Inbound(inbound) => Some(&inbound.bytes),
            Fact::AuditRow(row) => Some(&row.body),
            _ => None,
        };
        if let (Some(bytes), Some(findings)) = (bytes, self.at_place.get(&place)) {
            for &at in findings {
                let needle = self.findings[at].needle;
                let hit = needle.and_then(|needle| excerpt::find(&mut self.scanner, bytes, needle));
                let pointer = hit.clone().and_then(|hit| pointer::at(bytes, hit.start));
                self.shown.insert(at, (Excerpt::of(bytes, hit), pointer));
            }
        }
        self.steps.observe(place, event);
    }

    /// The evidence, in the order of the findings.
    #[must_use]
    pub fn finish(mut self) -> Vec<Evidence> {
        let evidence = |(at, finding): (usize, &Finding)| {
            let (excerpt, pointer) = self.shown.remove(&at).unzip();
            let steps = |user: User| self.steps.of(user, (finding.at, finding.place));
            Evidence {
                finding: at,
                excerpt,
                pointer: pointer.flatten(),
                observer_id: self.ids.get(&finding.observer).cloned(),
                victim_id: finding.victim.and_then(|victim| self.ids.get(&victim).cloned()),
                observer_steps: steps(finding.observer),
                victim_steps: finding.victim.map(steps).unwrap_or_default(),
            }
        };
        self.findings.iter().enumerate().map(evidence).collect()
    }
}
