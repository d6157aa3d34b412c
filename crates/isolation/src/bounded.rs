//! Tables with a limit that still merge.

use std::collections::BTreeMap;

/// Values that two observers of one key may both hold.
pub(crate) trait Join {
    /// Takes in what the other saw. Commutative and associative.
    fn join(&mut self, other: Self);
}

impl Join for () {
    fn join(&mut self, (): Self) {}
}

impl Join for u64 {
    fn join(&mut self, other: Self) {
        *self = self.saturating_add(other);
    }
}

/// A map of at most `limit` keys: the smallest ones.
///
/// A key that was evicted is greater than `limit` others, so it is evicted from every union as well, and a key that
/// stays was never evicted anywhere: what is kept, and its joined values, do not depend on how the entries were
/// spread over tables or in which order these merged.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<K, V> {
    entries: BTreeMap<K, V>,
    limit: usize,
    overflowed: bool,
}

impl<K: Ord, V: Join> Bounded<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            limit,
            overflowed: false,
        }
    }

    /// Adds an entry, joining it with what is there.
    pub(crate) fn put(&mut self, key: K, value: V) {
        match self.entries.entry(key) {
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().join(value),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(value);
                if self.entries.len() > self.limit {
                    self.entries.pop_last();
                    self.overflowed = true;
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.overflowed |= other.overflowed;
        for (key, value) in other.entries {
            self.put(key, value);
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a key was dropped, so that the table does not tell everything.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

impl<K, V> IntoIterator for Bounded<K, V> {
    type Item = (K, V);
    type IntoIter = std::collections::btree_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(entries: &[(u8, u64)]) -> Bounded<u8, u64> {
        let mut table = Bounded::new(4);
        for &(key, value) in entries {
            table.put(key, value);
        }
        table
    }

    fn content(table: Bounded<u8, u64>) -> (bool, Vec<(u8, u64)>) {
        (table.overflowed(), table.into_iter().collect())
    }

    proptest! {
        #[test]
        fn merging_parts_equals_one_table(
            entries in prop::collection::vec((0_u8..12, 0_u64..100), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let cut = cut.index(entries.len() + 1);
            let whole = content(table(&entries));
            let (left, right) = entries.split_at(cut);
            let mut forward = table(left);
            forward.merge(table(right));
            let mut backward = table(right);
            backward.merge(table(left));
            prop_assert_eq!(content(forward), whole.clone());
            prop_assert_eq!(content(backward), whole);
        }
    }
}
