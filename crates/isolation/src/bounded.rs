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

/// As [`Bounded`], for what is written often and read at the end: entries are collected as they come, and sorted, joined
/// and cut to the limit once in a while.
#[derive(Clone, Debug)]
pub(crate) struct Collected<K, V> {
    entries: Vec<(K, V)>,
    limit: usize,
    overflowed: bool,
}

impl<K: Ord, V: Join> Collected<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            limit,
            overflowed: false,
        }
    }

    /// Adds an entry, to be joined with what is there.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.entries.push((key, value));
        if self.entries.len() >= 2 * self.limit {
            self.settle();
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.overflowed |= other.overflowed;
        self.entries.extend(other.entries);
        if self.entries.len() >= 2 * self.limit {
            self.settle();
        }
    }

    /// Sorts, joins and cuts: to be called before anything is read.
    pub(crate) fn settle(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        // joining is commutative: the order of equal keys does not matter
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, value) in entries {
            match self.entries.last_mut() {
                Some((last, joined)) if *last == key => joined.join(value),
                _ => self.entries.push((key, value)),
            }
        }
        self.overflowed |= self.entries.len() > self.limit;
        self.entries.truncate(self.limit);
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let at = self.entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some(&self.entries[at].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Whether a key was dropped, so that the table does not tell everything.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
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

    fn collected(entries: &[(u8, u64)]) -> Collected<u8, u64> {
        let mut table = Collected::new(4);
        for &(key, value) in entries {
            table.put(key, value);
        }
        table
    }

    fn settled(mut table: Collected<u8, u64>) -> (bool, Vec<(u8, u64)>) {
        table.settle();
        (table.overflowed(), table.entries)
    }

    proptest! {
        #[test]
        fn collecting_comes_to_the_same(
            entries in prop::collection::vec((0_u8..12, 0_u64..100), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = content(table(&entries));
            prop_assert_eq!(settled(collected(&entries)), whole.clone());
            let (left, right) = entries.split_at(cut.index(entries.len() + 1));
            let mut forward = collected(left);
            forward.merge(collected(right));
            let mut backward = collected(right);
            backward.merge(collected(left));
            prop_assert_eq!(settled(forward), whole.clone());
            prop_assert_eq!(settled(backward), whole);
        }

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
