//! When something of somebody else had first passed a process.

use std::collections::BTreeMap;

use history::{At, Replica};

/// For each process the first instants of the two groups (users, tenants) that came first: enough to tell, for any
/// group, when something of another had passed.
#[derive(Debug, Default)]
pub(super) struct Passed(BTreeMap<Replica, Vec<(At, u32)>>);

impl Passed {
    pub(super) fn note(&mut self, replica: Replica, at: At, group: u32) {
        let firsts = self.0.entry(replica).or_default();
        match firsts.iter_mut().find(|(_, known)| *known == group) {
            Some((first, _)) => *first = at.min(*first),
            None => firsts.push((at, group)),
        }
        firsts.sort_unstable();
        firsts.truncate(2);
    }

    /// When something of a group other than `group` first passed.
    pub(super) fn of_another(&self, replica: Replica, group: u32) -> Option<At> {
        self.0
            .get(&replica)?
            .iter()
            .find(|&&(_, other)| other != group)
            .map(|&(at, _)| at)
    }
}
