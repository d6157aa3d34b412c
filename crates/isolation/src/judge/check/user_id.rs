//! U: do another user's id, e-mail or tenant id reach somebody who may not see them?

use std::collections::BTreeSet;

use history::{Audience, Unseen, User};

use crate::canary::Datum;

use super::passed::Passed;
use super::{id_seen, missing, secret, without_tenant};
use crate::judge::case::{ALWAYS, Case, Named, Of};
use crate::judge::connection::IdSeen;
use crate::judge::docket::Docket;
use crate::judge::inbound::is_identity;
use crate::judge::ledger::Unique;

pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    canaries(case, docket);
    for (of, id, seen) in case.ids() {
        match case.named.get(&id) {
            Some(&Named::User(owner)) => match case.policy.knows(of.user, owner, ALWAYS) {
                Some(true) => {}
                Some(false) => {
                    let seen = id_seen(of, id, seen, format!("the id of user {}", owner.0));
                    docket.violation("user id of another user", of.user, Some(owner), seen);
                }
                None => without_tenant(case, of.user, docket),
            },
            Some(&Named::Tenant(tenant)) => match case.policy.tenants.get(&of.user) {
                Some(own) if *own == tenant => {}
                Some(_) => {
                    let seen = id_seen(of, id, seen, format!("the id of tenant {}", tenant.0));
                    docket.violation("id of another tenant", of.user, None, seen);
                }
                None => without_tenant(case, of.user, docket),
            },
            None => {}
        }
    }
    conflicts(case, docket);
    let saw_own = controls(case, docket);
    exposures(case, &saw_own, docket);
}

fn canaries(case: &Case<'_>, docket: &mut Docket) {
    for (foreign, seen) in case
        .sightings
        .foreign
        .iter()
        .filter(|(foreign, _)| is_identity(foreign.datum))
    {
        let (observer, owner) = (foreign.observer, foreign.owner);
        let allowed = match foreign.datum {
            Datum::Email => case.policy.knows(observer, owner, ALWAYS),
            _ => case.policy.entitled(observer, owner, foreign.audience, ALWAYS),
        };
        match allowed {
            Some(true) => {}
            Some(false) => docket.violation(secret::kind(foreign), observer, Some(owner), seen.clone()),
            None => without_tenant(case, observer, docket),
        }
    }
}

/// One id for two users.
fn conflicts(case: &Case<'_>, docket: &mut Docket) {
    for (unique, holders) in case.ledger.uniques.iter() {
        if let Unique::UserId(_) = unique {
            for (first, other) in holders.conflicts() {
                let seen = crate::seen::Seen::once(other.at, other.place);
                docket.violation("one user id for two users", other.user, Some(first.user), seen);
            }
        }
    }
}

/// The units, by connection, in which a user saw its own id or e-mail come back.
fn controls<'a>(case: &Case<'a>, docket: &mut Docket) -> Vec<(Of<'a>, u64)> {
    let looked_for = case.unseen(Unseen::UserIds).is_none();
    if looked_for && case.ledger.accounts.iter().any(|(_, ids)| !ids.value.recognised) {
        docket.reason("the service's ids are no UUIDs, so they are not found in bytes");
    }
    let mut saw_own = Vec::new();
    for &of in &case.connections {
        let ids = case
            .ledger
            .accounts
            .get(&of.user)
            .and_then(|ids| of.connection.ids.get(&ids.value.user_id));
        let by_id = ids.map_or(0, |seen: &IdSeen| seen.units);
        let units = of.connection.units.iter().take(64).enumerate();
        let by_canary = units
            .filter(|(_, unit)| unit.own_identity)
            .fold(0, |mask, (at, _)| mask | 1 << at);
        if by_id | by_canary != 0 {
            saw_own.push((of, by_id | by_canary));
        }
    }
    let users: BTreeSet<_> = saw_own.iter().map(|(of, _)| of.user).collect();
    missing(
        case,
        &users,
        [
            "never saw its own id or e-mail come back",
            "never saw their own ids or e-mails come back",
        ],
        docket,
    );
    saw_own
}

/// A unit is exposed if it saw its own id and received a message after somebody was served by the same process whose
/// id it may not see.
fn exposures(case: &Case<'_>, saw_own: &[(Of<'_>, u64)], docket: &mut Docket) {
    let mut passed = Passed::default();
    for (of, opened) in case.opened() {
        if let (Some(at), Some(group)) = (of.connection.first_content, group(case, of.user)) {
            passed.note(opened.replica, at, group);
        }
    }
    for &(of, mask) in saw_own {
        let (Some(opened), Some(group)) = (of.connection.opened, group(case, of.user)) else {
            continue;
        };
        let Some(since) = passed.of_another(opened.replica, group) else {
            continue;
        };
        for (at, unit) in of.connection.units.iter().take(64).enumerate() {
            if mask >> at & 1 == 1 && unit.last_frame >= since {
                docket.expose((of.conn, unit.phase, unit.round), unit.frames);
            }
        }
    }
    if docket.units() == 0 {
        docket.reason(
            "no exposure: nobody was served where a user had been whose id it may not see, and saw its own",
        );
    }
}

/// Users of one group may see each other's ids; those of distinct groups may not.
fn group(case: &Case<'_>, user: User) -> Option<u32> {
    match case.policy.identity {
        Audience::Owner => Some(user.0),
        Audience::OwnTenant => case.policy.tenants.get(&user).map(|tenant| tenant.0),
        // who is in sees everybody, who is out sees nobody: only the latter are exposed
        Audience::Tenant(_) | Audience::Room(_) => None,
    }
}
