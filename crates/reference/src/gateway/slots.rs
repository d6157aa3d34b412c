//! Where the connections of this replica are: numbered slots, which are used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::link::Link;

/// All slots. A slot that is used again has another generation.
#[derive(Default)]
pub(crate) struct Slots(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    slots: Vec<Slot>,
    /// Indices of empty slots; the one that was left last is taken first.
    free: Vec<usize>,
}

#[derive(Default)]
struct Slot {
    generation: u64,
    link: Option<Arc<Link>>,
}

/// One use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotId {
    index: usize,
    generation: u64,
}

/// Who is in a slot.
pub(crate) enum Occupant {
    /// Whoever was meant.
    Same(Arc<Link>),
    /// Somebody who came later.
    Other(Arc<Link>),
    Nobody,
}

impl Slots {
    /// Gives a connection a slot.
    pub(crate) fn enter(&self, link: &Arc<Link>) -> SlotId {
        let mut inner = self.inner();
        let index = inner.free.pop().unwrap_or(inner.slots.len());
        if index == inner.slots.len() {
            inner.slots.push(Slot::default());
        }
        let slot = &mut inner.slots[index];
        slot.generation += 1;
        slot.link = Some(Arc::clone(link));
        SlotId {
            index,
            generation: slot.generation,
        }
    }

    /// Empties a slot.
    pub(crate) fn leave(&self, id: SlotId) {
        let mut inner = self.inner();
        inner.slots[id.index].link = None;
        inner.free.push(id.index);
    }

    /// Who is in the slot now.
    pub(crate) fn occupant(&self, id: SlotId) -> Occupant {
        let inner = self.inner();
        let slot = &inner.slots[id.index];
        match slot.link.clone() {
            Some(link) if slot.generation == id.generation => Occupant::Same(link),
            Some(link) => Occupant::Other(link),
            None => Occupant::Nobody,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
