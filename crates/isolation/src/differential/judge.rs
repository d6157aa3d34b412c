//! Compares the takes of each script, and decides.

use std::collections::{BTreeMap, BTreeSet};

use history::{At, Interval, Place, Take, User};

use crate::identity::fingerprint_of_id;
use crate::judge::case::{Case, Named};
use crate::judge::docket::UnitKey;
use crate::verdict::counted;
use crate::{State, upper_bound};

use super::compare::{Gap, cut, first, shared};
use super::plain::stranger;
use super::reading::{Reading, Told};
use super::transcript::{Answer, Transcript, Transcripts, Unsolicited};
use super::{Difference, NON_INTERFERENCE, NOT_COVERED, NonInterference};

/// Decides, if the look was asked for; `problems` are those of the history as a whole.
pub(crate) fn judge(
    case: &Case<'_>,
    transcripts: &Transcripts,
    problems: &[String],
) -> Option<NonInterference> {
    let asked = case
        .header
        .is_some_and(|header| header.planes.iter().any(|plane| plane == NON_INTERFERENCE));
    if !asked && transcripts.is_empty() {
        return None;
    }
    let mut scripts: BTreeMap<u16, BTreeMap<Take, &Transcript>> = BTreeMap::new();
    let mut sum = Sum {
        case,
        scripts: 0,
        compared: 0,
        exposed: 0,
        units: BTreeSet::new(),
        events: 0,
        controls: 0,
        repeated: 0,
        differences: Vec::new(),
        reasons: problems.to_vec(),
    };
    for transcript in transcripts.iter() {
        let takes = scripts.entry(transcript.subject.script).or_default();
        if takes.insert(transcript.subject.take, transcript).is_some() {
            sum.reason(format!(
                "script {} was followed twice in one take",
                transcript.subject.script
            ));
        }
    }
    if transcripts.overflowed() || transcripts.iter().any(|transcript| transcript.overflowed) {
        sum.reason("more was said to subjects than is kept".to_owned());
    }
    for (script, takes) in scripts {
        sum.script(script, &takes);
    }
    Some(sum.decide())
}

/// What is known so far.
struct Sum<'a, 'b> {
    case: &'a Case<'b>,
    scripts: u64,
    compared: u64,
    exposed: u64,
    units: BTreeSet<UnitKey>,
    events: u64,
    controls: u64,
    repeated: u64,
    differences: Vec<Difference>,
    reasons: Vec<String>,
}

/// The takes of one script.
struct Takes<'a> {
    script: u16,
    alone: Reading<'a>,
    again: Reading<'a>,
    together: Reading<'a>,
}

impl Takes<'_> {
    fn observer(&self) -> User {
        self.together.of.subject.user
    }
}

impl Sum<'_, '_> {
    fn reason(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    fn script(&mut self, script: u16, takes: &BTreeMap<Take, &Transcript>) {
        let read = |take| takes.get(&take).map(|transcript| Reading::of(transcript));
        let (Some(alone), Some(again), Some(together)) =
            (read(Take::Alone), read(Take::AloneAgain), read(Take::Together))
        else {
            return self.reason(format!("script {script} was not followed in all three takes"));
        };
        self.scripts += 1;
        self.repeated += together.repeated;
        let takes = Takes {
            script,
            alone,
            again,
            together,
        };
        for alone in [&takes.alone, &takes.again] {
            if let Some(why) = alone.stopped() {
                self.reason(format!("script {script} was not served alone: {why}"));
            }
        }
        let unstable = self.unstable_steps(&takes);
        self.steps(&takes, &unstable);
        self.events(&takes);
    }

    /// Steps that the takes alone do not agree on.
    fn unstable_steps(&mut self, takes: &Takes<'_>) -> BTreeSet<usize> {
        let (one, other) = (&takes.alone.steps, &takes.again.steps);
        let mut unstable = BTreeSet::new();
        for (at, (alone, again)) in one.iter().zip(other).enumerate() {
            match gap(alone, again) {
                None => self.controls += 1,
                Some(gap) => {
                    if unstable.is_empty() {
                        self.unstable(takes.script, &name(at, &alone.what), &gap);
                    }
                    unstable.insert(at);
                }
            }
        }
        if one.len() != other.len() {
            let (one, other) = (counted(one.len() as u64, "step"), other.len());
            self.reason(format!(
                "script {} took {one} alone and {other} alone again",
                takes.script
            ));
        }
        unstable
    }

    fn unstable(&mut self, script: u16, step: &str, gap: &Gap) {
        let Gap {
            pointer,
            alone,
            together: again,
        } = gap;
        self.reason(format!(
            "the service is not deterministic enough: script {script}, {step}, at \"{pointer}\": alone {alone}, alone again {again}"
        ));
    }

    fn steps(&mut self, takes: &Takes<'_>, unstable: &BTreeSet<usize>) {
        let (alone, together) = (&takes.alone.steps, &takes.together.steps);
        let mut found: Option<Difference> = None;
        for (at, (alone, told)) in alone.iter().zip(together).enumerate() {
            if let Some(why) = &told.unserved {
                let step = name(at, &told.what);
                self.reason(format!(
                    "user {} was not served in company from {step} on: {why}",
                    takes.observer().0
                ));
                break;
            }
            if alone.unserved.is_some() || unstable.contains(&at) {
                continue;
            }
            self.compared += 1;
            self.expose(takes.observer(), told);
            match (gap(alone, told), &mut found) {
                (None, _) => {}
                (Some(_), Some(found)) => found.count += 1,
                (Some(gap), None) => found = Some(self.another_answer(takes, at, (alone, told), gap)),
            }
        }
        self.differences.extend(found);
        if alone.len() != together.len()
            && takes.together.stopped().is_none()
            && takes.alone.stopped().is_none()
        {
            let (one, other) = (counted(alone.len() as u64, "step"), together.len());
            self.reason(format!(
                "script {} took {one} alone and {other} in company",
                takes.script
            ));
        }
    }

    /// Counts a step that was under way together with another user's.
    fn expose(&mut self, observer: User, told: &Told<'_>) {
        let (step, ticks) = (
            told.step,
            told.replica.and_then(|replica| self.case.in_flight.get(&replica)),
        );
        let to = step.outcome.as_ref().map(|(_, at)| *at);
        let during = to.map(|to| Interval { from: step.at, to });
        let (Some(ticks), Some(during)) = (ticks, during) else {
            return;
        };
        if ticks.with_another(observer, during) {
            self.exposed += 1;
            self.units.insert((step.conn, step.phase, step.round));
        }
    }

    fn another_answer(
        &self,
        takes: &Takes<'_>,
        at: usize,
        (alone, together): (&Told<'_>, &Told<'_>),
        gap: Gap,
    ) -> Difference {
        let step = together.step;
        let (place, seen_at) = last_answer(together);
        let answers = step.answers.iter().map(|answer| match answer {
            Answer::Text(text, ..) => text.as_bytes(),
            Answer::Whole(_, bytes, ..) => bytes.as_slice(),
        });
        let victim = answers
            .into_iter()
            .find_map(|bytes| self.victim(takes.observer(), bytes));
        Difference {
            kind: "another answer in company than alone".to_owned(),
            observer: takes.observer(),
            victim,
            script: takes.script,
            step: name(at, &together.what),
            pointer: gap.pointer,
            alone: gap.alone,
            together: gap.together,
            conn: Some(step.conn),
            op: step.op,
            place,
            at: seen_at,
            alone_place: Some(last_answer(alone).0),
            count: 1,
        }
    }

    /// Whom a message names that `observer` got.
    fn victim(&self, observer: User, bytes: &[u8]) -> Option<User> {
        stranger(bytes, observer, |id| {
            match self.case.named.get(&fingerprint_of_id(id)) {
                Some(Named::User(user)) => Some(*user),
                _ => None,
            }
        })
    }

    fn events(&mut self, takes: &Takes<'_>) {
        let mut kinds: BTreeSet<&(usize, String)> = takes.alone.events.keys().collect();
        kinds.extend(takes.again.events.keys());
        kinds.extend(takes.together.events.keys());
        let mut found: Option<Difference> = None;
        for kind in kinds {
            let of = |reading: &Reading<'_>| -> Vec<String> {
                let lines = reading.events.get(kind).into_iter().flatten();
                lines.map(|(line, _)| line.clone()).collect()
            };
            let (alone, again, together) = (of(&takes.alone), of(&takes.again), of(&takes.together));
            if alone != again {
                self.unstable_events(takes.script, kind, [&alone, &again]);
                continue;
            }
            self.events += alone.len() as u64;
            let extra = without(&together, &alone);
            let lost = without(&alone, &together);
            if let Some(line) = extra.first() {
                let known = found.get_or_insert_with(|| self.another_event(takes, kind, line, lost.first()));
                known.count += extra.len() as u64;
            } else if !lost.is_empty() && takes.together.stopped().is_none() {
                let (lost, (conn, kind)) = (counted(lost.len() as u64, "event"), kind);
                let observer = takes.observer().0;
                self.reason(format!(
                    "{lost} `{kind}` over connection {conn} of user {observer} did not come in company"
                ));
            }
        }
        self.differences.extend(found);
    }

    fn unstable_events(&mut self, script: u16, (conn, kind): &(usize, String), [one, other]: [&[String]; 2]) {
        let shown = |lines: Vec<&String>| {
            lines
                .first()
                .map_or("nothing more".to_owned(), |line| cut(line, 0))
        };
        let gap = Gap {
            pointer: String::new(),
            alone: format!("{} of them, {}", one.len(), shown(without(one, other))),
            together: format!("{} of them, {}", other.len(), shown(without(other, one))),
        };
        self.unstable(script, &format!("events `{kind}` over connection {conn}"), &gap);
    }

    fn another_event(
        &self,
        takes: &Takes<'_>,
        key: &(usize, String),
        line: &str,
        instead: Option<&&String>,
    ) -> Difference {
        let lines = takes.together.events.get(key).into_iter().flatten();
        // the last of those that look alike: an earlier one had its like alone
        let event: Option<&Unsolicited> = lines
            .filter(|(told, _)| told == line)
            .map(|(_, event)| *event)
            .max_by_key(|event| event.at);
        let (conn, kind) = key;
        let from = instead.map_or(0, |instead| shared(instead, line));
        Difference {
            kind: if instead.is_some() {
                "another event in company than alone".to_owned()
            } else {
                "an event in company that there is none of alone".to_owned()
            },
            observer: takes.observer(),
            victim: event.and_then(|event| self.victim(takes.observer(), &event.bytes)),
            script: takes.script,
            step: format!("events `{kind}` over connection {conn}"),
            pointer: String::new(),
            alone: instead.map_or("nothing".to_owned(), |instead| cut(instead, from)),
            together: cut(line, from),
            conn: event.map(|event| event.conn),
            op: None,
            place: event.map_or(Place::default(), |event| event.place),
            at: event.map_or(At::START, |event| event.at),
            alone_place: None,
            count: 0,
        }
    }

    fn decide(mut self) -> NonInterference {
        if self.scripts == 0 {
            self.reason("nobody followed a script".to_owned());
        } else if self.compared == 0 {
            self.reason("no step was compared".to_owned());
        } else if self.exposed == 0 {
            self.reason("no exposure: no step was under way together with another user's".to_owned());
        }
        let violations = self.differences.len() as u64;
        let units = self.units.len() as u64;
        self.differences
            .sort_by_key(|difference| (difference.at, difference.place));
        NonInterference {
            state: match (violations, self.reasons.is_empty()) {
                (0, true) => State::Valid,
                (0, false) => State::Unknown,
                _ => State::Violated,
            },
            reasons: self.reasons,
            violations,
            scripts: self.scripts,
            steps: self.compared,
            exposed: self.exposed,
            units,
            bound: upper_bound(units).filter(|_| violations == 0),
            events: self.events,
            controls: self.controls,
            repeated: self.repeated,
            differences: self.differences,
            not_covered: NOT_COVERED.to_owned(),
        }
    }
}

/// `step 12, ListThreads over connection 2`.
fn name(at: usize, what: &str) -> String {
    format!("step {}, {what}", at + 1)
}

/// Where two tellings of a step differ first; the pointer begins within the answer that differs.
fn gap(alone: &Told<'_>, other: &Told<'_>) -> Option<Gap> {
    if alone.what != other.what {
        return Some(Gap {
            pointer: String::new(),
            alone: alone.what.clone(),
            together: other.what.clone(),
        });
    }
    for ((one, alone), (two, other)) in alone.answers.iter().zip(&other.answers) {
        if one != two {
            return Some(Gap {
                pointer: String::new(),
                alone: format!("{one} {}", cut(&alone.to_string(), 0)),
                together: format!("{two} {}", cut(&other.to_string(), 0)),
            });
        }
        if let Some(gap) = first(alone, other) {
            return Some(gap);
        }
    }
    let (one, two) = (alone.answers.len(), other.answers.len());
    (one != two).then(|| Gap {
        pointer: String::new(),
        alone: counted(one as u64, "piece"),
        together: counted(two as u64, "piece"),
    })
}

/// Where the last of what came of a step stands, or the step itself.
fn last_answer(told: &Told<'_>) -> (Place, At) {
    match told.step.answers.last() {
        Some(Answer::Text(_, place, at) | Answer::Whole(_, _, place, at)) => (*place, *at),
        None => (told.step.place, told.step.at),
    }
}

/// Of two sorted lists what the first has more of.
fn without<'a>(all: &'a [String], known: &[String]) -> Vec<&'a String> {
    let mut known = known.iter().peekable();
    let mut rest = Vec::new();
    for line in all {
        while known.next_if(|known| *known < line).is_some() {}
        if known.next_if(|known| *known == line).is_none() {
            rest.push(line);
        }
    }
    rest
}
