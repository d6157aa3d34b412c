//! The pass over the bytes.

use std::ops::Range;

use crate::canary::{BLOCK_LEN, Canary, Found, MARKER_LEN};

use super::encoding::{Encoding, Layer};
use super::escapes::Unescaped;
use super::inflate::{self, End};
use super::layer::{Nature, View};
use super::needles::{self, Needle};
use super::reach::{self, Gathered};
use super::runs::{BASE64_ESCAPED, DUMP, Runs};
use super::{decode, settle};

/// Shortest run of base64 or hexadecimal characters that is decoded without a needle in it: a block that is
/// encoded once more within; longer than a UUID.
const ENCODED_MIN: usize = 40;
/// Shortest data that raw decompression is tried on, in bytes.
const COMPRESSED_MIN: usize = 16;
/// Bytes that one scan may decode, and as many again for each byte that it was handed.
const DECODED_BASE: usize = 4 << 20;
const DECODED_PER_BYTE: usize = 16;
/// Hits that one scan reports.
const HITS_MAX: usize = 65_536;

/// What the bytes were declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Text, known to be UTF-8.
    Text,
    /// Anything: what is neither text nor a known compression of it is counted as opaque.
    Binary,
    /// Numbers and text side by side, each of which is known: what is no text is looked into all the same, and is not opaque.
    Fields,
}

/// A canary, or the beginning of one, where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What was found.
    pub found: Found,
    /// How it was dressed.
    pub encoding: Encoding,
    /// Its first byte, counted from the beginning of what was handed in (of the whole stream, for a
    /// [`StreamScanner`](super::StreamScanner)). Within base64, hexadecimal digits and compressed data it is
    /// an estimate.
    pub offset: u64,
    /// The byte after its last.
    pub end: u64,
    /// Whether it was planted in another run.
    pub residue: bool,
}

/// What one scan yielded.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    /// By offset. Several copies of one canary side by side (the long form) are one hit.
    pub hits: &'a [Hit],
    /// Bytes that could not be looked into: neither text nor a known compression, or beyond a limit.
    pub opaque: u64,
}

/// Finds canaries. Make one per worker and use it for everything: it keeps its buffers.
///
/// ```
/// use history::{Audience, User};
/// use isolation::canary::{Datum, Found, Mint};
/// use isolation::scan::{Medium, Scanner};
///
/// let secret = Mint::new(User(7), 4711)?.mint(Audience::Owner, Datum::Secret)?;
/// let frame = format!(r#"{{"ev":"thread.message","data":{{"body":"{}"}}}}"#, secret.long());
/// let mut scanner = Scanner::new(4711);
/// let scanned = scanner.scan(frame.as_bytes(), Medium::Text);
/// assert_eq!(scanned.hits.len(), 1);
/// assert_eq!(scanned.hits[0].found, Found::Whole(secret));
/// assert_eq!(scanned.hits[0].encoding.to_string(), "plain");
/// # Ok::<(), isolation::canary::MintError>(())
/// ```
#[derive(Debug)]
pub struct Scanner {
    run: u32,
    hits: Vec<Hit>,
    opaque: usize,
    /// Bytes that may still be decoded.
    budget: usize,
    spare: Vec<Vec<u8>>,
    /// Room for what one pass finds.
    found: Vec<(usize, Needle)>,
    covered: Vec<Range<usize>>,
    /// The block that was read last, and what it says: a reply has one canary in several places.
    latest: Option<([u8; BLOCK_LEN], Canary)>,
}

impl Scanner {
    /// A scanner for canaries of `run`; those of other runs are residue.
    #[must_use]
    pub fn new(run: u32) -> Self {
        Self {
            run,
            hits: Vec::new(),
            opaque: 0,
            budget: 0,
            spare: Vec::new(),
            found: Vec::new(),
            covered: Vec::new(),
            latest: None,
        }
    }

    /// Finds all canaries in `bytes`, taken by themselves.
    pub fn scan(&mut self, bytes: &[u8], medium: Medium) -> Scanned<'_> {
        self.hits.clear();
        self.opaque = 0;
        self.budget = DECODED_BASE + DECODED_PER_BYTE * bytes.len();
        let nature = match medium {
            Medium::Text => Nature::Text,
            Medium::Binary => Nature::Binary,
            Medium::Fields => Nature::Decoded,
        };
        self.look(&View::top(bytes, nature));
        settle::settle(&mut self.hits);
        Scanned {
            hits: &self.hits,
            opaque: self.opaque as u64,
        }
    }

    /// Takes out what the last scan found; [`Self::give_back`] saves the next one an allocation.
    pub(crate) fn take_hits(&mut self) -> Vec<Hit> {
        std::mem::take(&mut self.hits)
    }

    /// Gives back the room of hits that were taken out.
    pub(crate) fn give_back(&mut self, hits: Vec<Hit>) {
        self.hits = hits;
    }

    pub(super) fn hits(&self) -> &[Hit] {
        &self.hits
    }

    pub(super) fn hits_mut(&mut self) -> &mut Vec<Hit> {
        &mut self.hits
    }

    /// One pass over a view, and over what its layers hide.
    fn look(&mut self, view: &View<'_>) {
        let covered = self.needles(view);
        if view.may_decode() {
            self.runs(view, &covered);
        }
        self.covered = covered;
        if view.may_decode() {
            self.dumps(view);
            self.escapes(view);
        }
        if view.nature != Nature::Text {
            self.bytes(view);
        }
    }

    /// Looks for the needles; returns the ranges that are done with.
    fn needles(&mut self, view: &View<'_>) -> Vec<Range<usize>> {
        let mut found = std::mem::take(&mut self.found);
        needles::find(view.bytes, &mut found);
        let mut covered = std::mem::take(&mut self.covered);
        covered.clear();
        for &(at, needle) in &found {
            let floor = covered.last().map_or(0, |range| range.end);
            if at < floor {
                continue;
            }
            let range = match needle {
                Needle::Plain => self.plain(view, at),
                Needle::Reversed => self.gathered(view, &Gathered::reversed(view.bytes, at), Layer::Reversed),
                Needle::Utf16 => self.gathered(view, &Gathered::wide(view.bytes, at), Layer::Utf16),
                Needle::Split => self.gathered(view, &Gathered::split(view.bytes, at), Layer::Split),
                Needle::Hex if view.may_decode() => Some(self.hex(view, at)),
                Needle::Base64 { phase } if view.may_decode() => Some(self.base64(view, at, phase, floor)),
                Needle::Hex | Needle::Base64 { .. } => None,
            };
            covered.extend(range);
        }
        self.found = found;
        covered
    }

    fn plain(&mut self, view: &View<'_>, at: usize) -> Option<Range<usize>> {
        let block = view.bytes[at..].first_chunk();
        if let (Some(block), Some((known, canary))) = (block, self.latest)
            && *block == known
        {
            let span = reach::repeats(view.bytes, at, block);
            self.report(view, Found::Whole(canary), None, &span);
            return Some(span);
        }
        let (found, span) = reach::read(view.bytes, at)?;
        if let (Some(block), Found::Whole(canary), true) = (block, found, span.end >= at + BLOCK_LEN) {
            self.latest = Some((*block, canary));
        }
        if !matches!(found, Found::Whole(_)) {
            let split = Gathered::split(view.bytes, at).read();
            if let Some((whole @ Found::Whole(_), span)) = split {
                self.report(view, whole, Some(Layer::Split), &span);
                return Some(span);
            }
        }
        self.report(view, found, None, &span);
        Some(span)
    }

    fn gathered(&mut self, view: &View<'_>, gathered: &Gathered, layer: Layer) -> Option<Range<usize>> {
        let (found, span) = gathered.read()?;
        self.report(view, found, Some(layer), &span);
        Some(span)
    }

    fn hex(&mut self, view: &View<'_>, at: usize) -> Range<usize> {
        let run = decode::hex_around(view.bytes, at..at + 2 * MARKER_LEN);
        let from = run.start + (at - run.start) % 2;
        self.decoded(view, Layer::Hex, from..run.end, |bytes, out| {
            decode::hex(bytes, out)
        });
        run
    }

    /// Decodes around a base64 needle at `at`, which begins with character `phase` of a group.
    fn base64(&mut self, view: &View<'_>, at: usize, phase: usize, floor: usize) -> Range<usize> {
        let run = decode::base64_around(view.bytes, at, floor);
        let before = decode::base64_characters(view.bytes, run.start..at);
        let first = (phase + 3 * before) % 4;
        self.base64_run(view, run.clone(), first);
        run
    }

    fn base64_run(&mut self, view: &View<'_>, run: Range<usize>, phase: usize) -> bool {
        self.decoded(view, Layer::Base64, run, |bytes, out| {
            decode::base64(bytes, 0..bytes.len(), phase, out)
        })
    }

    /// Decodes `range` of a view and looks at what comes out; returns whether that is text.
    fn decoded(
        &mut self,
        view: &View<'_>,
        layer: Layer,
        range: Range<usize>,
        decode: impl FnOnce(&[u8], &mut Vec<u8>),
    ) -> bool {
        if !self.charge(range.len()) {
            return false;
        }
        let mut out = self.spare.pop().unwrap_or_default();
        decode(&view.bytes[range.clone()], &mut out);
        if out.len() >= MARKER_LEN {
            self.look(&view.decoded(layer, range.start, range.end, &out));
        }
        let text = !out.is_empty()
            && out
                .iter()
                .all(|byte| (b' '..=b'~').contains(byte) || byte.is_ascii_whitespace());
        self.spare.push(out);
        text
    }

    /// Takes `bytes` from the budget; what it does not allow is opaque.
    fn charge(&mut self, bytes: usize) -> bool {
        let allowed = bytes <= self.budget;
        if allowed {
            self.budget -= bytes;
        } else {
            self.opaque += bytes;
        }
        allowed
    }

    /// Decodes long runs in which no needle was found, between the ranges that are done with: what they hold may be encoded once more.
    fn runs(&mut self, view: &View<'_>, covered: &[Range<usize>]) {
        let mut from = 0;
        for known in covered {
            self.runs_between(view, from..known.start);
            from = known.end;
        }
        self.runs_between(view, from..view.bytes.len());
    }

    fn runs_between(&mut self, view: &View<'_>, gap: Range<usize>) {
        if gap.len() < ENCODED_MIN {
            return;
        }
        let bytes = &view.bytes[..gap.end];
        // a run that goes on behind what is known may be broken into short lines
        let mut at = self.run_without_needle(view, gap.start..decode::base64_end(bytes, gap.start));
        let mut runs = Runs::new(bytes, &BASE64_ESCAPED);
        runs.resume_at(at);
        while let Some(core) = runs.next() {
            if core.len() < ENCODED_MIN && !matches!(bytes.get(core.end), Some(b'\r' | b'\n')) {
                continue;
            }
            at = core.start;
            while at < core.end {
                at = self.run_without_needle(view, at..decode::base64_end(bytes, at));
            }
            runs.resume_at(at);
        }
    }

    /// Decodes a run if it is long; returns where to go on.
    fn run_without_needle(&mut self, view: &View<'_>, run: Range<usize>) -> usize {
        let next = run.end.max(run.start + 1);
        if run.len() < ENCODED_MIN {
            return next;
        }
        if view.bytes[run.clone()].iter().all(u8::is_ascii_hexdigit) {
            self.decoded(view, Layer::Hex, run, decode::hex);
        } else {
            self.phases(view, run);
        }
        next
    }

    /// Decodes base64 of which it is not known where its groups of four begin, most likely with the first
    /// character.
    fn phases(&mut self, view: &View<'_>, run: Range<usize>) {
        for phase in [0, 3, 2, 1] {
            if self.base64_run(view, run.clone(), phase) {
                break;
            }
        }
    }

    /// Decodes lists of integers and dumps of bytes.
    fn dumps(&mut self, view: &View<'_>) {
        for run in Runs::new(view.bytes, &DUMP) {
            if !decode::may_be_list(&view.bytes[run.clone()]) {
                continue;
            }
            self.decoded(view, Layer::Integers, run.clone(), decode::integers);
            self.decoded(view, Layer::Hex, run, decode::dump);
        }
    }

    /// Takes off escapes, if there are any that could hide something.
    fn escapes(&mut self, view: &View<'_>) {
        if let Some(unescaped) = Unescaped::of(view.bytes)
            && self.charge(view.bytes.len())
        {
            self.look(&view.unescaped(unescaped.layer(), &unescaped.bytes, &unescaped.points));
        }
    }

    /// Looks into bytes that need not be text; what cannot be looked into is opaque if all of it was handed
    /// in as such.
    fn bytes(&mut self, view: &View<'_>) {
        let text = std::str::from_utf8(view.bytes).is_ok();
        let readable = self.may_read(view, text);
        if !readable && view.nature == Nature::Binary {
            self.opaque += view.bytes.len();
        }
    }

    fn may_read(&mut self, view: &View<'_>, text: bool) -> bool {
        if !view.may_decode() {
            return text;
        }
        self.wide(view) || text || self.recognised(view) || self.guessed(view)
    }

    /// Reads UTF-16, which in Western text is every other byte zero.
    fn wide(&mut self, view: &View<'_>) -> bool {
        let mut zeros = [0; 2];
        for pair in view.bytes.chunks_exact(2) {
            zeros[0] += usize::from(pair[0] == 0);
            zeros[1] += usize::from(pair[1] == 0);
        }
        let wide = zeros[0].max(zeros[1]) > view.bytes.len() * 3 / 8
            && zeros[0].min(zeros[1]) <= view.bytes.len() / 16;
        if wide {
            let narrow = |bytes: &[u8], out: &mut Vec<u8>| {
                out.clear();
                out.extend(bytes.iter().filter(|byte| **byte != 0));
            };
            self.decoded(view, Layer::Utf16, 0..view.bytes.len(), narrow);
        }
        wide
    }

    /// Decompresses what says that it is compressed.
    fn recognised(&mut self, view: &View<'_>) -> bool {
        let Some((at, layer)) = inflate::recognised(view.bytes) else {
            return false;
        };
        let (end, _) = self.inflate(view, layer, at);
        if end == End::Limit && view.nature != Nature::Binary {
            self.opaque += view.bytes.len() - at;
        }
        at == 0 && end == End::Clean
    }

    /// Decompresses what does not say what it is: raw deflate, and brotli where bytes were handed in as such.
    fn guessed(&mut self, view: &View<'_>) -> bool {
        if view.bytes.len() < COMPRESSED_MIN {
            return false;
        }
        let (deflate, deflated_len) = self.inflate(view, Layer::Deflate, 0);
        if deflate == End::Clean && deflated_len >= view.bytes.len() / 2 {
            return true;
        }
        if view.nature != Nature::Binary {
            return false;
        }
        let (brotli, brotli_len) = self.inflate(view, Layer::Brotli, 0);
        brotli == End::Clean && brotli_len >= view.bytes.len() / 2
    }

    /// Decompresses what begins at `at`, and looks at all that comes out; returns how it ended and how much
    /// came.
    fn inflate(&mut self, view: &View<'_>, layer: Layer, at: usize) -> (End, usize) {
        let limit = self.budget.min(inflate::INFLATED_MAX);
        let mut out = self.spare.pop().unwrap_or_default();
        let end = inflate::inflate(layer, &view.bytes[at..], limit, &mut out);
        let len = out.len();
        self.budget -= len;
        if len >= MARKER_LEN {
            self.look(&view.inflated(layer, at, &out));
        }
        self.spare.push(out);
        (end, len)
    }

    fn report(&mut self, view: &View<'_>, found: Found, inner: Option<Layer>, span: &Range<usize>) {
        if self.hits.len() == HITS_MAX {
            self.opaque += span.len();
            return;
        }
        let encoding = inner.map_or(view.dress, |layer| view.dress.then(layer));
        let residue = found.run().is_some_and(|run| run != self.run);
        let (offset, end) = (view.place(span.start) as u64, view.place(span.end) as u64);
        self.hits.push(Hit {
            found,
            encoding,
            offset,
            end,
            residue,
        });
    }
}
