//! From what stands in a file to a target; and what has to be said of every capability and every check.

use std::path::Path;
use std::time::Duration;

use history::{Audience, Check, Unseen};

use super::mistake::{Source, suggestion};
use super::placed::Placed;
use super::{TargetFile, accounts, dialect, reach, shape};
use crate::codec::Slot;
use crate::profile::{Accounts, Action, AuditSource, Capability, Company, Dialect, HttpPaths, Profile};

/// How long a service may take to end a session, unless the profile says otherwise.
const REVOCATION_GRACE_MS: u64 = 1_000;
/// The longest that it may.
const REVOCATION_GRACE_MS_MAX: u64 = 4_000;

/// The target; `None` only if something is wrong and has been told.
pub(super) fn target(shape: &shape::File, folder: &Path, source: &mut Source<'_>) -> Option<TargetFile> {
    let http = accounts::http(shape, folder, source);
    let accounts = accounts::accounts(shape, folder, source);
    let dialects: Vec<Dialect> = shape
        .dialect
        .iter()
        .filter_map(|one| dialect::dialect(one, source))
        .collect();
    if shape.dialect.is_empty() {
        source.wrong(shape.dialect.span(), "there has to be a dialect at least");
    }
    let profile = Profile {
        name: name(shape, source),
        tenants: shape.tenants,
        revocation_grace: grace(shape, source),
        identity_audience: if shape.tenants {
            Audience::OwnTenant
        } else {
            Audience::Owner
        },
        text_channels: shape.text.unwrap_or(true),
        absent: absent(shape),
        shared_thread_ids: shape.unseen.unique_thread_ids.is_some(),
        not_applicable: not_applicable(shape, &dialects, &http, source),
        unseen: unseen(shape, source),
        situations: situations(shape, source),
        audit: shape.audit.as_ref().map(|audit| AuditSource {
            sql: String::clone(&audit.sql),
        }),
        accounts: limited(accounts, shape, source),
        company: Company {
            varies: shape.company.varies.clone(),
            overload: shape.company.overload.clone(),
        },
        http,
        dialects,
    };
    excused(shape, &profile.dialects, source);
    log_in(shape, &profile, source);
    let reach = reach::reach(shape, folder, source);
    asks(shape, source);
    Some(TargetFile {
        profile,
        reach,
        services: reach::services(&shape.service, folder, source),
    })
}

/// What is asked over HTTP has to be asked somewhere.
fn asks(shape: &shape::File, source: &mut Source<'_>) {
    let http = &shape.http;
    let all = [
        &http.register,
        &http.login,
        &http.login_short,
        &http.me,
        &http.refresh,
        &http.logout,
        &http.key_set,
    ];
    let ops = shape.dialect.iter().flat_map(|dialect| dialect.ops.given());
    let over_http = ops.filter_map(|(_, op)| op.http.as_ref());
    let asked = all.into_iter().flatten().chain(over_http).next();
    if let (Some(asked), Some(reach)) = (asked, &shape.reach)
        && reach.http.is_none()
    {
        source.wrong(asked.span(), "where it is asked is not said: `reach.http`");
    }
}

fn name(shape: &shape::File, source: &mut Source<'_>) -> String {
    if shape.name.trim().is_empty() {
        source.wrong(shape.name.span(), "is empty");
    }
    String::clone(&shape.name)
}

fn grace(shape: &shape::File, source: &mut Source<'_>) -> Duration {
    let grace_ms = shape.revocation_grace_ms.as_ref();
    if let Some(given) = grace_ms.filter(|given| ***given > REVOCATION_GRACE_MS_MAX) {
        let what = format!(
            "is {}, at most {REVOCATION_GRACE_MS_MAX}: a run does not wait longer",
            **given
        );
        source.wrong(given.span(), what);
    }
    Duration::from_millis(grace_ms.map_or(REVOCATION_GRACE_MS, |given| **given))
}

/// What is not there, and what is not as it is elsewhere.
fn absent(shape: &shape::File) -> Vec<(String, String)> {
    let shared = shape.unseen.unique_thread_ids.as_ref();
    let shared = shared.map(|reason| ("unique ids of threads".to_owned(), String::clone(reason)));
    pairs(&shape.absent).into_iter().chain(shared).collect()
}

fn pairs(table: &std::collections::BTreeMap<shape::Text, shape::Text>) -> Vec<(String, String)> {
    let pair = |(name, reason): (&shape::Text, &shape::Text)| (String::clone(name), String::clone(reason));
    table.iter().map(pair).collect()
}

/// No more users than the profile says that there can be.
fn limited(accounts: Accounts, shape: &shape::File, source: &mut Source<'_>) -> Accounts {
    let Some(max) = shape.users.as_ref().and_then(|users| users.max.as_ref()) else {
        return accounts;
    };
    if **max == 0 {
        source.wrong(max.span(), "is 0, at least 1: a run has users");
    }
    match accounts {
        Accounts::List(mut listed) => {
            listed.truncate(**max as usize);
            Accounts::List(listed)
        }
        Accounts::Register { .. } => Accounts::Register { max: Some(**max) },
        Accounts::Unregistered { .. } => Accounts::Unregistered { max: Some(**max) },
    }
}

fn log_in(shape: &shape::File, profile: &Profile, source: &mut Source<'_>) {
    // what is there and wrong has been told
    let shape::Http {
        register,
        login,
        login_short,
        ..
    } = &shape.http;
    let gives = |exchange: &Option<Placed<shape::Exchange>>, slot| {
        exchange
            .as_ref()
            .is_some_and(|exchange| accounts::holds(exchange, slot))
    };
    let (signs, tokens) = (accounts::signs(shape), accounts::has_tokens(shape));
    match &profile.accounts {
        Accounts::Register { .. } if register.is_none() => {
            let what = "nobody has an account: give `http.register`, or a list of users, `users.list`";
            source.lacks(what);
        }
        Accounts::List(listed) => {
            let has = |slot| listed.iter().all(|user| user.values.get(slot).is_some());
            if !has(Slot::User) && !gives(login, Slot::User) {
                let what = "nothing says who a listed user is to the service: a column `user`, or `user` in the answer of `login`";
                source.lacks(what);
            }
            if login.is_none() && !signs && tokens && !has(Slot::AccessToken) {
                let what =
                    "a listed user has no token: a column `access-token`, `http.login`, or `users.sign`";
                source.lacks(what);
            }
        }
        Accounts::Register { .. } | Accounts::Unregistered { .. } => {}
    }
    if let (true, Accounts::List(_)) = (profile.tenants, &profile.accounts) {
        source.lacks(
            "users are listed, and which tenant a user is of is not known then: `tenants` has to be false",
        );
    }
    if profile.tenants && !gives(register, Slot::Tenant) && !gives(login, Slot::Tenant) {
        source.lacks(
            "there are tenants, and no answer of `register` or `login` says which is a user's: `tenant`",
        );
    }
    match (login, signs, &profile.accounts) {
        (Some(login), true, _) => {
            source.wrong(login.span(), "tokens are signed here, so that nobody logs in")
        }
        (None, false, Accounts::Register { .. }) if tokens => {
            let what =
                "nobody gets a token: give `http.login` or `users.sign`, or say `users.tokens = false`";
            source.lacks(what);
        }
        _ => {}
    }
    if !tokens {
        without_tokens(shape, profile, source);
    }
    if let (Some(short), None) = (login_short, login) {
        source.wrong(short.span(), "there is no `login` that it could be shorter than");
    }
}

/// Where users have no tokens, nothing may give or take any.
fn without_tokens(shape: &shape::File, profile: &Profile, source: &mut Source<'_>) {
    let http = &shape.http;
    let exchanges = [&http.login, &http.login_short, &http.refresh, &http.logout];
    for exchange in exchanges.into_iter().flatten() {
        source.wrong(exchange.span(), "users have no tokens: `users.tokens` says so");
    }
    let takes = |dialect: &Dialect| dialect.takes(Slot::AccessToken);
    if profile.dialects.iter().any(takes) {
        source.lacks("users have no tokens, and `${access-token}` is presented");
    }
}

/// Whatever the service does not have, the profile says so.
fn excused(shape: &shape::File, dialects: &[Dialect], source: &mut Source<'_>) {
    let can = |action: Action| {
        let mut given = shape.dialect.iter().flat_map(|dialect| dialect.ops.given());
        let by_connecting = |dialect: &Dialect| dialect.listens_by_connecting(action);
        given.any(|(given, _)| given == action) || dialects.iter().any(by_connecting)
    };
    for (capability, name) in Capability::ALL {
        let excuse = shape.absent.keys().find(|key| key.as_str() == name);
        let actions = capability.actions();
        let there = has(capability, shape, excuse.is_some()) || actions.iter().any(|action| can(*action));
        match (excuse, there) {
            (Some(key), true) => {
                source.wrong(key.span(), format!("`{name}` is said to be absent, and is there"));
            }
            (None, false) => {
                let what =
                    format!("nothing is said of `{name}`: give it, or say in `absent` why there is none");
                source.lacks(what);
            }
            (None, true) => {
                let lacking = actions
                    .iter()
                    .filter(|action| !can(**action))
                    .map(|action| action.name());
                for action in lacking {
                    if !shape.absent.keys().any(|key| key.as_str() == action) {
                        let what = format!(
                            "nothing is said of `{action}`: give it under `dialect.ops`, or say in `absent` why there is none"
                        );
                        source.lacks(what);
                    }
                }
            }
            (Some(_), false) => {}
        }
    }
    known_absences(shape, can, source);
}

fn known_absences(shape: &shape::File, can: impl Fn(Action) -> bool, source: &mut Source<'_>) {
    let actions = || {
        Capability::ALL
            .iter()
            .flat_map(|(capability, _)| capability.actions())
    };
    let names = || {
        Capability::ALL
            .iter()
            .map(|(_, name)| *name)
            .chain(actions().map(|action| action.name()))
    };
    for (key, reason) in &shape.absent {
        if !names().any(|name| name == key.as_str()) {
            let near = suggestion(key, names());
            source.wrong(key.span(), format!("unknown capability `{}`{near}", **key));
        }
        if let Some(action) = actions().find(|action| action.name() == key.as_str() && can(**action))
            && !Capability::ALL.iter().any(|(_, name)| *name == key.as_str())
        {
            source.wrong(
                key.span(),
                format!("`{}` is said to be absent, and is there", action.name()),
            );
        }
        if reason.trim().is_empty() {
            source.wrong(reason.span(), "is no reason; reports show it");
        }
    }
}

/// Whether it is there, where it is no op.
fn has(capability: Capability, shape: &shape::File, excused: bool) -> bool {
    let (http, signs) = (&shape.http, accounts::signs(shape));
    match capability {
        Capability::Me => http.me.is_some(),
        Capability::Refresh => http.refresh.is_some(),
        Capability::Logout => http.logout.is_some(),
        Capability::ShortLogin => http.login_short.is_some() || (signs && !excused),
        _ => false,
    }
}

fn check_named(name: &str) -> Option<Check> {
    CHECKS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(check, _)| *check)
}

/// The checks, as profiles name them.
const CHECKS: [(Check, &str); 6] = [
    (Check::Thread, "thread"),
    (Check::Token, "token"),
    (Check::Secret, "secret"),
    (Check::Response, "response"),
    (Check::UserId, "user-id"),
    (Check::Boundary, "boundary"),
];

/// Checks that cannot apply; refused where what they need is there.
fn not_applicable(
    shape: &shape::File,
    dialects: &[Dialect],
    http: &HttpPaths,
    source: &mut Source<'_>,
) -> Vec<(Check, String)> {
    let names = || CHECKS.iter().map(|(_, name)| *name);
    let can = |action| dialects.iter().any(|dialect| dialect.can(action));
    let mut excused = Vec::new();
    for (name, reason) in &shape.not_applicable {
        let Some(check) = check_named(name) else {
            let near = suggestion(name, names());
            source.wrong(name.span(), format!("unknown check `{}`{near}", **name));
            continue;
        };
        let derives = |dialect: &Dialect| dialect.ops.get(&Action::Post).is_some_and(|post| post.derives);
        let needed = match check {
            Check::Secret => Some("a run without it proves nothing"),
            Check::Thread if can(Action::CreateThread) && shape.unseen.unique_thread_ids.is_none() => {
                Some("there is `create-thread`")
            }
            Check::Thread if dialects.iter().any(|dialect| dialect.takes(Slot::Owner)) => {
                Some("one connects to what has an owner")
            }
            Check::Token
                if can(Action::WhoAmI) || http.me.is_some() || dialects.iter().any(Dialect::names) =>
            {
                Some("the service says who one is")
            }
            Check::Response if dialects.iter().any(derives) => Some("the answer of `post` derives from it"),
            Check::UserId if can(Action::LookUp) || can(Action::Presence) => {
                Some("there is `look-up` or `presence`")
            }
            Check::Boundary if http.logout.is_some() => Some("there is `logout`"),
            _ => None,
        };
        if let Some(needed) = needed {
            source.wrong(name.span(), format!("`{}` applies: {needed}", **name));
        }
        if reason.trim().is_empty() {
            source.wrong(reason.span(), "is no reason; reports show it");
        }
        excused.push((check, String::clone(reason)));
    }
    excused
}

fn unseen(shape: &shape::File, source: &mut Source<'_>) -> Vec<(Unseen, String)> {
    let shape::Unseen {
        database,
        thread_ids,
        unique_thread_ids,
        user_ids,
    } = &shape.unseen;
    if let Some(reason) = unique_thread_ids
        .as_ref()
        .filter(|reason| reason.trim().is_empty())
    {
        source.wrong(reason.span(), "is no reason; reports show it");
    }
    let given = [
        (Unseen::Database, database),
        (Unseen::ThreadIds, thread_ids),
        (Unseen::UserIds, user_ids),
    ];
    let mut unseen = Vec::new();
    for (what, reason) in given {
        if let Some(reason) = reason.as_ref().filter(|reason| reason.trim().is_empty()) {
            source.wrong(reason.span(), "is no reason; reports show it");
        }
        unseen.extend(reason.as_ref().map(|reason| (what, String::clone(reason))));
    }
    let has_database = shape.service.iter().any(|service| service.postgres);
    match (&shape.audit, database, &shape.reach) {
        (Some(_), Some(database), _) => source.wrong(database.span(), "there is an `audit` of the database"),
        (None, None, _) => {
            source.lacks(
                "nothing is read from the database: give `audit`, or say in `unseen` why not: `database`",
            );
        }
        (Some(audit), None, Some(_)) if !has_database => {
            source.wrong(
                audit.sql.span(),
                "no service has `postgres = true`, so that there is no database to read",
            );
        }
        _ => {}
    }
    unseen
}

fn situations(shape: &shape::File, source: &mut Source<'_>) -> Vec<(String, Vec<Check>)> {
    let mut situations = Vec::new();
    for situation in &shape.situation {
        let mut checks = Vec::new();
        for name in &situation.checks {
            match check_named(name) {
                Some(check) => checks.push(check),
                None => {
                    let near = suggestion(name, CHECKS.iter().map(|(_, name)| *name));
                    source.wrong(name.span(), format!("unknown check `{}`{near}", **name));
                }
            }
        }
        situations.push((situation.name.clone(), checks));
    }
    situations
}
