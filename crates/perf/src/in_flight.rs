//! How many ops were in flight at once, as the client sees it.

use std::collections::VecDeque;

use history::At;

/// Finest slice of time: 2^17 ns, about 131 us.
const FINEST_SHIFT: u8 = 17;

/// Most slices from the begin of the run; a longer run has slices of twice the length, and so on.
const SLICES_MAX: u64 = 1 << 20;

/// Begins less ends of ops, by slice of time.
///
/// The sum up to a slice is the number in flight at that slice's end, so the peak is a number that really was in flight,
/// and at most what an unsliced count would find. The length of a slice depends on the latest instant alone and slices nest,
/// so that merging commutes.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    shift: u8,
    /// The slice of the first of `net`.
    first: u64,
    net: VecDeque<i64>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            shift: FINEST_SHIFT,
            first: 0,
            net: VecDeque::new(),
        }
    }
}

impl InFlight {
    /// Counts one op that was in flight from `from` to `to`; [`At::NEVER`] for one that never ended.
    pub(crate) fn count(&mut self, from: At, to: At) {
        self.count_at(from, 1);
        if to != At::NEVER {
            self.count_at(to, -1);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.coarsen(other.shift);
        let by = self.shift - other.shift;
        for (slice, net) in (other.first..).zip(&other.net) {
            self.add(slice >> by, *net);
        }
    }

    /// Most ops in flight at the end of a slice, at least 1; `None` if no op was counted.
    pub(crate) fn peak(&self) -> Option<u64> {
        let mut now = 0;
        let ends = self.net.iter().map(|net| {
            now += net;
            now
        });
        ends.max().map(|peak| u64::try_from(peak).unwrap_or(0).max(1))
    }

    fn count_at(&mut self, at: At, ends: i64) {
        let mut shift = self.shift;
        while at.0 >> shift >= SLICES_MAX {
            shift += 1;
        }
        self.coarsen(shift);
        self.add(at.0 >> self.shift, ends);
    }

    fn add(&mut self, slice: u64, ends: i64) {
        if self.net.is_empty() {
            self.first = slice;
        }
        while slice < self.first {
            self.net.push_front(0);
            self.first -= 1;
        }
        let at = (slice - self.first) as usize;
        if at >= self.net.len() {
            self.net.resize(at + 1, 0);
        }
        self.net[at] += ends;
    }

    fn coarsen(&mut self, shift: u8) {
        if shift <= self.shift {
            return;
        }
        let by = shift - self.shift;
        let (first, fine) = (self.first, std::mem::take(&mut self.net));
        self.shift = shift;
        for (slice, net) in (first..).zip(fine) {
            self.add(slice >> by, net);
        }
    }
}
