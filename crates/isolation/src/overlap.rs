//! Whether somebody else was there at the same time.

use history::{At, Interval, User};

/// Intervals of many users, made to answer whether one of another user overlaps a given one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlap {
    /// Begins in order, each with the two latest ends of two distinct users among all that begin no later.
    steps: Vec<(At, Latest)>,
}

/// The latest ends of two distinct users, the later one first.
#[derive(Clone, Copy, Debug, Default)]
struct Latest([Option<(At, User)>; 2]);

impl Latest {
    fn with(self, to: At, user: User) -> Self {
        let Self([first, second]) = self;
        match first {
            Some((at, same)) if same == user => Self([Some((at.max(to), user)), second]),
            Some((at, _)) if at < to => Self([Some((to, user)), first]),
            None => Self([Some((to, user)), None]),
            _ => match second {
                Some((at, _)) if at >= to => self,
                _ => Self([first, Some((to, user))]),
            },
        }
    }

    fn of_another(self, user: User) -> Option<At> {
        self.0
            .into_iter()
            .flatten()
            .find(|&(_, other)| other != user)
            .map(|(at, _)| at)
    }
}

impl Overlap {
    pub(crate) fn new(intervals: impl IntoIterator<Item = (User, Interval)>) -> Self {
        let mut intervals: Vec<_> = intervals.into_iter().collect();
        intervals.sort_by_key(|&(user, during)| (during.from, during.to, user));
        let mut latest = Latest::default();
        let steps = intervals
            .into_iter()
            .map(|(user, during)| {
                latest = latest.with(during.to, user);
                (during.from, latest)
            })
            .collect();
        Self { steps }
    }

    /// Whether an interval of a user other than `user` shares an instant with `during`.
    pub(crate) fn with_another(&self, user: User, during: Interval) -> bool {
        let begun = self.steps.partition_point(|&(from, _)| from <= during.to);
        begun
            .checked_sub(1)
            .and_then(|last| self.steps[last].1.of_another(user))
            .is_some_and(|to| to >= during.from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_looking_at_all(
            intervals in prop::collection::vec((0_u32..4, 0_u64..20, 0_u64..8), 0..12),
            user in 0_u32..4,
            from in 0_u64..24,
            length in 0_u64..4,
        ) {
            let intervals: Vec<_> = intervals
                .into_iter()
                .map(|(user, from, length)| (User(user), Interval { from: At(from), to: At(from + length) }))
                .collect();
            let asked = Interval { from: At(from), to: At(from + length) };
            let expect = intervals.iter().any(|&(other, during)| other != User(user) && during.overlaps(asked));
            prop_assert_eq!(Overlap::new(intervals).with_another(User(user), asked), expect);
        }
    }
}
