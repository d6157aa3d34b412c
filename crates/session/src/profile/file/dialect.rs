//! One way to speak over a WebSocket: framing, handshake, ops.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::mistake::{Source, listed};
use super::placed::Placed;
use super::shape::{self, Text};
use super::slots::Place;
use crate::codec::{Condition, Envelope, Framing, Heartbeat, Kind, Meaning, Rule, Rules, Slot};
use crate::profile::{Action, Dialect, Greeting, HandshakeStep, OpShape};

/// What is known of a user when it connects.
const OF_CALLER: &[Slot] = &[
    Slot::AccessToken,
    Slot::User,
    Slot::Email,
    Slot::Handle,
    Slot::Password,
];
/// What a greeting may say.
const GREETED: &[Slot] = &[Slot::User, Slot::Session, Slot::Resume];

pub(super) fn dialect(shape: &Placed<shape::Dialect>, source: &mut Source<'_>) -> Option<Dialect> {
    let of_caller = Place {
        has: OF_CALLER,
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
    let handshake: Vec<_> = shape.handshake.iter().map(|step| step_of(step, source)).collect();
    let preliminaries = handshake
        .iter()
        .flat_map(|step| {
            [
                step.expect.as_ref().map(|expect| &expect.kind),
                step.refusal.as_ref(),
            ]
        })
        .flatten()
        .cloned()
        .collect();
    let mut dialect = Dialect {
        subprotocol: shape.subprotocol.as_deref().cloned(),
        path,
        headers,
        framing: Framing::Chat(Envelope::ByMember),
        handshake,
        ops: ops(&shape.ops, source),
    };
    let admits_by_handshake = dialect.admits_by_handshake();
    dialect.framing = framing(
        &shape.framing,
        source,
        if admits_by_handshake {
            preliminaries
        } else {
            Vec::new()
        },
    );
    Some(dialect)
}

fn step_of(shape: &shape::Handshake, source: &mut Source<'_>) -> HandshakeStep {
    let of_caller = Place {
        has: OF_CALLER,
        needs: &[],
    };
    let send = shape.send.as_ref().and_then(|send| source.json(send, of_caller));
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

fn ops(shape: &Placed<super::ops::Ops>, source: &mut Source<'_>) -> BTreeMap<Action, OpShape> {
    let mut ops = BTreeMap::new();
    for (action, op) in shape.given() {
        ops.extend(op_of(action, op, source).map(|op| (action, op)));
    }
    if shape.post.is_none() {
        let why = "without it no user has anything that could leak";
        source.wrong(shape.span(), format!("there has to be a `post`: {why}"));
    }
    let (threads, rooms) = (
        [Action::CreateThread, Action::ReadThread],
        [Action::CreateRoom, Action::AddMember, Action::SubscribeRoom],
    );
    for (needed, users) in [(threads[0], &threads[1..]), (rooms[0], &rooms[1..])] {
        if let Some(user) = users
            .iter()
            .find(|user| ops.contains_key(*user) && !ops.contains_key(&needed))
        {
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

fn op_of(action: Action, shape: &Placed<shape::Op>, source: &mut Source<'_>) -> Option<OpShape> {
    let (takes, needed) = action.takes();
    let has: Vec<Slot> = [Slot::Id].iter().chain(takes).copied().collect();
    // what is listened to may be all that is its owner's
    let by_owner = action == Action::SubscribeThread && shape.frame.contains("${owner");
    let place = Place {
        needs: if by_owner { &has[..1] } else { &has[..=needed] },
        has: &has,
    };
    let frame = source.json(&shape.frame, place);
    let holds = source.holds(&shape.answer, action.gives(), shape.frame.span());
    let posts = matches!(action, Action::Post | Action::PostHastily);
    if let (Some(_), false) = (shape.derives, posts) {
        source.wrong(shape.span(), "`derives` is for `post` and `post-hastily` alone");
    }
    if let (Some(_), false) = (shape.stores, posts || action == Action::PostRoom) {
        source.wrong(shape.span(), "`stores` is for the ops that post alone");
    }
    Some(OpShape {
        frame: frame?,
        holds,
        stores: shape.stores.unwrap_or(posts || action == Action::PostRoom),
        derives: shape.derives.unwrap_or(posts),
    })
}

fn framing(shape: &shape::Framing, source: &mut Source<'_>, preliminaries: Vec<String>) -> Framing {
    match shape {
        shape::Framing::Chat(chat) => Framing::Chat(match chat.envelope {
            shape::Envelope::ByMember => Envelope::ByMember,
            shape::Envelope::ByType => Envelope::ByType,
        }),
        shape::Framing::Json(json) => Framing::Json(Arc::new(rules(json, source, preliminaries))),
    }
}

fn rules(shape: &shape::Json, source: &mut Source<'_>, preliminaries: Vec<String>) -> Rules {
    let mut rules: Vec<Rule> = Vec::new();
    for rule in shape.rules.iter() {
        rules.extend(rule_of(rule, source));
    }
    if !rules
        .iter()
        .any(|rule| matches!(rule.meaning, Meaning::Reply { .. }))
    {
        source.wrong(
            shape.rules.span(),
            "no rule says what a `reply` is, so that nothing would ever be answered",
        );
    }
    let heartbeat = |heartbeat: &shape::Heartbeat| Heartbeat {
        message: heartbeat.message.clone(),
        answer: heartbeat.answer.clone(),
    };
    Rules {
        rules,
        heartbeats: shape.heartbeats.iter().map(heartbeat).collect(),
        preliminaries,
    }
}

fn rule_of(shape: &Placed<shape::Rule>, source: &mut Source<'_>) -> Option<Rule> {
    let when = shape
        .when
        .iter()
        .map(|(pointer, condition)| {
            let condition = match condition {
                shape::Condition::There(true) => Condition::Present,
                shape::Condition::There(false) => Condition::Absent,
                shape::Condition::Number(number) => Condition::Is(number.to_string()),
                shape::Condition::Text(text) => Condition::Is(text.clone()),
            };
            (source.pointer(pointer), condition)
        })
        .collect();
    let mut meanings = meanings(shape, source);
    match (meanings.pop(), meanings.pop()) {
        (Some(meaning), None) => Some(Rule { when, meaning }),
        _ => {
            let kinds = listed(["reply", "ack", "piece", "error", "event", "heartbeat"]);
            source.wrong(shape.span(), format!("a rule has exactly one of {kinds}"));
            None
        }
    }
}

fn meanings(shape: &Placed<shape::Rule>, source: &mut Source<'_>) -> Vec<Meaning> {
    let shape::Rule {
        reply,
        ack,
        piece,
        error,
        event,
        heartbeat,
        ..
    } = &**shape;
    let mut meanings = Vec::new();
    meanings.extend(reply.as_ref().map(|reply| Meaning::Reply {
        id: source.pointer(&reply.id),
        content: pointer_or_all(reply.content.as_ref(), source),
    }));
    meanings.extend(ack.as_ref().map(|ack| Meaning::Ack {
        id: source.pointer(&ack.id),
        content: pointer_or_all(ack.content.as_ref(), source),
    }));
    meanings.extend(piece.as_ref().map(|piece| Meaning::Piece {
        id: source.pointer(&piece.id),
        text: source.pointer(&piece.text),
    }));
    meanings.extend(error.as_ref().map(|error| Meaning::Error {
        id: source.pointer(&error.id),
        code: source.pointer(&error.code),
    }));
    meanings.extend(
        event
            .as_ref()
            .and_then(|event| event_of(event, shape.span(), source)),
    );
    meanings.extend(heartbeat.as_ref().map(|heartbeat| Meaning::Heartbeat {
        answer: heartbeat.answer.clone(),
    }));
    meanings
}

fn event_of(shape: &shape::Event, at: Range<usize>, source: &mut Source<'_>) -> Option<Meaning> {
    let kind = match (&shape.named, &shape.kind) {
        (Some(name), None) => Kind::Named(String::clone(name)),
        (None, Some(pointer)) => Kind::At(source.pointer(pointer)),
        _ => {
            source.wrong(at, "an event has either `named` or `kind`");
            return None;
        }
    };
    Some(Meaning::Event {
        kind,
        content: pointer_or_all(shape.content.as_ref(), source),
        cursor: shape.cursor.as_ref().map(|cursor| source.pointer(cursor)),
    })
}

fn pointer_or_all(pointer: Option<&Text>, source: &mut Source<'_>) -> String {
    pointer.map(|pointer| source.pointer(pointer)).unwrap_or_default()
}
