//! What one inbound message shows: judged where it lands, as far as one connection can.

use std::ops::Range;

use history::{At, ChannelKind, Check, Conn, Inbound, Op, Part, Place, Source, User};

use crate::canary::{Canary, Datum, Found, Fragment, Head, Kind};
use crate::identity::fingerprint_naming;
use crate::scan::{Encoding, Hit, Medium, Scanner, ids};
use crate::seen::Seen;

use super::connection::{Connection, Served};
use super::ledger::Ledger;
use super::sightings::{Cause, Read, Sightings};

/// One message, and all that judging it may touch.
pub(crate) struct Frame<'a> {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) conn: Conn,
    pub(crate) user: User,
    pub(crate) connection: &'a mut Connection,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) sightings: &'a mut Sightings,
    pub(crate) scanner: &'a mut Scanner,
}

/// What the parts of a message say about whose answer it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// It answers requests, and nothing else.
    pub(super) replies_only: bool,
    /// The one attempt that it answers.
    pub(super) op: Option<Op>,
    pub(super) cause: Cause,
}

impl Frame<'_> {
    /// Judges a message.
    pub(crate) fn judge(&mut self, inbound: &Inbound<'_>) {
        self.connection.last = Some((self.at, self.place));
        let reading = self.read(inbound);
        let opaque = self.scan(inbound, reading);
        self.sightings.opaque_bytes += opaque;
        if opaque == 0 && !inbound.bytes.is_empty() {
            let unit = self.connection.current();
            let unit = &mut self.connection.units[unit];
            unit.frames += 1;
            unit.last_frame = unit.last_frame.max(self.at);
        }
        for part in inbound.parts.iter() {
            self.part(inbound.source, part);
        }
    }

    /// Ends a connection's streams: what they kept is all there is.
    pub(crate) fn end(&mut self) {
        let user = self.user;
        for op in self.connection.open_streams() {
            self.end_stream(op);
        }
        let cause = Cause {
            observer: user,
            pulled: None,
            pushed: true,
        };
        for stream in self.connection.take_carried() {
            let hits = stream.finish(self.scanner).hits.to_vec();
            for hit in hits {
                self.hit(
                    &hit,
                    Reading {
                        replies_only: false,
                        op: None,
                        cause,
                    },
                );
            }
        }
    }

    fn read(&self, inbound: &Inbound<'_>) -> Reading {
        let (mut replies, mut others, mut op, mut pulled) = (0, 0, None, None);
        for part in inbound.parts.iter() {
            match part {
                Part::Reply { op: answered, .. } => {
                    replies += 1;
                    op = *answered;
                    let begin = answered.and_then(|op| self.connection.begin(op));
                    pulled = [pulled, Some(begin.unwrap_or(At::START))]
                        .into_iter()
                        .flatten()
                        .min();
                }
                Part::Event { .. } | Part::Undecodable => others += 1,
                Part::Heartbeat => {}
            }
        }
        let pushed = replies == 0 || others > 0;
        if pushed
            && inbound
                .parts
                .iter()
                .all(|part| !matches!(part, Part::Event { .. }))
        {
            pulled = [pulled, self.connection.earliest_awaited()]
                .into_iter()
                .flatten()
                .min();
        }
        Reading {
            replies_only: replies > 0 && others == 0,
            op: op.filter(|_| replies == 1 && others == 0),
            cause: Cause {
                observer: self.user,
                pulled,
                pushed,
            },
        }
    }

    /// Looks for canaries, and beside them for ids and pieces of tokens; returns how many bytes could not be looked into.
    fn scan(&mut self, inbound: &Inbound<'_>, reading: Reading) -> u64 {
        let bytes = &inbound.bytes[..];
        let (texts, binaries) = (&mut self.connection.texts, &mut self.connection.binaries);
        let (begin, scanned) = match inbound.source {
            Source::Text => (texts.len(), texts.feed(self.scanner, bytes)),
            Source::Binary => (
                binaries.len(),
                binaries.feed_as(Medium::Binary, self.scanner, bytes),
            ),
            Source::Fields => (
                binaries.len(),
                binaries.feed_as(Medium::Fields, self.scanner, bytes),
            ),
            Source::Partial | Source::Headers | Source::Control => {
                (0, self.scanner.scan(bytes, Medium::Text))
            }
            Source::Body => (0, self.scanner.scan(bytes, Medium::Binary)),
        };
        let opaque = scanned.opaque;
        let hits = self.scanner.take_hits();
        for hit in &hits {
            if !is_piece(hit, inbound) {
                self.hit(hit, reading);
            }
        }
        self.ids(bytes, canaries(&hits, begin), reading.op);
        self.scanner.give_back(hits);
        opaque
    }

    pub(super) fn hit(&mut self, hit: &Hit, reading: Reading) {
        let op = reading.op;
        let seen = Seen {
            op,
            encoding: hit.encoding,
            ..Seen::once(self.at, self.place).over(self.conn)
        };
        if let (true, Some(run)) = (hit.residue, hit.found.run()) {
            return self.sightings.residue(run);
        }
        match hit.found {
            Found::Whole(canary) => {
                self.nonce(canary, op, &seen);
                self.canary(canary.into(), reading, seen);
            }
            Found::Head(head) => self.canary(Read { head, serial: None }, reading, seen),
            Found::Fragment(fragment) => self.fragment(fragment, seen),
        }
    }

    fn canary(&mut self, read: Read, reading: Reading, seen: Seen) {
        let Head {
            owner, kind, datum, ..
        } = read.head;
        let private = kind == Kind::Owner && !is_identity(datum);
        if owner == self.user {
            let unit = self.connection.current();
            let unit = &mut self.connection.units[unit];
            unit.own_identity |= is_identity(datum);
            unit.own_secret |= private;
            return;
        }
        // what a request named may be said back
        if is_identity(datum) && self.connection.has_named(fingerprint_naming(read.head)) {
            return;
        }
        if reading.replies_only && private {
            let kind = "reply built from another's content";
            self.sightings
                .violate(Check::Response, kind, self.user, Some(owner), seen.clone());
        }
        self.sightings.foreign(reading.cause, read, seen);
    }

    /// Too little to name an owner, or to name more than one. It is none of our business if it may be the beginning of
    /// something of the receiver's own.
    fn fragment(&mut self, fragment: Fragment, seen: Seen) {
        let own = Canary {
            owner: self.user,
            kind: Kind::Owner,
            datum: Datum::Nonce,
            audience: self.user.0,
            run: 0,
            serial: history::Serial(0),
        };
        let named = fragment.text().len().min(OWNER_END);
        if own.block()[..named] != fragment.text()[..named] {
            self.sightings.fragments.put((self.user, fragment), seen);
        }
    }

    /// Looks for identifiers and for pieces of tokens, beside canaries that were found.
    pub(super) fn ids(&mut self, bytes: &[u8], canaries: impl Iterator<Item = Range<usize>>, op: Option<Op>) {
        let served = Served {
            at: self.at,
            place: self.place,
            op,
        };
        ids::find_beside(bytes, canaries, |id| match id {
            ids::Id::Uuid { fingerprint, .. } => self.connection.saw(fingerprint, served),
            ids::Id::Run { text, .. } => {
                ids::grams(text).for_each(|gram| self.connection.saw(gram, served));
            }
        });
    }

    fn part(&mut self, source: Source, part: &Part<'_>) {
        match part {
            Part::Reply { op: None, step, .. } => {
                self.out_of_order("reply out of nowhere", *step, None);
            }
            Part::Reply {
                op: Some(op),
                step,
                text,
            } => self.reply(*op, *step, text.as_deref()),
            Part::Event { content, .. } => {
                if *content {
                    self.content(None);
                }
            }
            Part::Heartbeat => {}
            Part::Undecodable => self.undecodable(source),
        }
    }

    /// The session was served.
    pub(super) fn content(&mut self, op: Option<Op>) {
        let served = Served {
            at: self.at,
            place: self.place,
            op,
        };
        self.connection.first_content.get_or_insert(self.at);
        let last = if op.is_some() {
            &mut self.connection.last_reply
        } else {
            &mut self.connection.last_event
        };
        *last = Some(served);
        let kind = match self.connection.opened {
            None if self.connection.refused => "content over a refused connection",
            None if self.connection.accepting => "content before the connection was accepted",
            Some(opened) if opened.session.is_none() && opened.channel == ChannelKind::WebSocket => {
                "content without a session"
            }
            _ => return,
        };
        let seen = Seen {
            op,
            ..Seen::once(self.at, self.place).over(self.conn)
        };
        self.sightings
            .violate(Check::Boundary, kind, self.user, Some(self.user), seen);
    }

    fn undecodable(&mut self, source: Source) {
        self.sightings.undecodable += 1;
        let framed = matches!(source, Source::Text | Source::Binary | Source::Fields);
        if framed && self.connection.awaits() {
            let seen = Seen::once(self.at, self.place)
                .over(self.conn)
                .says("a reply was due");
            self.sightings
                .violate(Check::Response, "undecodable message", self.user, None, seen);
        }
    }
}

/// Where whole canaries stand in a message that begins at `begin` of what the places of `hits` are counted from.
fn canaries(hits: &[Hit], begin: u64) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_bare = |hit: &&Hit| matches!(hit.found, Found::Whole(_)) && hit.encoding == Encoding::PLAIN;
    let within = move |place: u64| place.saturating_sub(begin) as usize;
    hits.iter()
        .filter(is_bare)
        .map(move |hit| within(hit.offset)..within(hit.end))
}

/// Symbols of a block up to the end of its owner.
const OWNER_END: usize = crate::canary::MARKER_LEN + 4;

/// Whether a hit is no more than a piece of a streamed answer, which is judged when its pieces are joined.
fn is_piece(hit: &Hit, inbound: &Inbound<'_>) -> bool {
    let Found::Fragment(fragment) = hit.found else {
        return false;
    };
    inbound.parts.iter().any(|part| match part {
        Part::Reply { text: Some(text), .. } => {
            memchr::memmem::find(text.to_ascii_lowercase().as_bytes(), fragment.text()).is_some()
        }
        _ => false,
    })
}

/// Whether a canary names its owner rather than being a secret.
pub(crate) fn is_identity(datum: Datum) -> bool {
    matches!(datum, Datum::Email | Datum::Name)
}
