//! K: do two users share a token, does one pass for another, does a token reach somebody else?

use std::collections::{BTreeMap, BTreeSet};

use history::{Interval, Replica};

use crate::overlap::Overlap;
use crate::seen::Seen;

use super::{missing, of_others};
use crate::judge::case::{Case, Named};
use crate::judge::docket::Docket;
use crate::judge::ledger::Unique;

pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    conflicts(case, docket);
    identities(case, docket);
    let kind = "token of another user";
    of_others(case, &case.ledger.pieces, docket, (kind, "a piece of a token"));
    exposures(case, docket);
}

/// One token or token id for two users.
fn conflicts(case: &Case<'_>, docket: &mut Docket) {
    let mut issued = BTreeSet::new();
    for (unique, holders) in case.ledger.uniques.iter() {
        let kind = match unique {
            Unique::Token(_) => "one token for two users",
            Unique::TokenId(_) => "one token id for two users",
            Unique::UserId(_) => continue,
        };
        issued.extend(holders.iter().map(|holder| holder.user));
        for (first, other) in holders.conflicts() {
            docket.violation(
                kind,
                other.user,
                Some(first.user),
                Seen::once(other.at, other.place),
            );
        }
    }
    missing(case, &issued, ["got no token"; 2], docket);
}

/// Users whom the service took for somebody else.
fn identities(case: &Case<'_>, docket: &mut Docket) {
    let mut identified = BTreeSet::new();
    for (&(user, id), seen) in case.ledger.seen_as.iter() {
        identified.insert(user);
        let Some(own) = case.ledger.accounts.get(&user) else {
            docket.reason(format!(
                "user {} was identified and has no account in the history",
                user.0
            ));
            continue;
        };
        if own.value.user_id != id {
            let victim = match case.named.get(&id) {
                Some(&Named::User(victim)) => Some(victim),
                _ => None,
            };
            let detail = format!("the service called user {} by the id {}", user.0, seen.detail);
            docket.violation("taken for another user", user, victim, seen.clone().says(detail));
        }
    }
    missing(
        case,
        &identified,
        [
            "was never identified by the service",
            "were never identified by the service",
        ],
        docket,
    );
}

/// Identities that were read back from a process while somebody else was connected to it.
fn exposures(case: &Case<'_>, docket: &mut Docket) {
    let mut lifetimes: BTreeMap<Replica, Vec<_>> = BTreeMap::new();
    for (of, opened) in case.opened().filter(|(_, opened)| opened.session.is_some()) {
        let lifetime = of.connection.lifetime().map(|lifetime| (of.user, lifetime));
        lifetimes.entry(opened.replica).or_default().extend(lifetime);
    }
    let in_use: BTreeMap<_, _> = lifetimes
        .into_iter()
        .map(|(replica, lifetimes)| (replica, Overlap::new(lifetimes)))
        .collect();
    for (&(conn, from, _), first) in case.ledger.read_back.iter() {
        let read = first.value;
        let during = Interval { from, to: read.to };
        if in_use
            .get(&read.replica)
            .is_some_and(|overlap| overlap.with_another(read.user, during))
        {
            docket.expose(case.unit_at(conn, from), 1);
        }
    }
    if docket.units() == 0 {
        docket.reason("no exposure: no identity was read back while another user's token was in use");
    }
}
