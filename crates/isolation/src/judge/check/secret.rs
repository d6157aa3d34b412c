//! S: does a planted secret reach somebody who may not see it?

use std::collections::BTreeSet;

use history::{At, Audience, Interval, Room, Tenant, User};

use crate::canary::{Fragment, Kind, symbol};
use crate::seen::Seen;

use super::passed::Passed;
use super::{audit, missing, noun, without_tenant};
use crate::judge::case::{ALWAYS, Case};
use crate::judge::docket::Docket;
use crate::judge::inbound::is_identity;
use crate::judge::sightings::Foreign;

pub(super) fn judge(case: &Case<'_>, docket: &mut Docket) {
    for (foreign, seen) in case.sightings.foreign.iter() {
        if !is_identity(foreign.datum) {
            canary(case, foreign, seen, docket);
        }
    }
    shared(case, docket);
    fragments(case, docket);
    audit::judge(case, docket);
    controls(case, docket);
    exposures(case, docket);
}

fn canary(case: &Case<'_>, foreign: &Foreign, seen: &Seen, docket: &mut Docket) {
    let &Foreign {
        observer,
        owner,
        audience,
        ..
    } = foreign;
    match case.policy.entitled(observer, owner, audience, ALWAYS) {
        Some(true) => {}
        Some(false) => docket.violation(kind(foreign), observer, Some(owner), seen.clone()),
        None => without_tenant(case, observer, docket),
    }
}

/// What a foreign canary is called.
pub(super) fn kind(foreign: &Foreign) -> String {
    let unverified = if foreign.verified {
        ""
    } else {
        " (checksum unverified)"
    };
    format!("{} of another user{unverified}", noun(foreign.datum))
}

/// Room content: entitled at some instant between its cause and its receipt?
fn shared(case: &Case<'_>, docket: &mut Docket) {
    for (shared, sight) in case.sightings.shared.iter() {
        let written = shared.pushed.map(|(owner, serial)| {
            let stored = serial.and_then(|serial| case.ledger.stored.get(&(owner, serial)));
            stored
                .and_then(|stored| stored.write)
                .map_or(At::START, |(at, _)| at)
        });
        let from = [shared.pulled, written]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(At::START);
        let span = Interval {
            from,
            to: sight.seen.at,
        };
        let audience = Audience::Room(shared.room);
        if case.policy.entitled(shared.observer, sight.owner, audience, span) == Some(false) {
            let kind = format!("{} of a room that one is not in", noun(shared.datum));
            docket.violation(kind, shared.observer, Some(sight.owner), sight.seen.clone());
        }
    }
}

/// Beginnings of canaries that are too short to be evidence. They do not matter if their receiver may see the whole.
fn fragments(case: &Case<'_>, docket: &mut Docket) {
    let mut receivers = BTreeSet::new();
    for ((observer, fragment), seen) in case.sightings.fragments.iter() {
        let span = Interval {
            from: At::START,
            to: seen.at,
        };
        let allowed = audience(fragment)
            .and_then(|(owner, audience)| case.policy.entitled(*observer, owner, audience, span));
        if allowed != Some(true) {
            receivers.insert(*observer);
        }
    }
    if !receivers.is_empty() {
        let users = super::users(&receivers);
        docket.reason(format!(
            "pieces of canaries too short to be judged reached {users}"
        ));
    }
}

/// For whom the canary was that a fragment begins, if enough of it came.
fn audience(fragment: &Fragment) -> Option<(User, Audience)> {
    let values: Option<Vec<_>> = fragment
        .text()
        .get(AUDIENCE_AT..AUDIENCE_END)?
        .iter()
        .map(|&byte| symbol(byte))
        .collect();
    let number = values?
        .iter()
        .fold(0, |number, &value| number << 5 | u32::from(value));
    let class = symbol(fragment.text()[AUDIENCE_AT - 1])?;
    let audience = match class >> 3 {
        kind if kind == Kind::Room as u8 => Audience::Room(Room(number)),
        kind if kind == Kind::Tenant as u8 => Audience::Tenant(Tenant(number)),
        _ => Audience::Owner,
    };
    Some((fragment.owner()?, audience))
}

/// Where the symbols of the audience's number stand, after that of the class.
const AUDIENCE_AT: usize = 13;
const AUDIENCE_END: usize = 17;

fn controls(case: &Case<'_>, docket: &mut Docket) {
    let saw_own: BTreeSet<_> = case
        .connections
        .iter()
        .filter(|of| of.connection.units.iter().any(|unit| unit.own_secret))
        .map(|of| of.user)
        .collect();
    missing(
        case,
        &saw_own,
        [
            "never saw its own secret come back",
            "never saw their own secrets come back",
        ],
        docket,
    );
}

/// A unit is exposed if it saw its own secret and received a message after a secret of somebody else was confirmed to
/// be stored by way of the same process.
fn exposures(case: &Case<'_>, docket: &mut Docket) {
    let mut passed = Passed::default();
    for (of, opened) in case.opened() {
        if let Some(at) = of.connection.first_stored {
            passed.note(opened.replica, at, of.user.0);
        }
    }
    for (of, opened) in case.opened() {
        let Some(since) = passed.of_another(opened.replica, of.user.0) else {
            continue;
        };
        for unit in of
            .connection
            .units
            .iter()
            .filter(|unit| unit.own_secret && unit.last_frame >= since)
        {
            docket.expose((of.conn, unit.phase, unit.round), unit.frames);
        }
    }
    if docket.units() == 0 {
        docket.reason(
            "no exposure: nobody was served where another's secret had passed before and saw its own",
        );
    }
}
