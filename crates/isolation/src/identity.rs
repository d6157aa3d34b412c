//! Ids that a service made.

use history::Fingerprint;

use crate::scan::ids;

/// The fingerprint of a service-made id: of a UUID's digits, whatever its spelling, or else of the bytes as they are.
/// What [`Invoked::names`](history::Invoked::names) holds.
///
/// ```
/// use isolation::fingerprint_of_id;
///
/// let plain = fingerprint_of_id("0b0e7c1e-42a5-4c59-9d0c-6f6d0f6a1e11");
/// assert_eq!(plain, fingerprint_of_id("0B0E7C1E42A54C599D0C6F6D0F6A1E11"));
/// ```
#[must_use]
pub fn fingerprint_of_id(id: &str) -> Fingerprint {
    ids::uuid_fingerprint(id.as_bytes()).unwrap_or_else(|| Fingerprint::of(id.as_bytes()))
}

/// Whether an id is found in inbound bytes wherever it stands: UUIDs are.
pub(crate) fn is_recognised(id: &str) -> bool {
    ids::uuid_fingerprint(id.as_bytes()).is_some()
}
