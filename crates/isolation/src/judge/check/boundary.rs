//! B: is anything served to a session before it begins or after it ended?

use std::collections::BTreeMap;

use history::{At, BoundaryKind, ChannelKind, Check, CloseCause, Tenant, User};

use crate::seen::Seen;

use crate::judge::case::{Case, Of};
use crate::judge::connection::{Opened, Served};
use crate::judge::docket::Docket;
use crate::judge::ledger::Ending;

const NS_PER_MS: u64 = 1_000_000;

/// A connection of a session that ended.
#[derive(Clone, Copy, Debug)]
struct Over<'a> {
    of: Of<'a>,
    opened: Opened,
    ending: &'a Ending,
    /// Nothing may be served after it.
    deadline: At,
}

pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    let Some(header) = case.header else { return };
    let grace_ns = header.revocation_grace_ms.saturating_mul(NS_PER_MS);
    let pushes = last_pushes(case);
    let mut ended: BTreeMap<User, At> = BTreeMap::new();
    for (of, opened) in case.opened() {
        let ending = opened
            .session
            .and_then(|session| case.ledger.endings.get(&session));
        let Some(ending) = ending.filter(|ending| ending.during.to != At::NEVER) else {
            continue;
        };
        let deadline = At(ending.during.to.0.saturating_add(grace_ns));
        let over = Over {
            of,
            opened,
            ending,
            deadline,
        };
        served_after(over, docket);
        exposures(case, over, &pushes, docket);
        let first = ended.entry(of.user).or_insert(deadline);
        *first = deadline.min(*first);
    }
    probes(case, &ended, docket);
    if docket.units() == 0 {
        docket.reason(
            "no exposure: nothing was tried, and nothing could have come, after a session's confirmed end",
        );
    }
}

/// What was served after the deadline.
fn served_after(over: Over<'_>, docket: &mut Docket) {
    let Over {
        of,
        opened,
        ending,
        deadline,
    } = over;
    let opening = Served {
        at: opened.at,
        place: opened.place,
        op: None,
    };
    let upgraded = (opened.channel == ChannelKind::WebSocket).then_some((opened.at, opening));
    let connection = of.connection;
    // behind the upgrade it may be said that one is not let in
    let by_service = connection
        .closed
        .is_some_and(|(_, cause)| cause == CloseCause::ByService);
    let served = connection.last_event.is_some()
        || connection.last_reply.is_some()
        || connection.last_accepted.is_some();
    let told = [
        ("connection accepted", upgraded.filter(|_| served || !by_service)),
        ("event", connection.last_event.map(|served| (served.at, served))),
        ("reply", connection.last_reply.map(|served| (served.at, served))),
        ("attempt accepted", connection.last_accepted),
    ];
    let end = match ending.kind {
        BoundaryKind::Logout => "logout",
        BoundaryKind::Expiry => "expiry",
        BoundaryKind::Revocation => "revocation",
    };
    for (what, served) in told {
        let Some((_, served)) = served.filter(|&(begin, _)| begin > deadline) else {
            continue;
        };
        let late_ms = served.at.since(ending.during.to) / NS_PER_MS;
        let detail = format!("{late_ms} ms after the {end} was acknowledged");
        let seen = Seen {
            op: served.op,
            ..Seen::once(served.at, served.place).over(of.conn).says(detail)
        };
        docket.violation(format!("{what} after {end}"), of.user, Some(of.user), seen);
    }
}

/// When each tenant was last sent an event: until then, an ended session of it could have got one.
fn last_pushes(case: &Case<'_>) -> BTreeMap<Option<Tenant>, At> {
    let mut pushes = BTreeMap::new();
    for of in &case.connections {
        if let Some(served) = of.connection.last_event {
            let last = pushes
                .entry(case.policy.tenants.get(&of.user).copied())
                .or_insert(served.at);
            *last = served.at.max(*last);
        }
    }
    pushes
}

/// A connection of an ended session is exposed where it made an attempt after the deadline, or if it was neither given
/// up nor lost before and an event went to its tenant after. The control is that it was served before the end.
fn exposures(case: &Case<'_>, over: Over<'_>, pushes: &BTreeMap<Option<Tenant>, At>, docket: &mut Docket) {
    let Over {
        of,
        opened,
        ending,
        deadline,
    } = over;
    let connection = of.connection;
    if connection
        .first_content
        .is_none_or(|first| first > ending.during.to)
    {
        return;
    }
    for unit in connection
        .units
        .iter()
        .filter(|unit| unit.last_invoked > deadline)
    {
        docket.expose((of.conn, unit.phase, unit.round), unit.invoked);
    }
    let gave_up = |(at, cause)| at < ending.during.from || (cause != CloseCause::ByService && at <= deadline);
    let listening = opened.channel == ChannelKind::WebSocket && !connection.closed.is_some_and(gave_up);
    let tenant = case.policy.tenants.get(&of.user).copied();
    if listening && pushes.get(&tenant).is_some_and(|&last| last > deadline) {
        docket.expose(case.unit_at(of.conn, deadline), 1);
    }
}

/// Probes by users one of whose sessions had ended.
fn probes(case: &Case<'_>, ended: &BTreeMap<User, At>, docket: &mut Docket) {
    for (_, probed) in case.ledger.probed.iter() {
        let probed = &probed.value;
        let after = ended
            .get(&probed.attacker)
            .is_some_and(|&deadline| deadline <= probed.during.to);
        if let (Check::Boundary, true, true, Some(conn)) =
            (probed.check, probed.shortfall.is_none(), after, probed.conn)
        {
            docket.expose(case.unit_at(conn, probed.during.from), 1);
        }
    }
}
