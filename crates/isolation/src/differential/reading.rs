//! A transcript as it is compared: steps in their order, events apart from them.

use std::collections::BTreeMap;

use history::{ChannelKind, Outcome, Replica};
use serde_json::Value;

use super::plain::Plain;
use super::transcript::{Answer, Deed, Step, Transcript, Unsolicited};

/// One take of a script.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) of: &'a Transcript,
    pub(super) steps: Vec<Told<'a>>,
    /// By the connection's place among its own, and kind; each list sorted, since events of one kind need not be in order.
    pub(super) events: BTreeMap<(usize, String), Vec<(String, &'a Unsolicited)>>,
    /// Tries that were turned away and made again.
    pub(super) repeated: u64,
}

/// A step with all that came of it.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) step: &'a Step,
    /// What it was, the same in all takes.
    pub(super) what: String,
    /// What came of it: what it is, and its content.
    pub(super) answers: Vec<(String, Value)>,
    /// Why it says nothing of the service but that it was busy.
    pub(super) unserved: Option<String>,
    /// The process that was asked.
    pub(super) replica: Option<Replica>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(transcript: &'a Transcript) -> Self {
        let mut plain = Plain::new(transcript);
        let mut replicas = BTreeMap::new();
        let mut steps: Vec<Told<'a>> = Vec::new();
        let mut repeated = 0;
        for step in &transcript.steps {
            if let Deed::Opened(_, replica) = step.what {
                replicas.insert(step.conn, replica);
            }
            let told = Told {
                what: what(transcript, step),
                answers: answers(&mut plain, step),
                unserved: unserved(transcript, step),
                replica: replicas.get(&step.conn).copied(),
                step,
            };
            // a subject goes on after a step that was turned away only by making it again
            if steps.pop_if(|last| last.unserved.is_some()).is_some() {
                repeated += 1;
            }
            steps.push(told);
        }
        plain.freeze();
        Self {
            of: transcript,
            steps,
            events: events(&mut plain, transcript),
            repeated,
        }
    }

    /// Why its last step was not served, if it was not: nothing was done after that.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.steps.last()?.unserved.as_deref()
    }
}

fn what(transcript: &Transcript, step: &Step) -> String {
    let conn = transcript.ordinal(step.conn);
    match &step.what {
        Deed::Opened(ChannelKind::WebSocket, _) => format!("opens connection {conn}"),
        Deed::Opened(ChannelKind::Http, _) => format!("turns to HTTP as connection {conn}"),
        Deed::Refused(_) => format!("is refused connection {conn}"),
        Deed::Asked { role, .. } => format!("{role:?} over connection {conn}"),
    }
}

fn answers(plain: &mut Plain<'_>, step: &Step) -> Vec<(String, Value)> {
    let request = match &step.what {
        Deed::Asked { request, .. } => Some(request.as_str()),
        Deed::Refused(reason) => return vec![("refusal".to_owned(), reason.as_str().into())],
        Deed::Opened(..) => None,
    };
    let mut told: Vec<_> = step
        .answers
        .iter()
        .map(|answer| match answer {
            Answer::Text(text, ..) => ("streamed text".to_owned(), plain.streamed(text)),
            Answer::Whole(kind, bytes, ..) => {
                (format!("{kind:?}").to_lowercase(), plain.message(bytes, request))
            }
        })
        .collect();
    let outcome = match &step.outcome {
        None => return told,
        Some((Outcome::Ok, _)) => "ok",
        Some((Outcome::Fail(code), _)) => code,
        Some((Outcome::Info(_), _)) => "no answer",
    };
    told.push(("outcome".to_owned(), outcome.into()));
    told
}

fn unserved(transcript: &Transcript, step: &Step) -> Option<String> {
    let busy = |code: &&String| transcript.subject.overload.iter().any(|busy| busy == *code);
    match (&step.what, &step.outcome) {
        (Deed::Asked { .. }, None) => Some("no answer".to_owned()),
        (_, Some((Outcome::Info(why), _))) => Some(why.clone()),
        (_, Some((Outcome::Fail(code), _))) => Some(code).filter(busy).cloned(),
        (Deed::Refused(reason), None) => Some(reason.clone()),
        (Deed::Opened(..), None) | (_, Some((Outcome::Ok, _))) => None,
    }
}

fn events<'a>(
    plain: &mut Plain<'_>,
    transcript: &'a Transcript,
) -> BTreeMap<(usize, String), Vec<(String, &'a Unsolicited)>> {
    let mut events: BTreeMap<(usize, String), Vec<(String, &Unsolicited)>> = BTreeMap::new();
    for event in &transcript.events {
        let key = (transcript.ordinal(event.conn), event.kind.clone());
        let line = plain.message(&event.bytes, None).to_string();
        events.entry(key).or_default().push((line, event));
    }
    for lines in events.values_mut() {
        lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    events
}
