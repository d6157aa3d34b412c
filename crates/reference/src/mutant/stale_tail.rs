//! A short answer ends with what is left of a long one.
//!
//! **Incident.** Cloudbleed, February 2017: a parser ran past the end of its buffer, and pages of Cloudflare's customers were sent with what else was in
//! that memory: answers, cookies and keys of other sites.
//!
//! **Mechanism.** Frames are encoded in buffers that are used again. What is sent is not as long as the frame, but as long as the longest that the buffer has
//! held: the rest is the tail of that.
//!
//! **Layer.** The buffers of the sending side, above the connections.
//!
//! **Caught by** S: whatever the tail holds; R: a message that cannot be read where a reply was due.
//!
//! **Fix.** The length goes with the frame, not with the buffer.

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "stale-tail",
    process: "gateway",
    checks: "SRTU",
    traffic: &[],
};

/// Makes a frame for `user_id` as long as the one that its buffer held before.
pub(crate) fn lengthen(bytes: &mut Vec<u8>, user_id: Uuid, (other, before): (Uuid, Vec<u8>)) {
    if let Some(tail) = before.get(bytes.len()..).filter(|_| MUTANT.acts()) {
        bytes.extend_from_slice(tail);
        MUTANT.record(user_id, other, "was sent the tail of an answer to");
    }
}
