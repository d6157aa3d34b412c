//! The six checkers, each a function from the whole case to what it comes to.

mod audit;
mod boundary;
mod passed;
mod response;
mod secret;
mod thread;
mod token;
mod user_id;

use std::borrow::Cow;
use std::collections::BTreeSet;

use history::{Check, Fingerprint, User};

use crate::bounded::Bounded;
use crate::canary::Datum;
use crate::judgement::{Needle, index};
use crate::seen::{Holders, Seen};

use super::case::{Case, Of};
use super::connection::IdSeen;
use super::docket::{Docket, users};

/// Judges one check.
pub(crate) fn judge(case: &Case<'_>, check: Check) -> Docket {
    let mut docket = Docket::new(check);
    docket.adopt(&case.sightings.violations[index(check)]);
    match check {
        Check::Thread => thread::judge(case, &mut docket),
        Check::Token => token::judge(case, &mut docket),
        Check::Secret => secret::judge(case, &mut docket),
        Check::Response => response::judge(case, &mut docket),
        Check::UserId => user_id::judge(case, &mut docket),
        Check::Boundary => boundary::judge(case, &mut docket),
    }
    docket
}

/// Evidence of an identifier that came in.
fn id_seen(of: Of<'_>, id: Fingerprint, seen: &IdSeen, detail: impl Into<Cow<'static, str>>) -> Seen {
    Seen {
        op: seen.first.op,
        needle: Some(Needle::Identifier(id)),
        count: seen.count,
        ..Seen::once(seen.first.at, seen.first.place)
            .over(of.conn)
            .says(detail)
    }
}

/// What is held by somebody, and came to a user who does not hold it.
fn of_others<T>(
    case: &Case<'_>,
    held: &Bounded<Fingerprint, Holders<T>>,
    docket: &mut Docket,
    (kind, what): (&'static str, &str),
) {
    for (of, id, seen) in case.ids() {
        let holders = held.get(&id).filter(|holders| !holders.holds(of.user));
        if let Some(owner) = holders.and_then(Holders::first) {
            let seen = id_seen(of, id, seen, format!("{what} of user {}", owner.user.0));
            docket.violation(kind, of.user, Some(owner.user), seen);
        }
    }
}

/// What reports call a datum.
fn noun(datum: Datum) -> &'static str {
    match datum {
        Datum::Secret => "secret",
        Datum::Nonce => "nonce",
        Datum::Title => "thread title",
        Datum::Email => "e-mail",
        Datum::Note => "author's note",
        Datum::RoomBody => "room message",
        Datum::Probe => "probe's canary",
        Datum::Name => "name",
    }
}

/// `user 3 never did its own`, `users 1 and 3 never did their own`: for those who should have and are not among `done`.
fn missing(case: &Case<'_>, done: &BTreeSet<User>, [one, many]: [&str; 2], docket: &mut Docket) {
    let missing: BTreeSet<_> = case.expected().difference(done).copied().collect();
    if !missing.is_empty() {
        let never = if missing.len() == 1 { one } else { many };
        docket.reason(format!("{} {never}", users(&missing)));
    }
}

/// Nobody knows the tenants of these.
fn without_tenant(case: &Case<'_>, observer: User, docket: &mut Docket) {
    let user = if case.policy.tenants.contains_key(&observer) {
        "a user"
    } else {
        "its receiver"
    };
    docket.reason(format!(
        "what user {} saw cannot be judged: the tenant of {user} is not known",
        observer.0
    ));
}
