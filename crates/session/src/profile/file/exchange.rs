//! What is asked over HTTP: one request, and those that go before it.

use regex::Regex;

use super::framing::condition_of;
use super::mistake::{Source, listed};
use super::placed::Placed;
use super::shape::{self, Text};
use super::slots::Place;
use crate::codec::Slot;
use crate::profile::{Body, Exchange, Found, Pattern, Success, Verb};

/// What a step may give to those after it, whatever it is a step of.
const STEP: &[Slot] = &[
    Slot::Ticket,
    Slot::AccessToken,
    Slot::RefreshToken,
    Slot::LifeS,
    Slot::Session,
    Slot::User,
    Slot::Tenant,
];
/// Requests that may go before one.
const STEPS_MAX: usize = 8;

/// The request, which has to say where what it `gives` stands, unless one before it does; `None` if something is wrong.
pub(super) fn exchange_of(
    shape: &Placed<shape::Exchange>,
    place: Place<'_>,
    (gives, needed): (&[Slot], usize),
    source: &mut Source<'_>,
) -> Option<Exchange> {
    let has = match shape.before.is_empty() {
        true => place.has.to_vec(),
        false => [place.has, &[Slot::Ticket]].concat(),
    };
    let anywhere = Place {
        has: &has,
        needs: &[],
    };
    let before = steps_of(&shape.before, &has, source);
    let by_step = |slot: &Slot| {
        shape
            .before
            .iter()
            .any(|step| super::accounts::holds(step, *slot))
    };
    let needed = match gives[..needed].iter().all(by_step) {
        true => 0,
        false => needed,
    };
    let (verb, path) = verb_of(shape, source)?;
    let exchange = Exchange {
        before: before?,
        verb,
        path: source.template(path, anywhere)?,
        body: body_of(shape, anywhere, source)?,
        headers: headers_of(shape, anywhere, source)?,
        bearer: shape.bearer,
        success: success_of(shape, source),
        holds: source.sought(&shape.answer, (gives, needed), shape.span(), |source, text| {
            found(source, text, anywhere)
        }),
    };
    if let Some(slot) = place.needs.iter().find(|slot| !exchange.takes(**slot)) {
        let what = format!("lacks the placeholder `${{{}}}`", slot.name());
        source.wrong(shape.span(), what);
    }
    Some(exchange)
}

/// Requests that go before something.
pub(super) fn steps_of(
    shape: &[Placed<shape::Exchange>],
    has: &[Slot],
    source: &mut Source<'_>,
) -> Option<Vec<Exchange>> {
    if let Some(beyond) = shape.get(STEPS_MAX) {
        let what = format!("{} requests before it, at most {STEPS_MAX}", shape.len());
        source.wrong(beyond.span(), what);
    }
    let steps: Vec<_> = shape.iter().map(|step| step_of(step, has, source)).collect();
    steps.into_iter().collect()
}

fn step_of(shape: &Placed<shape::Exchange>, has: &[Slot], source: &mut Source<'_>) -> Option<Exchange> {
    if !shape.before.is_empty() {
        source.wrong(shape.span(), "is a step already: all steps stand in one list");
        return None;
    }
    let has = [has, STEP].concat();
    exchange_of(
        shape,
        Place {
            has: &has,
            needs: &[],
        },
        (STEP, 0),
        source,
    )
}

fn verb_of<'s>(shape: &'s Placed<shape::Exchange>, source: &mut Source<'_>) -> Option<(Verb, &'s Text)> {
    let verbs = [
        (Verb::Get, &shape.get),
        (Verb::Post, &shape.post),
        (Verb::Put, &shape.put),
        (Verb::Patch, &shape.patch),
        (Verb::Delete, &shape.delete),
    ];
    let mut given = verbs
        .into_iter()
        .filter_map(|(verb, path)| Some((verb, path.as_ref()?)));
    let (Some((verb, path)), None) = (given.next(), given.next()) else {
        let verbs = listed(["get", "post", "put", "patch", "delete"]);
        source.wrong(shape.span(), format!("a request has exactly one of {verbs}"));
        return None;
    };
    if !path.starts_with('/') {
        let what = "a path begins with `/`; where the service is, `reach` says";
        source.wrong(path.span(), what);
    }
    Some((verb, path))
}

fn body_of(
    shape: &Placed<shape::Exchange>,
    place: Place<'_>,
    source: &mut Source<'_>,
) -> Option<Option<Body>> {
    let mut fields = Vec::new();
    for (name, value) in &shape.form {
        fields.push((String::clone(name), source.template(value, place)?));
    }
    Some(match (&shape.body, fields.is_empty()) {
        (None, true) => None,
        (None, false) => Some(Body::Form(fields)),
        (Some(body), true) => Some(Body::Json(source.json(body, place)?)),
        (Some(body), false) => {
            source.wrong(body.span(), "a request has either a `body` or a `form`");
            None
        }
    })
}

fn headers_of(
    shape: &Placed<shape::Exchange>,
    place: Place<'_>,
    source: &mut Source<'_>,
) -> Option<Vec<(String, crate::codec::Template)>> {
    let mut headers = Vec::new();
    for (name, value) in &shape.headers {
        headers.push((name.clone(), source.template(value, place)?));
    }
    Some(headers)
}

fn success_of(shape: &Placed<shape::Exchange>, source: &mut Source<'_>) -> Success {
    for status in shape
        .status
        .iter()
        .filter(|status| !(100..600).contains(&***status))
    {
        source.wrong(status.span(), format!("{} is no status: 100 to 599", **status));
    }
    let when = shape.success.iter();
    Success {
        statuses: shape.status.iter().map(|status| **status).collect(),
        when: when
            .map(|(pointer, condition)| (source.pointer(pointer), condition_of(condition)))
            .collect(),
    }
}

/// Where something stands in an answer; or what it is, if it stands nowhere.
fn found(source: &mut Source<'_>, text: &Text, place: Place<'_>) -> Option<Found> {
    if text.contains("${") {
        return source.template(text, place).map(Found::Is);
    }
    Some(match text.split_once(':') {
        Some(("header", name)) => Found::Header(name.trim().to_owned()),
        Some(("cookie", name)) => Found::Cookie(name.trim().to_owned()),
        Some(("text", pattern)) => match Regex::new(pattern) {
            Ok(pattern) => Found::Text(Pattern(pattern)),
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                source.wrong(text.span(), format!("is no regular expression: {reason}"));
                return None;
            }
        },
        _ if !text.is_empty() && !text.starts_with('/') => {
            let what = format!(
                "`{}` is nowhere: a JSON pointer (`/token`), `cookie:NAME`, `header:NAME` or `text:REGEX`",
                **text
            );
            source.wrong(text.span(), what);
            return None;
        }
        _ => Found::At(source.pointer(text)),
    })
}
