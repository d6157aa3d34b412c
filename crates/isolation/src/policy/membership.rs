//! Membership of rooms over time, when nobody knows the instant at which the service acted.

use std::collections::BTreeMap;

use history::{At, Interval, Room, User};

/// Joins and leaves of one user in one room, each as the interval from request to acknowledgement.
#[derive(Clone, Debug, Default)]
struct Moves {
    joins: Vec<Interval>,
    leaves: Vec<Interval>,
}

impl Moves {
    /// Whether the user is a member at some instant of `span` under some order of the moves.
    ///
    /// Taking a join to happen as late as it can leaves as little room as possible for leaves after it. A leave that
    /// was requested before that join was acknowledged can have happened before it. So a join makes its user a member
    /// from its request until the first acknowledgement among the leaves that were requested after the join was
    /// acknowledged. Without an acknowledgement, a join can be as late as one likes (no leave is after it), and a
    /// leave can be too (nobody is ever surely gone).
    fn possibly_member(&self, span: Interval) -> bool {
        self.joins.iter().any(|join| {
            let surely_gone = self
                .leaves
                .iter()
                .filter(|leave| leave.from > join.to)
                .map(|leave| leave.to)
                .min()
                .unwrap_or(At::NEVER);
            span.overlaps(Interval {
                from: join.from,
                to: surely_gone,
            })
        })
    }
}

/// Who was in which room when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memberships {
    moves: BTreeMap<(Room, User), Moves>,
}

impl Memberships {
    /// Adds a move; `during.to` is [`At::NEVER`] if it was not acknowledged.
    pub(crate) fn add(&mut self, room: Room, user: User, joined: bool, during: Interval) {
        let moves = self.moves.entry((room, user)).or_default();
        if joined {
            moves.joins.push(during)
        } else {
            moves.leaves.push(during)
        }
    }

    /// Whether `user` can have been a member of `room` at some instant of `span`.
    pub(crate) fn possibly_member(&self, room: Room, user: User, span: Interval) -> bool {
        self.moves
            .get(&(room, user))
            .is_some_and(|moves| moves.possibly_member(span))
    }

    /// Those who can have been members of `room` at some instant of `span`.
    pub(crate) fn members(&self, room: Room, span: Interval) -> impl Iterator<Item = User> + '_ {
        let all = self.moves.range((room, User(0))..=(room, User(u32::MAX)));
        all.filter(move |(_, moves)| moves.possibly_member(span))
            .map(|(&(_, user), _)| user)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(from: u64, to: u64) -> Interval {
        Interval {
            from: At(from),
            to: At(to),
        }
    }

    const OPEN: u64 = u64::MAX;

    #[track_caller]
    fn check(joins: &[(u64, u64)], leaves: &[(u64, u64)], seen: (u64, u64), expect: bool) {
        let spans = |moves: &[(u64, u64)]| moves.iter().map(|&(a, b)| span(a, b)).collect();
        let moves = Moves {
            joins: spans(joins),
            leaves: spans(leaves),
        };
        assert_eq!(moves.possibly_member(span(seen.0, seen.1)), expect);
    }

    #[test]
    fn a_stranger_is_never_a_member() {
        check(&[], &[], (0, 100), false);
        check(&[], &[(5, 6)], (0, 100), false);
    }

    #[test]
    fn a_join_counts_from_its_request() {
        check(&[(10, 20)], &[], (0, 9), false);
        check(&[(10, 20)], &[], (0, 10), true);
        check(&[(10, 20)], &[], (50, 60), true);
    }

    #[test]
    fn a_leave_counts_from_its_acknowledgement() {
        check(&[(10, 20)], &[(30, 40)], (40, 50), true);
        check(&[(10, 20)], &[(30, 40)], (41, 50), false);
    }

    #[test]
    fn an_unacknowledged_leave_is_never_sure() {
        check(&[(10, 20)], &[(30, OPEN)], (1000, 1001), true);
    }

    #[test]
    fn an_unacknowledged_join_may_be_after_any_leave() {
        check(&[(10, OPEN)], &[(30, 40)], (1000, 1001), true);
    }

    #[test]
    fn overlapping_moves_may_have_happened_in_either_order() {
        check(&[(10, 20)], &[(15, 25)], (100, 100), true);
    }

    #[test]
    fn coming_back_counts_again() {
        let joins = [(10, 20), (60, 70)];
        check(&joins, &[(30, 40)], (45, 55), false);
        check(&joins, &[(30, 40)], (45, 60), true);
    }

    /// The law in full: some choice of instants makes the last move before some instant of the span a join.
    fn brute_force(joins: &[Interval], leaves: &[Interval], seen: Interval) -> bool {
        fn choices(spans: &[Interval]) -> Vec<Vec<u64>> {
            spans.iter().fold(vec![vec![]], |done, span| {
                done.iter()
                    .flat_map(|head| (span.from.0..=span.to.0).map(move |at| [&head[..], &[at]].concat()))
                    .collect()
            })
        }
        choices(joins).iter().any(|came| {
            choices(leaves).iter().any(|left| {
                (seen.from.0..=seen.to.0).any(|now| {
                    let last = |moves: &[u64]| moves.iter().copied().filter(|&at| at <= now).max();
                    // moves at one instant may have happened in either order, and so may the look and the leave
                    let gone = left.iter().copied().filter(|&at| at < now).max();
                    last(came).is_some_and(|join| gone.is_none_or(|leave| join >= leave))
                })
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn agrees_with_trying_every_order(
            joins in prop::collection::vec((0_u64..8, 0_u64..4), 0..3),
            leaves in prop::collection::vec((0_u64..8, 0_u64..4), 0..3),
            seen in (0_u64..12, 0_u64..3),
        ) {
            let spans = |moves: Vec<(u64, u64)>| -> Vec<Interval> {
                moves.into_iter().map(|(from, length)| span(from, from + length)).collect()
            };
            let (joins, leaves) = (spans(joins), spans(leaves));
            let seen = span(seen.0, seen.0 + seen.1);
            let moves = Moves { joins: joins.clone(), leaves: leaves.clone() };
            prop_assert_eq!(moves.possibly_member(seen), brute_force(&joins, &leaves, seen));
        }
    }
}
