//! Ids that a service made.

use history::{Fingerprint, Serial};

use crate::canary::{Canary, Head, MARKER};
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

/// The fingerprints of all that a request names by saying this: the id that it is, and users whose canaries stand in it, as the
/// handle in a channel's name.
#[must_use]
pub fn fingerprints_of_name(name: &str) -> Vec<Fingerprint> {
    let lower = name.to_ascii_lowercase();
    let marks = lower.match_indices(str::from_utf8(MARKER).unwrap_or_default());
    let heads = marks.filter_map(|(at, _)| lower.as_bytes().get(at..at + NAMING_LEN));
    let heads = heads.map(fingerprint_of_head);
    [fingerprint_of_id(name)].into_iter().chain(heads).collect()
}

/// Letters of a canary that say whose it is, of what kind and for whom.
const NAMING_LEN: usize = 17;

fn fingerprint_of_head(letters: &[u8]) -> Fingerprint {
    Fingerprint::of(&[b"head ", letters].concat())
}

/// The fingerprint by which a request names whose canary this is.
pub(crate) fn fingerprint_naming(head: Head) -> Fingerprint {
    let Head {
        owner,
        kind,
        datum,
        audience,
        ..
    } = head;
    let block = Canary {
        owner,
        kind,
        datum,
        audience,
        run: 0,
        serial: Serial(0),
    };
    fingerprint_of_head(&block.block()[..NAMING_LEN])
}

/// Whether an id is found in inbound bytes wherever it stands: UUIDs are.
pub(crate) fn is_recognised(id: &str) -> bool {
    ids::uuid_fingerprint(id.as_bytes()).is_some()
}
