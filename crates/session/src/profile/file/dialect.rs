//! One way to speak over a WebSocket: handshake, ops, and whatever holds of the connection.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exchange::{exchange_of, steps_of};
use super::framing::{self, Grammar};
use super::layout;
use super::mistake::{Source, suggestion};
use super::placed::Placed;
use super::shape;
use super::slots::Place;
use crate::codec::{Envelope, Framing, Order, Slot, Template};
use crate::profile::{Action, Beat, Dialect, Exchange, Greeting, HandshakeStep, OpShape};

/// What is known of a user when it connects.
const OF_CALLER: &[Slot] = &[
    Slot::AccessToken,
    Slot::User,
    Slot::Email,
    Slot::Handle,
    Slot::Password,
    Slot::Thread,
    Slot::Owner,
];
/// What an op may say of who asks, and what is made for it.
const OF_ASKER: &[Slot] = &[
    Slot::Me,
    Slot::MyHandle,
    Slot::Uuid,
    Slot::NowIso,
    Slot::NowS,
    Slot::AccessToken,
];
/// What a greeting may say.
const GREETED: &[Slot] = &[Slot::User, Slot::Session, Slot::Resume, Slot::Ticket];
/// What of that later steps and ops may say again.
const KEPT: &[Slot] = &[Slot::Session, Slot::Ticket];

pub(super) fn dialect(shape: &Placed<shape::Dialect>, source: &mut Source<'_>) -> Option<Dialect> {
    let before = steps_of(&shape.before, OF_CALLER, source)?;
    let of_caller = match before.is_empty() {
        true => OF_CALLER.to_vec(),
        false => [OF_CALLER, KEPT].concat(),
    };
    let of_caller = Place {
        has: &of_caller,
        needs: &[],
    };
    let path = source.template(&shape.path, of_caller)?;
    if !shape.path.starts_with('/') {
        source.wrong(
            shape.path.span(),
            "a path begins with `/`; where the service is, `reach` says",
        );
    }
    let mut headers = Vec::new();
    for (name, value) in &shape.headers {
        headers.extend(
            source
                .template(value, of_caller)
                .map(|value| (String::clone(name), value)),
        );
    }
    let layout = layout::layout(&shape.framing, source);
    let grammar = Grammar::of(&shape.framing, layout.as_deref());
    let handshake = handshake(&shape.handshake, of_caller.has, grammar, source);
    let mut dialect = Dialect {
        subprotocol: shape.subprotocol.as_deref().cloned(),
        path,
        headers,
        before,
        framing: Framing::Chat(Envelope::ByMember),
        handshake,
        ops: BTreeMap::new(),
        heartbeat: shape
            .heartbeat
            .as_ref()
            .and_then(|beat| beating(beat, grammar, source)),
        denies_by_closing: shape.denies_by_closing,
        denies_by_silence: shape.denies_by_silence,
        shuts_out_within: shutting_out(shape, source),
    };
    let admits_by_handshake = dialect.admits_by_handshake();
    dialect.framing = framing::framing(
        &shape.framing,
        layout.clone(),
        source,
        if admits_by_handshake {
            preliminaries(&dialect.handshake)
        } else {
            Vec::new()
        },
    );
    let kept = kept(&dialect.handshake);
    let how = How {
        grammar,
        order: dialect.framing.order(),
        kept: &kept,
        apart: dialect.connects_to_threads(),
    };
    dialect.ops = ops(&shape.ops, how, source);
    told_by_content(shape, &dialect, source);
    apart(shape, &dialect, source);
    Some(dialect)
}

/// How requests are written, and what there is to put into them.
#[derive(Clone, Copy)]
struct How<'a> {
    grammar: Grammar<'a>,
    order: Order,
    /// What greetings said that may be said again.
    kept: &'a [Slot],
    /// Whether each thread is a connection of its own.
    apart: bool,
}

/// The longest that a service may take to shut out whom it does not let in, in milliseconds.
const SHUT_OUT_MS_MAX: u64 = 5_000;

fn shutting_out(shape: &shape::Dialect, source: &mut Source<'_>) -> Option<Duration> {
    let within_ms = shape.shuts_out_within_ms.as_ref()?;
    if !(1..=SHUT_OUT_MS_MAX).contains(&**within_ms) {
        let what = format!("is {}, from 1 to {SHUT_OUT_MS_MAX}", **within_ms);
        source.wrong(within_ms.span(), what);
    }
    Some(Duration::from_millis(**within_ms))
}

/// Where each thread is a connection of its own, there is one before anybody is connected; and to connect is to listen.
fn apart(shape: &shape::Dialect, dialect: &Dialect, source: &mut Source<'_>) {
    if !dialect.connects_to_threads() {
        if shape.denies_by_silence {
            let what = "`denies-by-silence` is for services where whoever connects says to which thread: `${thread}` in `path`";
            source.wrong(shape.path.span(), what);
        }
        return;
    }
    let (create, subscribe) = (&shape.ops.create_thread, &shape.ops.subscribe_thread);
    match create {
        None => {
            let what = "each thread is a connection of its own, and nothing makes one: `create-thread`";
            source.wrong(shape.ops.span(), what);
        }
        Some(create) if create.frame.is_some() => {
            let what = "one is connected to a thread that is there already: it is made by `http`, or by connecting to what `make` says";
            source.wrong(create.span(), what);
        }
        Some(_) => {}
    }
    if let Some(subscribe) = subscribe {
        let what =
            "whoever is connected to a thread listens to it; what has to be said first, `handshake` says";
        source.wrong(subscribe.span(), what);
    }
}

/// What is told by its content cannot be held against it.
fn told_by_content(shape: &shape::Dialect, dialect: &Dialect, source: &mut Source<'_>) {
    for (action, op) in shape.ops.given() {
        let derives = dialect
            .ops
            .get(&action)
            .is_some_and(|op| op.derives && op.http.is_none());
        if derives && dialect.framing.tells_by_content() {
            let what = "its answer is told by its content (`says`), which then cannot tell whether it is the right one: `derives = false`";
            source.wrong(op.span(), what);
        }
    }
}

/// Kinds of events that let in or turn away.
fn preliminaries(handshake: &[HandshakeStep]) -> Vec<String> {
    let expected = handshake
        .iter()
        .filter_map(|step| Some(&step.expect.as_ref()?.kind));
    let refusals = handshake.iter().filter_map(|step| step.refusal.as_ref());
    expected.chain(refusals).cloned().collect()
}

/// The shortest time between two heartbeats of a client, in milliseconds.
const HEARTBEAT_MS_MIN: u64 = 100;

fn beating(shape: &shape::Beating, grammar: Grammar<'_>, source: &mut Source<'_>) -> Option<Beat> {
    let nothing = Place { has: &[], needs: &[] };
    if *shape.every_ms < HEARTBEAT_MS_MIN {
        let what = format!("is {}, at least {HEARTBEAT_MS_MIN}", *shape.every_ms);
        source.wrong(shape.every_ms.span(), what);
    }
    Some(Beat {
        send: source.frame(&shape.send, nothing, grammar)?,
        every: Duration::from_millis(*shape.every_ms),
    })
}

fn handshake(
    shape: &[shape::Handshake],
    of_caller: &[Slot],
    grammar: Grammar<'_>,
    source: &mut Source<'_>,
) -> Vec<HandshakeStep> {
    let mut steps = Vec::new();
    for step in shape {
        let has = [of_caller, &kept(&steps)].concat();
        steps.push(step_of(step, &has, grammar, source));
    }
    steps
}

/// What the greetings of these steps say that may be said again.
fn kept(steps: &[HandshakeStep]) -> Vec<Slot> {
    let greetings = steps.iter().filter_map(|step| step.expect.as_ref());
    let said = greetings.flat_map(|greeting| &greeting.holds);
    said.map(|(slot, _)| *slot)
        .filter(|slot| KEPT.contains(slot))
        .collect()
}

fn step_of(
    shape: &shape::Handshake,
    has: &[Slot],
    grammar: Grammar<'_>,
    source: &mut Source<'_>,
) -> HandshakeStep {
    let place = Place { has, needs: &[] };
    let send = shape
        .send
        .as_ref()
        .and_then(|send| source.frame(send, place, grammar));
    let expect = shape.expect.as_ref().map(|kind| Greeting {
        kind: String::clone(kind),
        holds: source.holds(&shape.answer, (GREETED, 0), kind.span()),
    });
    if let (None, Some((name, _))) = (&expect, shape.answer.first_key_value()) {
        source.wrong(
            name.span(),
            "nothing is expected in this step, so nothing can stand in it",
        );
    }
    HandshakeStep {
        send,
        expect,
        refusal: shape.refusal.as_deref().cloned(),
    }
}

fn ops(shape: &Placed<super::ops::Ops>, how: How<'_>, source: &mut Source<'_>) -> BTreeMap<Action, OpShape> {
    let mut ops = BTreeMap::new();
    for (action, op) in shape.given() {
        ops.extend(op_of(action, op, how, source).map(|op| (action, op)));
    }
    if shape.post.is_none() {
        let why = "without it no user has anything that could leak";
        source.wrong(shape.span(), format!("there has to be a `post`: {why}"));
    }
    let (threads, rooms) = (
        [Action::CreateThread, Action::ReadThread],
        [Action::CreateRoom, Action::AddMember, Action::SubscribeRoom],
    );
    let there = |action: &Action| shape.given().any(|(given, _)| given == *action);
    for (action, op) in shape.given().filter(|(_, op)| op.subscribed) {
        let listens = [Action::SubscribeThread, Action::SubscribeRoom];
        if !listens.iter().any(there) {
            let what = format!("`{}` goes after a subscription, and there is none", action.name());
            source.wrong(op.span(), what);
        }
    }
    for (needed, users) in [(threads[0], &threads[1..]), (rooms[0], &rooms[1..])] {
        if let Some(user) = users.iter().find(|user| there(user) && !there(&needed)) {
            let what = format!(
                "`{}` needs a `{}`, which gives the id",
                user.name(),
                needed.name()
            );
            source.wrong(shape.span(), what);
        }
    }
    ops
}

/// Says of what is only for some ops where it stands at others.
fn misplaced(action: Action, shape: &Placed<shape::Op>, source: &mut Source<'_>) {
    let posts = matches!(action, Action::Post | Action::PostHastily);
    if shape.derives.is_some() && !posts {
        source.wrong(shape.span(), "`derives` is for `post` and `post-hastily` alone");
    }
    if shape.stores.is_some() && !posts && action != Action::PostRoom {
        source.wrong(shape.span(), "`stores` is for the ops that post alone");
    }
    let (takes, _) = action.takes();
    if shape.subscribed && ![Slot::Thread, Slot::Room].iter().any(|slot| takes.contains(slot)) {
        let what = "`subscribed` is for ops that name a thread or a room";
        source.wrong(shape.span(), what);
    }
    if shape.silent.is_some() && !matches!(action, Action::SubscribeThread | Action::SubscribeRoom) {
        let what = "`silent` is for `subscribe-thread` and `subscribe-room` alone";
        source.wrong(shape.span(), what);
    }
}

fn op_of(
    action: Action,
    shape: &Placed<shape::Op>,
    how: How<'_>,
    source: &mut Source<'_>,
) -> Option<OpShape> {
    let (takes, _) = action.takes();
    let has = [&[Slot::Id], takes, OF_ASKER, how.kept].concat();
    let before = steps_of(&shape.before, &has, source);
    let has = match shape.before.is_empty() {
        true => has,
        false => [&has[..], &[Slot::Ticket]].concat(),
    };
    let (gives, needs_given) = action.gives();
    let makes = makes(&shape.make, gives, &has, source);
    let made: Vec<Slot> = makes.iter().map(|(slot, _)| *slot).collect();
    let has: Vec<Slot> = has.into_iter().chain(made.iter().copied()).collect();
    let place = Place {
        has: &has,
        needs: &[],
    };
    let connects = how.apart && action == Action::CreateThread && !made.is_empty();
    let (at, http) = match (&shape.frame, &shape.http) {
        (Some(frame), None) => (frame.span(), None),
        (None, Some(http)) => (http.span(), Some(http)),
        (None, None) if connects => (shape.span(), None),
        _ => {
            source.wrong(shape.span(), "an op has either a `frame` or `http`");
            return None;
        }
    };
    let frame = match &shape.frame {
        Some(frame) => source.frame(frame, place, how.grammar),
        None => Some(Template::default()),
    };
    let then: Vec<_> = shape
        .then
        .iter()
        .map(|then| source.frame(then, place, how.grammar))
        .collect();
    // what is made here need not stand in the answer
    let needs_given = match gives.iter().any(|slot| made.contains(slot)) {
        true => 0,
        false => needs_given,
    };
    let needs_here = if http.is_some() { 0 } else { needs_given };
    let holds = source.holds(&shape.answer, (gives, needs_here), at.clone());
    let http = match http {
        Some(http) => Some(over_http(http, shape, (&has, (gives, needs_given)), source)?),
        None => None,
    };
    let posts = matches!(action, Action::Post | Action::PostHastily);
    misplaced(action, shape, source);
    let op = OpShape {
        frame: frame?,
        http,
        before: before?,
        then: then.into_iter().collect::<Option<_>>()?,
        makes,
        holds,
        stores: shape.stores.unwrap_or(posts || action == Action::PostRoom),
        derives: shape.derives.unwrap_or(posts),
        subscribed: shape.subscribed,
        silent: shape.silent.unwrap_or(false),
        connects: connects && shape.frame.is_none() && shape.http.is_none(),
    };
    if let Some(slot) = lacking(action, &op, &has, how) {
        let what = format!("lacks the placeholder `${{{}}}`", slot.name());
        source.wrong(at, what);
        return None;
    }
    Some(op)
}

/// What an op would have to say to be what it is called, and does not.
fn lacking(action: Action, op: &OpShape, has: &[Slot], how: How<'_>) -> Option<Slot> {
    let (_, needed) = action.takes();
    // what is listened to may be all that is its owner's; what is made here needs no title
    let by_owner = action == Action::SubscribeThread && op.takes(Slot::Owner);
    let of_action = match by_owner || !op.makes.is_empty() {
        true => 0,
        false => needed,
    };
    let no_id = matches!(how.order, Order::Strict | Order::Fitting) || op.http.is_some() || op.connects;
    // which thread it is, the connection says
    let said = |slot: &Slot| how.apart && op.http.is_none() && matches!(slot, Slot::Thread | Slot::Room);
    let mut needed = has[usize::from(no_id)..=of_action].iter().copied();
    needed.find(|slot| !said(slot) && !op.takes(*slot))
}

/// An op that goes over HTTP.
fn over_http(
    http: &Placed<shape::Exchange>,
    op: &shape::Op,
    (has, gives): (&[Slot], (&[Slot], usize)),
    source: &mut Source<'_>,
) -> Option<Exchange> {
    if let Some(name) = op.answer.keys().next() {
        source.wrong(
            name.span(),
            "what stands in an answer over HTTP, `http.answer` says",
        );
    }
    if !http.before.is_empty() {
        source.wrong(
            http.span(),
            "an op is one request: what goes before it stands in the op's own `before`",
        );
    }
    exchange_of(http, Place { has, needs: &[] }, gives, source)
}

/// What an op makes, rather than finds in its answer.
fn makes(
    shape: &shape::Holds,
    gives: &[Slot],
    has: &[Slot],
    source: &mut Source<'_>,
) -> Vec<(Slot, Template)> {
    let mut makes = Vec::new();
    for (name, text) in shape {
        let template = source.template(text, Place { has, needs: &[] });
        match Slot::named(name).filter(|slot| gives.contains(slot)) {
            Some(slot) => makes.extend(template.map(|template| (slot, template))),
            None => {
                let near = suggestion(name, gives.iter().map(|slot| slot.name()));
                source.wrong(name.span(), format!("`{}` is not made here{near}", **name));
            }
        }
    }
    makes
}
