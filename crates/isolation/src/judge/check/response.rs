//! R: does every reply belong to a request of its connection, and derive from it?

use std::collections::BTreeSet;

use crate::verdict::counted;

use super::missing;
use crate::judge::case::Case;
use crate::judge::docket::Docket;

/// What a reply betrays is plain where it lands; here is what it is worth.
pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    let sum = |of: fn(&crate::judge::connection::Connection) -> u64| -> u64 {
        case.connections.iter().map(|known| of(known.connection)).sum()
    };
    let without_nonce = sum(|connection| connection.without_nonce);
    if without_nonce > 0 {
        let attempts = counted(without_nonce, "accepted attempt");
        docket.reason(format!(
            "{attempts} got an answer without the nonce of the request"
        ));
    }
    let unjudged = sum(|connection| connection.unjudged + u64::from(connection.forgot()));
    if unjudged > 0 {
        docket.reason("more attempts of one connection were unanswered than are kept");
    }
    exposures(case, docket);
}

/// Nonce-checked replies that were in flight together with an op of somebody else at the same process.
fn exposures(case: &Case<'_>, docket: &mut Docket) {
    let mut checked = BTreeSet::new();
    for (of, opened) in case.opened() {
        let ticks = case.in_flight.get(&opened.replica);
        for unit in of.connection.units.iter().filter(|unit| unit.replies > 0) {
            checked.insert(of.user);
            let overlaps = |ticks: &crate::ticks::Ticks| {
                unit.spans.iter().any(|&span| ticks.with_another(of.user, span))
            };
            if ticks.is_some_and(overlaps) {
                docket.expose((of.conn, unit.phase, unit.round), unit.replies);
            }
        }
    }
    missing(
        case,
        &checked,
        [
            "never got a reply with its own nonce",
            "never got replies with their own nonces",
        ],
        docket,
    );
    if docket.units() == 0 {
        docket.reason("no exposure: no nonce-checked reply was in flight together with another user's");
    }
}
