//! When one drops out of a batch, the others are mixed up.
//!
//! **Incidents.** vLLM #13408, mlx-lm #965: requests that are answered together are rows of several arrays; when one leaves, the arrays are compacted, and not
//! all in the same way.
//!
//! **Mechanism.** The slots after one that drops out move up; the texts are compacted by moving the last into the gap. Whoever was after the one that dropped
//! out goes on with another's text.
//!
//! **Layer.** The agent's batches.
//!
//! **Caught by** R: replies with another's nonce, or another's title; S: the same.
//!
//! **Fix.** What belongs to one request is one value.

use std::mem;

use super::Mutant;
use crate::agent::batch::Slot;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "batch-slot-mix",
    process: "agent",
    checks: "RST",
    traffic: &["cancel"],
};

/// Compacts the texts after the slot at `at` was taken out of the others.
pub(crate) fn compact(slots: &mut [Slot], at: usize) {
    // the last was in the place after those that are left, its text goes into the gap
    if at >= slots.len() || !MUTANT.acts() {
        return;
    }
    slots[at..].rotate_texts();
    for slot in slots.iter().filter(|slot| slot.user_id != slot.text.user_id) {
        MUTANT.record(slot.user_id, slot.text.user_id, "goes on with the reply to");
    }
}

trait Texts {
    /// Moves the last text to the first slot and the others one on.
    fn rotate_texts(&mut self);
}

impl Texts for [Slot] {
    fn rotate_texts(&mut self) {
        for at in (1..self.len()).rev() {
            let (before, from) = self.split_at_mut(at);
            mem::swap(&mut before[at - 1].text, &mut from[0].text);
        }
    }
}
