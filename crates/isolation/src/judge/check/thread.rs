//! T: is a thread's id given to two owners, or a thread or a room shown to somebody else?

use history::{At, Check, Interval, Role, Unseen};

use crate::canary::Datum;
use crate::overlap::Overlap;
use crate::seen::Seen;

use super::{audit, id_seen, of_others, secret};
use crate::judge::case::{ALWAYS, Case};
use crate::judge::docket::Docket;

pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    conflicts(case, docket);
    let kind = "thread id of another user";
    of_others(case, &case.ledger.threads, docket, (kind, "the id of a thread"));
    for (foreign, seen) in case
        .sightings
        .foreign
        .iter()
        .filter(|(foreign, _)| foreign.datum == Datum::Title)
    {
        let (observer, owner) = (foreign.observer, foreign.owner);
        if case.policy.entitled(observer, owner, foreign.audience, ALWAYS) == Some(false) {
            docket.violation(secret::kind(foreign), observer, Some(owner), seen.clone());
        }
    }
    rooms(case, docket);
    audit::judge(case, docket);
    exposures(case, docket);
}

/// Ids of rooms that came to somebody who had not been in them: a room is its members', each of them.
fn rooms(case: &Case<'_>, docket: &mut Docket) {
    for (of, id, seen) in case.ids() {
        let Some(&room) = case.rooms.get(&id) else {
            continue;
        };
        let memberships = &case.policy.memberships;
        let until = Interval {
            from: At::START,
            to: seen.first.at,
        };
        if memberships.possibly_member(room, of.user, until) {
            continue;
        }
        for member in memberships.members(room, until) {
            let seen = id_seen(of, id, seen, format!("the id of a room of user {}", member.0));
            docket.violation(
                "room id of a room that one is not in",
                of.user,
                Some(member),
                seen,
            );
        }
    }
}

/// One id for the threads of two owners: whoever got it later observes.
fn conflicts(case: &Case<'_>, docket: &mut Docket) {
    for (_, holders) in case.ledger.threads.iter() {
        for (first, other) in holders.conflicts() {
            let detail = format!(
                "user {} got it first, over connection {}",
                first.user.0, first.data.conn.0
            );
            let seen = Seen {
                op: Some(other.data.op),
                ..Seen::once(other.at, other.place).over(other.data.conn)
            };
            docket.violation(
                "one thread id for two owners",
                other.user,
                Some(first.user),
                seen.says(detail),
            );
        }
    }
}

/// Creates that overlapped another owner's, and probes of foreign threads.
fn exposures(case: &Case<'_>, docket: &mut Docket) {
    let creates = || case.ledger.threads.iter().flat_map(|(_, holders)| holders.iter());
    if case.unseen(Unseen::ThreadIds).is_none() && creates().any(|create| !create.data.recognised) {
        docket.reason("the service's thread ids are no UUIDs, so they are not found in bytes");
    }
    let overlap = Overlap::new(creates().map(|create| (create.user, create.data.during)));
    for create in creates() {
        let during = create.data.during;
        if overlap.with_another(create.user, during) {
            docket.expose(case.unit_at(create.data.conn, during.from), 1);
        }
    }
    let alone = docket.units() == 0;
    for (_, probed) in case.ledger.probed.iter() {
        let probed = &probed.value;
        if let (Check::Thread, true, Some(conn)) = (probed.check, probed.shortfall.is_none(), probed.conn) {
            docket.expose(case.unit_at(conn, probed.during.from), 1);
        }
    }
    // where nobody makes threads, what is tried is all there is
    let tries = case.ledger.roles.get(&Role::CreateThread);
    let made = tries.is_some_and(|tries| tries.invoked > 0) || creates().next().is_some();
    if alone && (made || docket.units() == 0) {
        docket.reason("no exposure: no thread was created while another owner's was");
    }
}
