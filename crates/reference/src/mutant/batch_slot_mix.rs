//! When one drops out of a batch, the others are mixed up.
//!
//! **Incidents.** vLLM #13408, mlx-lm #965: requests that are answered together are rows of several arrays; when one leaves, the arrays are compacted, and not
//! all in the same way.
//!
//! **Mechanism.** The slots after one that drops out move up, and their texts do not. Whoever was after the one that dropped out goes on with the text of
//! whoever was before.
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

/// Leaves the texts of those after the slot at `at`, which `left` the others, where they were.
pub(crate) fn compact(slots: &mut [Slot], at: usize, left: Slot) {
    let after = &mut slots[at..];
    if after.iter().all(|slot| slot.user_id == left.user_id) || !MUTANT.acts() {
        return;
    }
    let mut text = left.text;
    for slot in after {
        mem::swap(&mut slot.text, &mut text);
        if slot.user_id != slot.text.user_id {
            MUTANT.record(slot.user_id, slot.text.user_id, "goes on with the reply to");
        }
    }
}
