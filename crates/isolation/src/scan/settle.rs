//! One hit for each thing found, though several readings may have come upon it.

use crate::canary::Found;

use super::scanner::Hit;

/// Sorts hits by offset, joins readings of one canary that overlap, and drops beginnings of it that overlap
/// it.
pub(super) fn settle(hits: &mut Vec<Hit>) {
    if hits.len() < 2 {
        return;
    }
    hits.sort_by_key(|hit| (hit.offset, hit.end, hit.encoding.depth()));
    join(hits);
    if hits.iter().all(|hit| matches!(hit.found, Found::Whole(_))) {
        return;
    }
    let wholes: Vec<Hit> = hits
        .iter()
        .filter(|hit| matches!(hit.found, Found::Whole(_)))
        .copied()
        .collect();
    hits.retain(|hit| matches!(hit.found, Found::Whole(_)) || !part_of(hit, &wholes));
}

/// Joins neighbours that are the same thing in overlapping places.
fn join(hits: &mut Vec<Hit>) {
    hits.dedup_by(|later, earlier| {
        let same = later.found == earlier.found && later.offset < earlier.end;
        if same {
            earlier.end = earlier.end.max(later.end);
        }
        same
    });
}

/// Whether one of `wholes`, which are in order, overlaps `hit` and begins with it.
fn part_of(hit: &Hit, wholes: &[Hit]) -> bool {
    let after = wholes.partition_point(|whole| whole.offset < hit.end);
    wholes[..after].iter().rev().take(4).any(|whole| {
        matches!(whole.found, Found::Whole(canary) if whole.end > hit.offset && hit.found.begins(&canary))
    })
}
