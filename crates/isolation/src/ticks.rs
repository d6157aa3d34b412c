//! Who had an op in flight at sampled instants, in bounded memory.

use history::{Interval, User};

use crate::limits::TICKS_MAX;

/// The finest tick is 2^16 ns, about 66 us.
const FINEST_SHIFT: u32 = 16;
const NOBODY: u32 = u32::MAX;

/// For each instant that is a multiple of the tick, up to two distinct users with an op in flight at it.
///
/// Two ops that mark one instant were both in flight then, so what this claims to overlap did. It can miss overlaps
/// that lie between two ticks. The tick doubles whenever the run outgrows the table; marks at the instants that remain
/// stay as they were, so that the table depends on the ops alone and not on how they were spread over tables.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    shift: u32,
    marks: Marks,
}

/// At each instant, the two smallest distinct numbers of users, or [`NOBODY`]: two columns, so that long ops are marked by vector code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Marks {
    first: Vec<u32>,
    second: Vec<u32>,
}

impl Default for Ticks {
    fn default() -> Self {
        Self {
            shift: FINEST_SHIFT,
            marks: Marks::default(),
        }
    }
}

impl Ticks {
    /// Records that `user` had an op in flight.
    pub(crate) fn mark(&mut self, user: User, during: Interval) {
        self.make_room(during.to.0);
        let (first, last) = self.ticks(during);
        let end = last + 1;
        if first >= end {
            return;
        }
        self.marks.reach(end);
        let Marks {
            first: ones,
            second: others,
        } = &mut self.marks;
        mark_all(&mut ones[first..end], &mut others[first..end], user.0);
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        while self.shift < other.shift {
            self.coarsen();
        }
        while other.shift < self.shift {
            other.coarsen();
        }
        self.marks.reach(other.marks.first.len());
        self.marks.merge(&other.marks);
    }

    /// Whether a user other than `user` surely had an op in flight at an instant of `during`.
    pub(crate) fn with_another(&self, user: User, during: Interval) -> bool {
        let (first, last) = self.ticks(during);
        let end = self.marks.first.len().min(last + 1);
        let is_another = |other: &u32| *other != user.0 && *other != NOBODY;
        first < end
            && [&self.marks.first, &self.marks.second]
                .into_iter()
                .any(|column| column[first..end].iter().any(is_another))
    }

    /// Numbers of the first and last tick within `during`; there is none if the first is the greater.
    fn ticks(&self, during: Interval) -> (usize, usize) {
        let first = during.from.0.div_ceil(1 << self.shift);
        let last = during.to.0 >> self.shift;
        (first as usize, last as usize)
    }

    fn make_room(&mut self, latest_ns: u64) {
        while latest_ns >> self.shift >= TICKS_MAX {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.shift += 1;
        for column in [&mut self.marks.first, &mut self.marks.second] {
            *column = column.iter().copied().step_by(2).collect();
        }
        self.marks.trim();
    }
}

impl Marks {
    /// Makes room for instants up to `end`.
    fn reach(&mut self, end: usize) {
        for column in [&mut self.first, &mut self.second] {
            if column.len() < end {
                column.resize(end, NOBODY);
            }
        }
    }

    /// Lets go of the instants behind the last that is marked, as if they had never been.
    fn trim(&mut self) {
        let last = self.first.iter().rposition(|user| *user != NOBODY);
        let end = last.map_or(0, |last| last + 1);
        self.first.truncate(end);
        self.second.truncate(end);
    }

    fn merge(&mut self, other: &Self) {
        for theirs in [&other.first, &other.second] {
            for ((first, second), user) in self.first.iter_mut().zip(&mut self.second).zip(theirs) {
                (*first, *second) = with(*first, *second, *user);
            }
        }
    }
}

/// Adds `user` at every one of some instants. A function of its own, so that it is vector code.
#[inline(never)]
fn mark_all(first: &mut [u32], second: &mut [u32], user: u32) {
    for (first, second) in first.iter_mut().zip(second) {
        (*first, *second) = with(*first, *second, user);
    }
}

/// The two smallest distinct numbers of three, the first two of which are in order. Without a branch.
fn with(first: u32, second: u32, user: u32) -> (u32, u32) {
    let larger = if user == first { NOBODY } else { first.max(user) };
    (first.min(user), second.min(larger))
}

#[cfg(test)]
mod tests {
    use history::At;
    use proptest::prelude::*;

    use super::*;

    const TICK: u64 = 1 << FINEST_SHIFT;

    fn span(from: u64, to: u64) -> Interval {
        Interval {
            from: At(from),
            to: At(to),
        }
    }

    #[test]
    fn shared_instants_are_seen_and_own_ops_are_not() {
        let mut ticks = Ticks::default();
        ticks.mark(User(1), span(TICK / 2, 3 * TICK));
        assert!(!ticks.with_another(User(1), span(0, 9 * TICK)));
        assert!(ticks.with_another(User(2), span(2 * TICK, 9 * TICK)));
        assert!(!ticks.with_another(User(2), span(3 * TICK + 1, 9 * TICK)));
        ticks.mark(User(2), span(2 * TICK, 2 * TICK));
        assert!(ticks.with_another(User(1), span(0, 9 * TICK)));
    }

    #[test]
    fn who_comes_again_does_not_take_the_place_of_another() {
        for users in [[1, 2, 1], [2, 1, 2], [1, 2, 2], [2, 1, 1], [3, 2, 3], [1, 3, 2]] {
            let mut ticks = Ticks::default();
            for user in users {
                ticks.mark(User(user), span(TICK, TICK));
            }
            for user in 0..4 {
                assert!(
                    ticks.with_another(User(user), span(TICK, TICK)),
                    "{user} of {users:?}"
                );
            }
        }
    }

    #[test]
    fn a_short_op_between_ticks_claims_nothing() {
        let mut ticks = Ticks::default();
        ticks.mark(User(1), span(TICK + 1, TICK + 2));
        assert!(!ticks.with_another(User(2), span(0, 9 * TICK)));
    }

    #[test]
    fn what_a_coarser_tick_passes_over_leaves_nothing_behind() {
        let mut ticks = Ticks::default();
        ticks.mark(User(1), span(TICK, TICK));
        ticks.coarsen();
        assert_eq!(ticks.marks, Marks::default());
    }

    proptest! {
        #[test]
        fn merging_parts_equals_one_table(
            ops in prop::collection::vec((0_u32..3, 0_u64..(TICKS_MAX * TICK * 4), 0_u64..(TICK * 50)), 1..12),
            cut in any::<prop::sample::Index>(),
            asked in any::<prop::sample::Index>(),
        ) {
            let table = |ops: &[(u32, u64, u64)]| {
                let mut ticks = Ticks::default();
                for &(user, from, length) in ops {
                    ticks.mark(User(user), span(from, from + length));
                }
                ticks
            };
            let (left, right) = ops.split_at(cut.index(ops.len()));
            let (mut forward, mut backward) = (table(left), table(right));
            forward.merge(table(right));
            backward.merge(table(left));
            let whole = table(&ops);
            prop_assert_eq!(&forward.marks, &whole.marks);
            prop_assert_eq!(&backward.marks, &whole.marks);
            let (user, from, length) = ops[asked.index(ops.len())];
            let during = span(from, from + length);
            let truth = ops
                .iter()
                .any(|&(other, from, length)| other != user && span(from, from + length).overlaps(during));
            prop_assert!(truth || !whole.with_another(User(user), during), "claimed an overlap that was not");
        }
    }
}
