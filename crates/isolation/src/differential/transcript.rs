//! What subjects asked and what came back, as it came.

use std::collections::{BTreeMap, BTreeSet};

use history::{
    At, ChannelKind, CloseCause, Conn, Event, Fact, Inbound, Invoked, Op, Outcome, Part, Place, Replica,
    Role, Round, Source, Subject, User,
};
use rustc_hash::FxHashMap;

use crate::limits::{SUBJECTS_MAX, TRANSCRIPT_BYTES_MAX, TRANSCRIPT_ENTRIES_MAX};

/// The transcripts of one judge. All of a subject's facts go to one, from [`Fact::Subject`] on.
#[derive(Debug, Default)]
pub(crate) struct Transcripts {
    by_user: BTreeMap<User, Transcript>,
    conns: FxHashMap<Conn, User>,
    overflowed: bool,
}

/// All of one subject, in its own order.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) subject: Subject,
    pub(crate) steps: Vec<Step>,
    pub(crate) events: Vec<Unsolicited>,
    /// Ids of its own, as the service spelt them.
    pub(crate) ids: BTreeSet<String>,
    /// Its connections, in the order in which they came to be.
    pub(crate) conns: Vec<Conn>,
    /// More came than is kept.
    pub(crate) overflowed: bool,
    ops: FxHashMap<Op, usize>,
    bytes: usize,
}

/// Something that it did.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) what: Deed,
    pub(crate) conn: Conn,
    pub(crate) op: Option<Op>,
    pub(crate) place: Place,
    pub(crate) at: At,
    pub(crate) phase: u16,
    pub(crate) round: Round,
    pub(crate) answers: Vec<Answer>,
    /// How it ended, and when.
    pub(crate) outcome: Option<(Outcome, At)>,
}

/// What it did.
#[derive(Debug)]
pub(crate) enum Deed {
    Opened(ChannelKind, Replica),
    Refused(String),
    Asked { role: Role, request: String },
}

/// A piece of what came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The pieces of a streamed text, joined, and where the first was.
    Text(String, Place, At),
    /// Anything else, with what it is within the answer.
    Whole(history::Step, Vec<u8>, Place, At),
}

/// Something that nobody asked for.
#[derive(Debug)]
pub(crate) struct Unsolicited {
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) conn: Conn,
    pub(crate) place: Place,
    pub(crate) at: At,
}

impl Transcripts {
    pub(crate) fn observe(&mut self, place: Place, event: &Event<'_>) {
        if let Fact::Subject(subject) = &event.fact {
            return self.begin(subject);
        }
        if self.by_user.is_empty() {
            return;
        }
        let at = event.at;
        match &event.fact {
            Fact::Opened {
                conn,
                user,
                replica,
                channel,
                ..
            } => self.deed(place, at, (*conn, *user), Deed::Opened(*channel, *replica)),
            Fact::Refused {
                conn, user, reason, ..
            } => self.deed(place, at, (*conn, *user), Deed::Refused(reason.to_string())),
            Fact::Invoked(invoked) => self.invoked(place, at, invoked),
            Fact::Completed { op, outcome } => self.completed(at, *op, outcome),
            Fact::Inbound(inbound) => self.inbound(place, at, inbound),
            Fact::Closed { conn, cause, code } => self.closed(place, at, (*conn, *cause, *code)),
            Fact::Account(account) => {
                if let Some(transcript) = self.by_user.get_mut(&account.user) {
                    let ids = [&account.user_id, &account.tenant_id];
                    transcript.ids.extend(ids.map(|id| id.to_string()));
                }
            }
            Fact::ThreadIssued(issued) => {
                if let Some(transcript) = self.by_user.get_mut(&issued.owner) {
                    transcript.ids.insert(issued.thread_id.to_string());
                }
            }
            _ => {}
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.overflowed |= other.overflowed;
        self.conns.extend(other.conns);
        for (user, transcript) in other.by_user {
            // a subject whose facts are in two judges has none that is whole
            if let Some(mine) = self.by_user.insert(user, transcript)
                && let Some(theirs) = self.by_user.get_mut(&user)
            {
                theirs.overflowed |= !mine.steps.is_empty() || mine.overflowed;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// Whether there were more subjects than are kept.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Transcript> {
        self.by_user.values()
    }

    fn begin(&mut self, subject: &Subject) {
        if self.by_user.len() >= SUBJECTS_MAX && !self.by_user.contains_key(&subject.user) {
            self.overflowed = true;
            return;
        }
        let transcript = Transcript {
            subject: subject.clone(),
            steps: Vec::new(),
            events: Vec::new(),
            ids: BTreeSet::new(),
            conns: Vec::new(),
            overflowed: false,
            ops: FxHashMap::default(),
            bytes: 0,
        };
        self.by_user.entry(subject.user).or_insert(transcript);
    }

    fn of(&mut self, conn: Conn) -> Option<&mut Transcript> {
        self.by_user.get_mut(self.conns.get(&conn)?)
    }

    fn deed(&mut self, place: Place, at: At, (conn, user): (Conn, User), what: Deed) {
        let Some(transcript) = self.by_user.get_mut(&user) else {
            return;
        };
        self.conns.insert(conn, user);
        transcript.conns.push(conn);
        // a connection comes to be in the phase of what was done before it
        let (phase, round) = transcript
            .steps
            .last()
            .map_or((0, Round(0)), |last| (last.phase, last.round));
        transcript.step(Step {
            what,
            conn,
            op: None,
            place,
            at,
            phase,
            round,
            answers: Vec::new(),
            outcome: None,
        });
    }

    fn invoked(&mut self, place: Place, at: At, invoked: &Invoked<'_>) {
        let Some(transcript) = self.of(invoked.conn) else {
            return;
        };
        transcript.ops.insert(invoked.op, transcript.steps.len());
        transcript.step(Step {
            what: Deed::Asked {
                role: invoked.role,
                request: invoked.request.to_string(),
            },
            conn: invoked.conn,
            op: Some(invoked.op),
            place,
            at,
            phase: invoked.phase,
            round: invoked.round,
            answers: Vec::new(),
            outcome: None,
        });
    }

    fn completed(&mut self, at: At, op: Op, outcome: &Outcome) {
        // an attempt's number begins with its connection's
        let conn = Conn(u32::try_from(op.0 >> 32).unwrap_or(u32::MAX));
        if let Some(step) = self.of(conn).and_then(|transcript| transcript.asked(op)) {
            step.outcome.get_or_insert_with(|| (outcome.clone(), at));
        }
    }

    fn inbound(&mut self, place: Place, at: At, inbound: &Inbound<'_>) {
        if matches!(
            inbound.source,
            Source::Headers | Source::Control | Source::Partial
        ) {
            return;
        }
        let Some(transcript) = self.of(inbound.conn) else {
            return;
        };
        // of a message that holds several, the bytes are told once
        let mut bytes: &[u8] = &inbound.bytes;
        for part in inbound.parts.iter() {
            let bytes = std::mem::take(&mut bytes);
            let unsolicited = |kind: &str| Unsolicited {
                kind: kind.to_owned(),
                bytes: bytes.to_vec(),
                conn: inbound.conn,
                place,
                at,
            };
            match part {
                Part::Reply {
                    op: Some(op),
                    step,
                    text,
                } => match text {
                    Some(text) => transcript.text(*op, text, (place, at)),
                    None => transcript.answer(*op, Answer::Whole(*step, bytes.to_vec(), place, at)),
                },
                Part::Reply { op: None, .. } => transcript.event(unsolicited("a reply to no request")),
                Part::Event { kind, .. } => transcript.event(unsolicited(kind)),
                Part::Undecodable => transcript.event(unsolicited("a message that is not understood")),
                Part::Heartbeat => {}
            }
        }
    }

    fn closed(&mut self, place: Place, at: At, (conn, cause, code): (Conn, CloseCause, Option<u16>)) {
        let Some(transcript) = self.of(conn).filter(|_| cause == CloseCause::ByService) else {
            return;
        };
        transcript.event(Unsolicited {
            kind: "a close".to_owned(),
            bytes: code.map_or(String::new(), |code| code.to_string()).into_bytes(),
            conn,
            place,
            at,
        });
    }
}

impl Transcript {
    /// How far something is on among its connections, counted from 1.
    pub(crate) fn ordinal(&self, conn: Conn) -> usize {
        self.conns
            .iter()
            .position(|one| *one == conn)
            .map_or(0, |at| at + 1)
    }

    fn asked(&mut self, op: Op) -> Option<&mut Step> {
        let at = *self.ops.get(&op)?;
        self.steps.get_mut(at)
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let entries = self.steps.len() + self.events.len();
        let fits = self.bytes <= TRANSCRIPT_BYTES_MAX && entries < TRANSCRIPT_ENTRIES_MAX;
        self.overflowed |= !fits;
        fits
    }

    fn step(&mut self, step: Step) {
        if self.has_room(0) {
            self.steps.push(step);
        }
    }

    fn event(&mut self, event: Unsolicited) {
        if self.has_room(event.bytes.len()) {
            self.events.push(event);
        }
    }

    fn answer(&mut self, op: Op, answer: Answer) {
        let bytes = match &answer {
            Answer::Text(text, ..) => text.len(),
            Answer::Whole(_, bytes, ..) => bytes.len(),
        };
        if self.has_room(bytes)
            && let Some(step) = self.asked(op)
        {
            step.answers.push(answer);
        }
    }

    fn text(&mut self, op: Op, piece: &str, (place, at): (Place, At)) {
        if let Some(step) = self.asked(op)
            && let Some(Answer::Text(text, ..)) = step.answers.last_mut()
        {
            text.push_str(piece);
            self.has_room(piece.len());
            return;
        }
        self.answer(op, Answer::Text(piece.to_owned(), place, at));
    }
}
