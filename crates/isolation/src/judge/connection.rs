//! One connection: whose it is, what it asked for, what it was served.

use std::collections::VecDeque;

use history::{
    At, ChannelKind, CloseCause, Fingerprint, Interval, Invoked, Op, Place, Replica, Role, Round, Serial,
    Session, User,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::limits::{AWAITED_PER_CONNECTION_MAX, IDENTIFIERS_PER_CONNECTION_MAX, SPANS_PER_UNIT_MAX};
use crate::scan::{Medium, StreamScanner};

use super::pending::Pending;

/// How a connection came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) session: Option<Session>,
    pub(crate) replica: Replica,
    pub(crate) channel: ChannelKind,
}

/// Something that was served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) op: Option<Op>,
}

/// An identifier or a piece of a token that came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdSeen {
    pub(crate) first: Served,
    pub(crate) count: u64,
    /// Which of the connection's first 64 units saw it.
    pub(crate) units: u64,
    /// The connection had sent it before: no evidence of anything but that the service answers.
    pub(crate) reflected: bool,
}

/// What one connection did and saw in one phase of one round.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) phase: u16,
    pub(crate) round: Round,
    /// Inbound messages that were scanned in full.
    pub(crate) frames: u64,
    pub(crate) last_frame: At,
    pub(crate) own_secret: bool,
    pub(crate) own_identity: bool,
    /// Replies whose nonce was checked.
    pub(crate) replies: u64,
    /// When some of these were in flight.
    pub(crate) spans: Vec<Interval>,
    pub(crate) invoked: u64,
    pub(crate) last_invoked: At,
}

/// An attempt of which something may still come.
#[derive(Debug)]
pub(crate) struct Attempt {
    op: Op,
    pub(crate) role: Role,
    pub(crate) probe: bool,
    pub(crate) invoked: At,
    pub(crate) nonce: Option<Serial>,
    pub(crate) stores: Option<Serial>,
    pub(crate) unit: usize,
    /// Pieces of the streamed answer, scanned as one.
    pub(crate) stream: Option<Box<StreamScanner>>,
    /// The beginning of the streamed answer, for ids.
    pub(crate) text: String,
    pub(crate) nonce_seen: bool,
    pub(crate) other_nonce: bool,
    /// What it stores is acknowledged.
    pub(crate) acknowledged: bool,
    /// The last of the answer has come.
    pub(crate) answered: bool,
    /// The driver is done with it.
    pub(crate) completed: bool,
}

/// What the judge knows of an attempt that a reply names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its answer is not complete.
    Awaited,
    /// Its answer is complete.
    Answered,
    /// It was forgotten at a limit.
    Forgotten,
    /// It never began here.
    Unheard,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) user: Option<User>,
    pub(crate) opened: Option<Opened>,
    pub(crate) refused: bool,
    /// What came before it was accepted is being judged.
    pub(crate) accepting: bool,
    pub(crate) closed: Option<(At, CloseCause)>,
    pub(crate) pending: Pending,
    /// The last message that was judged.
    pub(crate) last: Option<(At, Place)>,
    /// Carries over what one text message ended with to the next.
    pub(crate) texts: StreamScanner,
    pub(crate) binaries: StreamScanner,
    /// In order of their ops.
    attempts: VecDeque<Attempt>,
    latest: Option<Op>,
    forgotten: Option<Op>,
    sent: FxHashSet<Fingerprint>,
    pub(crate) ids: FxHashMap<Fingerprint, IdSeen>,
    /// More identifiers went in or out than are kept.
    pub(crate) ids_overflowed: bool,
    pub(crate) units: Vec<Unit>,
    pub(crate) first_content: Option<At>,
    pub(crate) last_reply: Option<Served>,
    pub(crate) last_event: Option<Served>,
    /// The attempt with the latest begin that was accepted, and that begin.
    pub(crate) last_accepted: Option<(At, Served)>,
    /// When the first private content of its user was confirmed to be stored.
    pub(crate) first_stored: Option<At>,
    /// Accepted attempts whose answer never showed their nonce.
    pub(crate) without_nonce: u64,
    /// Replies to attempts that were forgotten at a limit.
    pub(crate) unjudged: u64,
}

impl Connection {
    pub(crate) fn new() -> Self {
        Self {
            user: None,
            opened: None,
            refused: false,
            accepting: false,
            closed: None,
            pending: Pending::default(),
            last: None,
            texts: StreamScanner::new(Medium::Text),
            binaries: StreamScanner::new(Medium::Binary),
            attempts: VecDeque::new(),
            latest: None,
            forgotten: None,
            sent: FxHashSet::default(),
            ids: FxHashMap::default(),
            ids_overflowed: false,
            units: Vec::new(),
            first_content: None,
            last_reply: None,
            last_event: None,
            last_accepted: None,
            first_stored: None,
            without_nonce: 0,
            unjudged: 0,
        }
    }

    /// Ends the streams of messages.
    pub(crate) fn take_carried(&mut self) -> [StreamScanner; 2] {
        [
            std::mem::replace(&mut self.texts, StreamScanner::new(Medium::Text)),
            std::mem::replace(&mut self.binaries, StreamScanner::new(Medium::Binary)),
        ]
    }

    /// Notes the end; attempts that the driver gave up can no longer be answered.
    pub(crate) fn close(&mut self, at: At, cause: CloseCause) {
        self.closed.get_or_insert((at, cause));
        self.attempts.retain(|attempt| !attempt.completed);
    }

    /// Whether attempts were dropped at a limit.
    pub(crate) fn forgot(&self) -> bool {
        self.forgotten.is_some()
    }

    /// When an attempt began, as long as something of it may come.
    pub(crate) fn begin(&self, op: Op) -> Option<At> {
        let at = self.place(op).ok()?;
        Some(self.attempts[at].invoked)
    }

    /// Whether a request over it has named this.
    pub(crate) fn has_named(&self, name: Fingerprint) -> bool {
        self.sent.contains(&name)
    }

    /// Takes note of an attempt.
    pub(crate) fn invoke(&mut self, at: At, invoked: &Invoked<'_>) {
        let unit = self.enter(invoked.phase, invoked.round);
        self.units[unit].invoked += 1;
        self.units[unit].last_invoked = at;
        for &name in &invoked.names {
            if self.sent.len() < IDENTIFIERS_PER_CONNECTION_MAX {
                self.sent.insert(name);
            } else {
                self.ids_overflowed = true;
            }
        }
        let attempt = Attempt {
            op: invoked.op,
            role: invoked.role,
            probe: invoked.probe,
            invoked: at,
            nonce: invoked.nonce,
            stores: invoked.stores,
            unit,
            stream: None,
            text: String::new(),
            nonce_seen: false,
            other_nonce: false,
            acknowledged: false,
            answered: false,
            completed: false,
        };
        if self.attempts.capacity() == 0 {
            // most connections have one at a time
            self.attempts.reserve_exact(1);
        }
        match self.place(invoked.op) {
            Ok(at) => self.attempts[at] = attempt,
            Err(at) => self.attempts.insert(at, attempt),
        }
        self.latest = self.latest.max(Some(invoked.op));
        if self.attempts.len() > AWAITED_PER_CONNECTION_MAX {
            let gone = self.attempts.pop_front().map(|attempt| attempt.op);
            self.forgotten = self.forgotten.max(gone);
        }
    }

    /// The unit of a phase and a round; the latest is the last.
    fn enter(&mut self, phase: u16, round: Round) -> usize {
        let same = |unit: &Unit| (unit.phase, unit.round) == (phase, round);
        if let Some(at) = self.units.iter().rposition(same) {
            return at;
        }
        if let [first] = &mut self.units[..]
            && self.latest.is_none()
        {
            // what came before the first attempt counts with it
            (first.phase, first.round) = (phase, round);
            return 0;
        }
        self.units.reserve_exact(1);
        self.units.push(Unit {
            phase,
            round,
            frames: 0,
            last_frame: At::START,
            own_secret: false,
            own_identity: false,
            replies: 0,
            spans: Vec::new(),
            invoked: 0,
            last_invoked: At::START,
        });
        self.units.len() - 1
    }

    /// The unit that messages fall into: that of the latest attempt.
    pub(crate) fn current(&mut self) -> usize {
        if self.units.is_empty() {
            self.enter(0, Round(0))
        } else {
            self.units.len() - 1
        }
    }

    pub(crate) fn attempt(&mut self, op: Op) -> Option<&mut Attempt> {
        let at = self.place(op).ok()?;
        Some(&mut self.attempts[at])
    }

    /// Where an attempt stands, or would: mostly at the end.
    fn place(&self, op: Op) -> Result<usize, usize> {
        match self.attempts.back() {
            Some(last) if last.op == op => Ok(self.attempts.len() - 1),
            Some(last) if last.op > op => self.attempts.binary_search_by_key(&op, |attempt| attempt.op),
            _ => Err(self.attempts.len()),
        }
    }

    /// Drops an attempt of which nothing can come any more, or nothing that would be in order.
    pub(crate) fn settle(&mut self, op: Op) {
        let done = |attempt: &Attempt| attempt.completed && (attempt.answered || self.closed.is_some());
        if let Ok(at) = self.place(op)
            && done(&self.attempts[at])
        {
            self.attempts.remove(at);
        }
    }

    pub(crate) fn standing(&self, op: Op) -> Standing {
        match self.place(op) {
            Ok(at) if self.attempts[at].answered => Standing::Answered,
            Ok(_) => Standing::Awaited,
            Err(_) if Some(op) <= self.forgotten => Standing::Forgotten,
            Err(_) if Some(op) <= self.latest => Standing::Answered,
            Err(_) => Standing::Unheard,
        }
    }

    /// Whether an answer is due.
    pub(crate) fn awaits(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| !attempt.answered && !attempt.completed)
    }

    /// Begin of the earliest attempt whose answer is due.
    pub(crate) fn earliest_awaited(&self) -> Option<At> {
        self.attempts
            .iter()
            .filter(|attempt| !attempt.answered)
            .map(|attempt| attempt.invoked)
            .min()
    }

    /// All attempts whose answer is being streamed.
    pub(crate) fn open_streams(&self) -> Vec<Op> {
        let streamed = self.attempts.iter().filter(|attempt| attempt.stream.is_some());
        streamed.map(|attempt| attempt.op).collect()
    }

    /// Notes an identifier or a piece of a token.
    pub(crate) fn saw(&mut self, id: Fingerprint, served: Served) {
        let unit = 1_u64.checked_shl(self.current() as u32).unwrap_or(0);
        if let Some(seen) = self.ids.get_mut(&id) {
            seen.count += 1;
            seen.units |= unit;
        } else if self.ids.len() < IDENTIFIERS_PER_CONNECTION_MAX {
            let reflected = self.sent.contains(&id);
            self.ids.insert(
                id,
                IdSeen {
                    first: served,
                    count: 1,
                    units: unit,
                    reflected,
                },
            );
        } else {
            self.ids_overflowed = true;
        }
    }

    /// From its opening until its end.
    pub(crate) fn lifetime(&self) -> Option<Interval> {
        let to = self.closed.map_or(At::NEVER, |(at, _)| at);
        Some(Interval {
            from: self.opened?.at,
            to,
        })
    }
}

impl Unit {
    /// Counts a nonce-checked reply that was in flight during `span`.
    pub(crate) fn reply(&mut self, span: Interval) {
        self.replies += 1;
        if self.spans.len() < SPANS_PER_UNIT_MAX {
            self.spans.push(span);
        }
    }
}
