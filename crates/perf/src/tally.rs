//! Counts by name that stay small whatever the names are.

use std::collections::BTreeMap;

/// Most names that are kept apart; the rest count together.
pub const NAMES_MAX: usize = 64;

/// Most characters of a name that are kept.
pub const NAME_CHARS_MAX: usize = 120;

/// Counts by name, for the [`NAMES_MAX`] alphabetically first names.
///
/// Which names are kept does not depend on the order of counting or merging, and their counts are exact: a name is dropped
/// only for [`NAMES_MAX`] smaller ones, which stay, so that it can never come back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    named: BTreeMap<String, u64>,
    total: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, name: &str) {
        let end = name
            .char_indices()
            .nth(NAME_CHARS_MAX)
            .map_or(name.len(), |(at, _)| at);
        self.total += 1;
        match self.named.get_mut(&name[..end]) {
            Some(count) => *count += 1,
            None => {
                self.named.insert(name[..end].to_owned(), 1);
                self.trim();
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.total += other.total;
        for (name, count) in other.named {
            *self.named.entry(name).or_default() += count;
        }
        self.trim();
    }

    /// Name and count, by name; what was dropped comes last as `(others)`.
    pub(crate) fn into_counts(self) -> Vec<(String, u64)> {
        let others = self.total - self.named.values().sum::<u64>();
        let mut counts: Vec<_> = self.named.into_iter().collect();
        if others > 0 {
            counts.push(("(others)".to_owned(), others));
        }
        counts
    }

    fn trim(&mut self) {
        while self.named.len() > NAMES_MAX {
            self.named.pop_last();
        }
    }
}
