//! Where users come from: registration, a list, tokens that are signed here; and what is asked over HTTP.

use std::path::Path;

use super::exchange::exchange_of;
use super::mistake::{Source, suggestion};
use super::placed::Placed;
use super::shape::{self, Text};
use super::slots::Place;
use crate::codec::{Slot, Values};
use crate::profile::{Accounts, Algorithm, HttpPaths, Listed, Signing};

/// What is known of a user before it has an account.
const OF_PERSON: &[Slot] = &[Slot::Email, Slot::Handle, Slot::Password, Slot::Name];
/// The same, where there are tenants.
const OF_TENANCY: &[Slot] = &[Slot::TenantSlug, Slot::TenantKey];
/// What an answer may hold of an account, and of a login.
const ACCOUNT: &[Slot] = &[Slot::User, Slot::Tenant];
const LOGIN: &[Slot] = &[
    Slot::AccessToken,
    Slot::RefreshToken,
    Slot::LifeS,
    Slot::Session,
    Slot::User,
    Slot::Tenant,
];
/// What can be listed of a user.
const COLUMNS: &[Slot] = &[
    Slot::Email,
    Slot::Handle,
    Slot::Password,
    Slot::Name,
    Slot::User,
    Slot::AccessToken,
];
/// Life of a token that is signed here, in seconds, unless the profile says otherwise.
const LIFE_S: u64 = 3_600;
/// Most users that a list may have, and bytes that it may be long.
const LISTED_MAX: usize = 1 << 20;

pub(super) fn accounts(shape: &shape::File, folder: &Path, source: &mut Source<'_>) -> Accounts {
    let list = shape.users.as_ref().and_then(|users| users.list.as_ref());
    match (list, &shape.http.register) {
        (Some(list), Some(register)) => {
            source.wrong(register.span(), "users are listed, so that none registers");
            Accounts::List(listed(list, folder, source))
        }
        (Some(list), None) => Accounts::List(listed(list, folder, source)),
        (None, None) if signs(shape) || !has_tokens(shape) => Accounts::Unregistered { max: None },
        (None, _) => Accounts::Register { max: None },
    }
}

/// The users of a CSV file.
fn listed(list: &Text, folder: &Path, source: &mut Source<'_>) -> Vec<Listed> {
    let path = folder.join(list.as_str());
    let mut wrong = |what: String| {
        source.wrong(list.span(), format!("{}: {what}", path.display()));
        Vec::new()
    };
    let mut reader = match csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&path) {
        Ok(reader) => reader,
        Err(error) => return wrong(error.to_string()),
    };
    let columns = match reader.headers() {
        Ok(columns) => columns.clone(),
        Err(error) => return wrong(error.to_string()),
    };
    let mut slots = Vec::new();
    for column in &columns {
        let names = || COLUMNS.iter().map(|slot| slot.name());
        match Slot::named(column).filter(|slot| COLUMNS.contains(slot)) {
            Some(slot) => slots.push(slot),
            None => {
                return wrong(format!(
                    "unknown column `{column}`{}",
                    suggestion(column, names())
                ));
            }
        }
    }
    let mut users = Vec::new();
    for record in reader.records().take(LISTED_MAX) {
        let record = match record {
            Ok(record) => record,
            Err(error) => return wrong(error.to_string()),
        };
        let given = slots.iter().zip(&record).filter(|(_, value)| !value.is_empty());
        let values = given.fold(Values::new(), |values, (slot, value)| values.with(*slot, value));
        users.push(Listed { values });
    }
    match users.is_empty() {
        true => wrong("lists nobody".to_owned()),
        false => users,
    }
}

pub(super) fn http(shape: &shape::File, folder: &Path, source: &mut Source<'_>) -> HttpPaths {
    let listed = shape.users.as_ref().is_some_and(|users| users.list.is_some());
    let of_person: Vec<Slot> = match (listed, shape.tenants) {
        (true, _) => COLUMNS.to_vec(),
        (false, true) => [OF_PERSON, OF_TENANCY].concat(),
        (false, false) => OF_PERSON.to_vec(),
    };
    let known = [&of_person[..], ACCOUNT].concat();
    let short = [&known[..], &[Slot::LifeS]].concat();
    let bearing = [&known[..], &[Slot::AccessToken]].concat();
    let renewing = [Slot::RefreshToken, Slot::AccessToken];
    let registers = shape.http.register.as_ref();
    let named_before = listed
        || (registers.is_none() && (signs(shape) || !has_tokens(shape)))
        || registers.is_some_and(|register| holds(register, Slot::User));
    let mut exchange =
        |shape: Option<&Placed<shape::Exchange>>, has: &[Slot], needs: &[Slot], gives: (&[Slot], usize)| {
            shape.and_then(|shape| exchange_of(shape, Place { has, needs }, gives, source))
        };
    let http = &shape.http;
    let paths = HttpPaths {
        register: exchange(registers, &of_person, &[], (ACCOUNT, 0)),
        login: exchange(http.login.as_ref(), &known, &[], (LOGIN, 1)),
        login_short: exchange(http.login_short.as_ref(), &short, &[Slot::LifeS], (LOGIN, 1)),
        me: exchange(http.me.as_ref(), &bearing, &[], (&[Slot::User, Slot::Session], 1)),
        refresh: exchange(
            http.refresh.as_ref(),
            &renewing,
            &[Slot::RefreshToken],
            (LOGIN, 1),
        ),
        logout: exchange(http.logout.as_ref(), &renewing, &[], (&[], 0)),
        key_set: exchange(http.key_set.as_ref(), &[], &[], (&[Slot::KeySet], 1)),
        signing: None,
    };
    let named = named_before || http.login.as_ref().is_some_and(|login| holds(login, Slot::User));
    if let (false, Some(login)) = (named, http.login.as_ref().or(registers)) {
        source.wrong(
            login.span(),
            "nothing says who a user is to the service: `user` in the answer of `register` or `login`",
        );
    }
    let sign = shape.users.as_ref().and_then(|users| users.sign.as_ref());
    let short = !shape.absent.keys().any(|key| key.as_str() == "login-short");
    HttpPaths {
        signing: sign.and_then(|sign| signing(sign, (&known, short), folder, source)),
        ..paths
    }
}

/// Whether users have tokens.
pub(super) fn has_tokens(shape: &shape::File) -> bool {
    let said = shape.users.as_ref().and_then(|users| users.tokens.as_ref());
    said.is_none_or(|tokens| **tokens)
}

/// Whether tokens are signed here.
pub(super) fn signs(shape: &shape::File) -> bool {
    shape.users.as_ref().is_some_and(|users| users.sign.is_some())
}

/// Whether its answer is said to hold this.
pub(super) fn holds(exchange: &shape::Exchange, slot: Slot) -> bool {
    let here = exchange.answer.keys().any(|key| **key == slot.name());
    here || exchange.before.iter().any(|step| holds(step, slot))
}

fn signing(
    shape: &shape::Sign,
    (known, short): (&[Slot], bool),
    folder: &Path,
    source: &mut Source<'_>,
) -> Option<Signing> {
    let has = [known, &[Slot::NowS, Slot::ExpiresS]].concat();
    let claims = source.json(
        &shape.claims,
        Place {
            has: &has,
            needs: &[Slot::ExpiresS],
        },
    );
    let key = match (&shape.key_file, &shape.key_env) {
        (Some(file), None) => {
            let path = folder.join(file.as_str());
            std::fs::read(&path)
                .map_err(|error| (file.span(), format!("cannot read {}: {error}", path.display())))
        }
        (None, Some(name)) => std::env::var(name.as_str()).map(String::into_bytes).map_err(|_| {
            (
                name.span(),
                format!("the environment variable {} is not set", name.as_str()),
            )
        }),
        _ => Err((
            shape.claims.span(),
            "a key comes either from `key-file` or from `key-env`".to_owned(),
        )),
    };
    let key = key.map_err(|(at, what)| source.wrong(at, what)).ok()?;
    Some(Signing {
        algorithm: match shape.algorithm {
            shape::Algorithm::HS256 => Algorithm::Hs256,
            shape::Algorithm::RS256 => Algorithm::Rs256,
            shape::Algorithm::ES256 => Algorithm::Es256,
            shape::Algorithm::EdDSA => Algorithm::EdDsa,
        },
        key,
        claims: claims?,
        life_s: shape.life_s.unwrap_or(LIFE_S),
        short,
    })
}
