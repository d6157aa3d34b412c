//! Replies: whose they are, and whether they derive from what was asked.

use history::{At, Check, Interval, Op, Role, Step};

use crate::Needle;
use crate::canary::{Canary, Datum};
use crate::scan::{Hit, Medium, StreamScanner};
use crate::seen::Seen;

use super::connection::{Attempt, Served, Standing};
use super::inbound::{Frame, Reading};
use super::ledger::Stored;
use super::sightings::Cause;

/// Bytes of a streamed answer in which ids are looked for across its pieces.
const JOINED_MAX: usize = 4096;

impl Frame<'_> {
    /// Takes a step of an answer to an attempt of this connection.
    pub(super) fn reply(&mut self, op: Op, step: Step, text: Option<&str>) {
        if step != Step::Error {
            self.content(Some(op));
        }
        match self.connection.standing(op) {
            Standing::Awaited => {}
            Standing::Answered => return self.out_of_order("second reply", step, Some(op)),
            Standing::Forgotten => {
                self.connection.unjudged += 1;
                return;
            }
            Standing::Unheard => {
                let problem = format!(
                    "a reply names attempt {}, which never began on its connection",
                    op.0
                );
                return self.ledger.problems.put(problem, ());
            }
        }
        if let Some(text) = text {
            self.delta(op, text);
        }
        if matches!(step, Step::Ack | Step::Done) {
            self.stored(op);
        }
        if matches!(step, Step::Done | Step::Error) {
            self.answered(op);
        }
    }

    /// Takes a step of an answer that nobody waits for.
    pub(super) fn out_of_order(&mut self, kind: &'static str, step: Step, op: Option<Op>) {
        if op.is_none() && step != Step::Error {
            self.content(None);
        }
        let detail = format!("a reply's {} step", format!("{step:?}").to_lowercase());
        let seen = Seen {
            op,
            ..Seen::once(self.at, self.place).over(self.conn).says(detail)
        };
        self.sightings
            .violate(Check::Response, kind, self.user, None, seen);
    }

    /// Scans a piece of a streamed answer together with those before.
    fn delta(&mut self, op: Op, text: &str) {
        let Some(attempt) = self.connection.attempt(op) else {
            return;
        };
        let room = JOINED_MAX.saturating_sub(attempt.text.len());
        attempt.text.push_str(&text[..text.floor_char_boundary(room)]);
        let new = || Box::new(StreamScanner::new(Medium::Text));
        let mut stream = attempt.stream.take().unwrap_or_else(new);
        let hits = stream.feed(self.scanner, text.as_bytes()).hits.to_vec();
        self.joined(op, &hits);
        if let Some(attempt) = self.connection.attempt(op) {
            attempt.stream = Some(stream);
        }
    }

    /// Ends a streamed answer: what came of it is all there is.
    pub(super) fn end_stream(&mut self, op: Op) {
        let Some(attempt) = self.connection.attempt(op) else {
            return;
        };
        let (stream, text) = (attempt.stream.take(), std::mem::take(&mut attempt.text));
        if let Some(stream) = stream {
            self.ids(text.as_bytes(), std::iter::empty(), Some(op));
            let hits = stream.finish(self.scanner).hits.to_vec();
            self.joined(op, &hits);
        }
    }

    /// Judges what the joined pieces of an answer showed.
    fn joined(&mut self, op: Op, hits: &[Hit]) {
        let pulled = Some(self.connection.begin(op).unwrap_or(At::START));
        let (observer, pushed) = (self.user, false);
        let cause = Cause {
            observer,
            pulled,
            pushed,
        };
        let reading = Reading {
            replies_only: true,
            op: Some(op),
            cause,
        };
        for hit in hits {
            self.hit(hit, reading);
        }
    }

    fn answered(&mut self, op: Op) {
        self.end_stream(op);
        if let Some(attempt) = self.connection.attempt(op) {
            attempt.answered = true;
        }
        self.connection.settle(op);
    }

    /// What an attempt asked to store is acknowledged.
    fn stored(&mut self, op: Op) {
        let Some(attempt) = self.connection.attempt(op).filter(|attempt| !attempt.probe) else {
            return;
        };
        let (Some(serial), role) = (attempt.stores, attempt.role) else {
            return;
        };
        if std::mem::replace(&mut attempt.acknowledged, true) {
            return;
        }
        self.ledger.stored(
            self.user,
            serial,
            Stored {
                acknowledged: true,
                ..Stored::default()
            },
        );
        if role != Role::PostRoom {
            self.connection.first_stored.get_or_insert(self.at);
        }
    }

    /// Holds the nonce of a reply against that of its request.
    pub(super) fn nonce(&mut self, canary: Canary, op: Option<Op>, seen: &Seen) {
        let Some(attempt) = op.and_then(|op| self.connection.attempt(op)) else {
            return;
        };
        let Some(expected) = attempt.nonce else { return };
        if (canary.owner, canary.serial) == (self.user, expected) {
            attempt.nonce_seen = true;
        } else if canary.datum == Datum::Nonce {
            attempt.other_nonce = true;
            let own = canary.owner == self.user;
            let kind = if own {
                "reply with an older nonce"
            } else {
                "reply with another's nonce"
            };
            let detail = format!(
                "expected nonce {}, got {} of user {}",
                expected.0, canary.serial.0, canary.owner.0
            );
            let needle = Needle::Canary {
                owner: canary.owner,
                datum: canary.datum,
            };
            let seen = Seen {
                needle: Some(needle),
                ..seen.clone().says(detail)
            };
            self.sightings
                .violate(Check::Response, kind, self.user, Some(canary.owner), seen);
        }
    }

    /// Takes an attempt's end, in what concerns its answer.
    pub(crate) fn complete(&mut self, op: Op, accepted: bool) {
        if !accepted {
            return;
        }
        self.end_stream(op);
        self.stored(op);
        let Some(attempt) = self.connection.attempt(op) else {
            return;
        };
        let &mut Attempt {
            invoked,
            unit,
            nonce_seen,
            other_nonce,
            ..
        } = attempt;
        let checked = attempt.nonce.is_some() && !attempt.probe && !other_nonce;
        if checked && nonce_seen {
            self.connection.units[unit].reply(Interval {
                from: invoked,
                to: self.at,
            });
        } else if checked {
            self.connection.without_nonce += 1;
        }
        let served = Served {
            at: self.at,
            place: self.place,
            op: Some(op),
        };
        let last = &mut self.connection.last_accepted;
        if last.is_none_or(|(begin, _)| begin < invoked) {
            *last = Some((invoked, served));
        }
    }
}
