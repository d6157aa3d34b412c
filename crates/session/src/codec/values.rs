//! What frames are filled with.

use std::ops::Range;

use super::slot::{Slot, Slots};

/// Room that is made for the values of one frame: enough for a post.
const VALUES_BYTES: usize = 192;
const VALUES_COUNT: usize = 5;

/// Values for slots.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// All of them, one after the other.
    text: String,
    /// Where each stands.
    places: Vec<(Slot, Range<usize>)>,
    /// Those that there are.
    has: Slots,
}

impl Values {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, slot: Slot, value: impl AsRef<str>) -> Self {
        self.set(slot, value);
        self
    }

    /// Adds a value, or replaces it.
    pub fn set(&mut self, slot: Slot, value: impl AsRef<str>) {
        if self.places.capacity() == 0 {
            self.text = String::with_capacity(VALUES_BYTES);
            self.places = Vec::with_capacity(VALUES_COUNT);
        }
        let from = self.text.len();
        self.text.push_str(value.as_ref());
        let place = from..self.text.len();
        if !self.has.has(slot) {
            self.has.add(slot);
            self.places.push((slot, place));
        } else if let Some((_, old)) = self.places.iter_mut().find(|(other, _)| *other == slot) {
            *old = place;
        }
    }

    /// The value of `slot`.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&str> {
        if !self.has.has(slot) {
            return None;
        }
        let (_, place) = self.places.iter().find(|(other, _)| *other == slot)?;
        Some(&self.text[place.clone()])
    }

    /// Adds all of `more`, which replace values of the same slots.
    pub fn extend(&mut self, more: Self) {
        if self.places.is_empty() {
            *self = more;
            return;
        }
        for (slot, place) in more.places {
            self.set(slot, &more.text[place]);
        }
    }

    /// The value of `slot`, taken out.
    pub fn take(&mut self, slot: Slot) -> Option<String> {
        let at = self.places.iter().position(|(other, _)| *other == slot)?;
        let (_, place) = self.places.swap_remove(at);
        self.has.remove(slot);
        Some(self.text[place].to_owned())
    }
}

impl PartialEq for Values {
    /// The same values for the same slots, in whatever order they were set.
    fn eq(&self, other: &Self) -> bool {
        let same = |(slot, place): &(Slot, Range<usize>)| other.get(*slot) == Some(&self.text[place.clone()]);
        self.places.len() == other.places.len() && self.places.iter().all(same)
    }
}

impl Eq for Values {}
