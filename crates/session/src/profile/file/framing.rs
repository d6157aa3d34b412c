//! How messages are framed, and the rules that tell them apart.

use std::ops::Range;
use std::sync::Arc;

use regex::Regex;

use super::layout;
use super::mistake::{Source, listed, suggestion};
use super::ops::KEYS;
use super::placed::Placed;
use super::shape::{self, Text};
use crate::codec::{
    Asked, Condition, Correlation, Envelope, Framing, Heartbeat, Kind, LENGTH, Layout, Lines, Meaning, Rule,
    Rules, echoing,
};
use crate::profile::Action;

/// What a frame that is sent has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar<'a> {
    /// JSON.
    Json,
    /// A Socket.IO packet, as it goes over the wire.
    Packet,
    /// A STOMP frame, its end left out.
    Stomp,
    /// The object of a frame that is laid out so.
    Binary(&'a Layout),
    /// Anything.
    Text,
}

impl<'a> Grammar<'a> {
    /// `layout` is how frames are laid out, if that is known: else they are taken for JSON, which they are too.
    pub(super) fn of(framing: &shape::Framing, layout: Option<&'a Layout>) -> Self {
        match framing {
            shape::Framing::Chat(_)
            | shape::Framing::Json(_)
            | shape::Framing::GraphqlTransportWs(_)
            | shape::Framing::Wamp(_) => Self::Json,
            shape::Framing::SocketIo(_) => Self::Packet,
            shape::Framing::Stomp(_) => Self::Stomp,
            shape::Framing::Text(_) => Self::Text,
            shape::Framing::Binary(_) | shape::Framing::Mqtt(_) => layout.map_or(Self::Json, Self::Binary),
        }
    }
}

/// The rules of graphql-transport-ws.
const GRAPHQL: &str = include_str!("known/graphql-transport-ws.toml");
/// The rules of WAMP.
const WAMP: &str = include_str!("known/wamp.toml");

pub(super) fn framing(
    shape: &shape::Framing,
    layout: Option<Arc<Layout>>,
    source: &mut Source<'_>,
    preliminaries: Vec<String>,
) -> Framing {
    let read = |shape: &[Placed<shape::Rule>], beats: &[shape::Heartbeat], source: &mut Source<'_>| Rules {
        rules: shape.iter().filter_map(|rule| rule_of(rule, source)).collect(),
        heartbeats: beats.iter().map(heartbeat).collect(),
        each: None,
        preliminaries,
    };
    match shape {
        shape::Framing::Chat(chat) => Framing::Chat(match chat.envelope {
            shape::Envelope::ByMember => Envelope::ByMember,
            shape::Envelope::ByType => Envelope::ByType,
        }),
        shape::Framing::Json(json) => {
            let mut rules = read(&json.rules, &json.heartbeats, source);
            rules.each = json.each.as_ref().map(|each| source.pointer(each));
            Framing::Json(answering(rules, &json.rules, source))
        }
        shape::Framing::GraphqlTransportWs(known) => {
            let own = read(&known.rules, &[], source);
            Framing::Json(before(own, GRAPHQL, source))
        }
        shape::Framing::Wamp(known) => {
            let own = read(&known.rules, &[], source);
            Framing::Json(before(own, WAMP, source))
        }
        shape::Framing::SocketIo(ruled) => {
            let rules = read(&ruled.rules, &[], source);
            Framing::SocketIo(answering(rules, &ruled.rules, source))
        }
        shape::Framing::Stomp(ruled) => {
            let rules = read(&ruled.rules, &[], source);
            Framing::Stomp(answering(rules, &ruled.rules, source))
        }
        shape::Framing::Text(text) => {
            let rules = read(&text.rules, &text.heartbeats, source);
            let rules = answering(rules, &text.rules, source);
            Framing::Text(Arc::new(lines(text, source)), rules)
        }
        shape::Framing::Binary(binary) => {
            let rules = read(&binary.rules, &[], source);
            let rules = answering(rules, &binary.rules, source);
            let layout = layout.unwrap_or_default();
            layout::answers(&binary.rules, &layout, source);
            Framing::Binary(layout, rules)
        }
        shape::Framing::Mqtt(mqtt) => {
            let mut rules = read(&mqtt.rules, &[], source);
            // what is wrong with its version has been told
            if let Some(known) = layout::known(mqtt, &mut Source::new("", "")) {
                rules
                    .rules
                    .extend(known.rules.iter().filter_map(|rule| rule_of(rule, source)));
            }
            Framing::Binary(layout.unwrap_or_default(), Arc::new(rules))
        }
    }
}

/// Rules of one's own, then those of a protocol.
fn before(own: Rules, known: &str, source: &mut Source<'_>) -> Arc<Rules> {
    let known: shape::Ruled = toml::from_str(known).expect("a test reads this very text");
    let rules = known.rules.iter().filter_map(|rule| rule_of(rule, source));
    Arc::new(Rules {
        rules: own.rules.into_iter().chain(rules).collect(),
        ..own
    })
}

/// Rules by which something is answered.
fn answering(rules: Rules, shape: &Placed<Vec<Placed<shape::Rule>>>, source: &mut Source<'_>) -> Arc<Rules> {
    if !shape.iter().any(|rule| rule.reply.is_some()) {
        let what = "no rule says what a `reply` is, so that nothing would ever be answered";
        source.wrong(shape.span(), what);
    }
    Arc::new(rules)
}

fn heartbeat(shape: &shape::Heartbeat) -> Heartbeat {
    Heartbeat {
        message: shape.message.clone(),
        answer: shape.answer.clone(),
    }
}

fn lines(shape: &shape::Lines, source: &mut Source<'_>) -> Lines {
    let mut patterns = Vec::new();
    for text in &shape.patterns {
        match Regex::new(text) {
            Ok(pattern) => {
                if pattern.capture_names().flatten().any(|name| name == LENGTH) && shape.ends.is_none() {
                    let what =
                        "`length` announces what follows a line, and `ends` does not say what a line is";
                    source.wrong(text.span(), what);
                }
                patterns.push(pattern);
            }
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                source.wrong(text.span(), format!("is no regular expression: {reason}"));
            }
        }
    }
    if let Some(ends) = shape.ends.as_ref().filter(|ends| ends.is_empty()) {
        source.wrong(ends.span(), "is empty: leave it out where a message is one text");
    }
    Lines {
        ends: shape.ends.as_deref().cloned(),
        binary: shape.binary,
        patterns,
    }
}

/// What must stand at a pointer.
pub(super) fn condition_of(shape: &shape::Condition) -> Condition {
    match shape {
        shape::Condition::There(true) => Condition::Present,
        shape::Condition::There(false) => Condition::Absent,
        shape::Condition::Number(number) => Condition::Is(number.to_string()),
        shape::Condition::Text(text) => Condition::Is(text.clone()),
        shape::Condition::More(shape::More::Begins(text)) => Condition::Begins(text.clone()),
        shape::Condition::More(shape::More::Null(true)) => Condition::Null,
        shape::Condition::More(shape::More::Null(false)) => Condition::Present,
    }
}

fn rule_of(shape: &Placed<shape::Rule>, source: &mut Source<'_>) -> Option<Rule> {
    let when = shape
        .when
        .iter()
        .map(|(pointer, condition)| {
            let condition = condition_of(condition);
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
    let at = || shape.span();
    meanings.extend(reply.as_ref().map(|reply| Meaning::Reply {
        whose: whose(Said::of(reply), at(), source),
        content: pointer_or_all(reply.content.as_ref(), source),
    }));
    meanings.extend(ack.as_ref().map(|ack| Meaning::Ack {
        whose: whose(Said::of(ack), at(), source),
        content: pointer_or_all(ack.content.as_ref(), source),
    }));
    meanings.extend(piece.as_ref().map(|piece| Meaning::Piece {
        whose: whose(
            Said {
                id: Some(&piece.id),
                prefix: piece.prefix.as_ref(),
                ..Said::default()
            },
            at(),
            source,
        ),
        text: source.pointer(&piece.text),
    }));
    meanings.extend(error.as_ref().map(|error| Meaning::Error {
        whose: Correlation {
            fenced: error.fenced,
            ..whose(
                Said {
                    id: error.id.as_ref(),
                    prefix: error.prefix.as_ref(),
                    oldest: error.oldest,
                    op: error.op.as_ref(),
                    says: Some(&error.says),
                },
                at(),
                source,
            )
        },
        code: source.pointer(&error.code),
    }));
    meanings.extend(
        event
            .as_ref()
            .and_then(|event| event_of(event, shape.span(), source)),
    );
    meanings.extend(heartbeat.as_ref().map(|heartbeat| Meaning::Heartbeat {
        answer: answer_of(heartbeat.answer.as_ref(), source),
    }));
    meanings
}

/// What a rule says of the request that a message answers.
#[derive(Default)]
struct Said<'a> {
    id: Option<&'a Text>,
    prefix: Option<&'a Text>,
    oldest: bool,
    op: Option<&'a Text>,
    says: Option<&'a shape::Holds>,
}

impl<'a> Said<'a> {
    fn of(answer: &'a shape::Answer) -> Self {
        Self {
            id: answer.id.as_ref(),
            prefix: answer.prefix.as_ref(),
            oldest: answer.oldest,
            op: answer.op.as_ref(),
            says: Some(&answer.says),
        }
    }
}

/// How a message names its request.
fn whose(said: Said<'_>, at: Range<usize>, source: &mut Source<'_>) -> Correlation {
    if let (None, Some(prefix)) = (said.id, said.prefix) {
        source.wrong(prefix.span(), "a prefix of an id, and no `id`");
    }
    let of = asked(said.op, said.says, source);
    if said.id.is_none() && !said.oldest && of.is_none() {
        let what = "whose answer it is, is not said: give `id`, `op`, `says` or `oldest = true`";
        source.wrong(at, what);
    }
    let prefix = said
        .prefix
        .map(|prefix| String::clone(prefix))
        .unwrap_or_default();
    Correlation {
        id: said.id.map(|id| (source.pointer(id), prefix)),
        oldest: said.oldest,
        fenced: false,
        of,
    }
}

/// The kind of request that a message answers, if that is said, and what of the request stands where.
fn asked(op: Option<&Text>, says: Option<&shape::Holds>, source: &mut Source<'_>) -> Option<Asked> {
    let actions = || KEYS.iter().map(|(action, _)| *action);
    let action = op.map(|op| {
        let action = actions().find(|action| action.name() == **op);
        if action.is_none() {
            let near = suggestion(op, actions().map(Action::name));
            source.wrong(op.span(), format!("there is no op `{}`{near}", **op));
        }
        action
    });
    let action = action.flatten();
    let of = actions().filter(|of| action.is_none_or(|action| action == *of));
    let takes: Vec<_> = of.flat_map(|of| [of.takes().0, of.gives().0].concat()).collect();
    let says = says.filter(|says| !says.is_empty());
    let said = says.map(|says| source.holds(says, (&takes, 0), 0..0));
    (action.is_some() || said.is_some()).then(|| Asked {
        action,
        says: said.unwrap_or_default(),
    })
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
        answer: answer_of(shape.answer.as_ref(), source),
    })
}

/// What is sent back, which may say what stands in the message.
fn answer_of(answer: Option<&Text>, source: &mut Source<'_>) -> Option<String> {
    let answer = answer?;
    if let Err(wrong) = echoing(answer, "") {
        source.wrong(answer.span(), wrong);
        return None;
    }
    Some(String::clone(answer))
}

fn pointer_or_all(pointer: Option<&Text>, source: &mut Source<'_>) -> String {
    pointer.map(|pointer| source.pointer(pointer)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Item, Json, Whose, Wire};

    fn codec(known: &str) -> Json {
        let mut source = Source::new("known.toml", known);
        let rules = before(Rules::default(), known, &mut source);
        source.unless_wrong(Some(())).unwrap();
        Json::new(rules)
    }

    /// What a message is taken for, in short.
    #[track_caller]
    fn check(known: &str, message: &str, expect: &str) {
        let mut back = Vec::new();
        let mut codec = codec(known);
        let items = codec.decode(message.as_bytes(), &mut back);
        let told = match &items[..] {
            [
                Item::Reply {
                    whose: Whose::Id(id),
                    code,
                    payload,
                    ..
                },
            ] => match code {
                Some(code) => format!("error {id} {code}"),
                None => format!("reply {id} {payload}"),
            },
            [Item::Event { kind, payload, .. }] => format!("event {kind} {payload}"),
            other => format!("{other:?}"),
        };
        let back: String = back.iter().map(Wire::shown).collect();
        assert_eq!(format!("{told}{back}"), expect, "{message}");
    }

    #[test]
    fn graphql_transport_ws() {
        let check = |message, expect| check(GRAPHQL, message, expect);
        check(r#"{"type":"connection_ack"}"#, "event connection_ack ");
        check(r#"{"type":"ping"}"#, r#"[Heartbeat]{"type":"pong"}"#);
        check(r#"{"type":"complete","id":"7"}"#, "[Heartbeat]");
        check(
            r#"{"id":"7","type":"next","payload":{"data":{"a":1}}}"#,
            r#"reply 7 {"a":1}"#,
        );
        check(
            r#"{"id":"7","type":"next","payload":{"errors":[{"message":"no"}],"data":null}}"#,
            "error 7 no",
        );
        check(
            r#"{"id":"7","type":"error","payload":[{"message":"no"}]}"#,
            "error 7 no",
        );
        check(
            r#"{"id":"s7","type":"next","payload":{"data":{"a":1}}}"#,
            r#"event next {"a":1}"#,
        );
        check(
            r#"{"id":"s7","type":"next","payload":{"errors":[{"message":"no"}]}}"#,
            "error 7 no",
        );
        check(
            r#"{"id":"s7","type":"error","payload":[{"message":"no"}]}"#,
            "error 7 no",
        );
        check(r#"{"type":"who"}"#, "[Undecodable]");
    }

    #[test]
    fn wamp() {
        let check = |message, expect| check(WAMP, message, expect);
        check(r#"[4,"ticket",{}]"#, "event challenge {}");
        check(r#"[2,99,{"realm":"r"}]"#, r#"event welcome {"realm":"r"}"#);
        check(
            r#"[3,{},"wamp.error.not_authorized"]"#,
            r#"event abort "wamp.error.not_authorized""#,
        );
        check(
            r#"[8,32,7,{},"wamp.error.not_authorized",["x"]]"#,
            "error 7 wamp.error.not_authorized",
        );
        check("[17,7,99]", "reply 7 [17,7,99]");
        check("[33,7,99]", "reply 7 [33,7,99]");
        check(r#"[36,1,2,{},["a"]]"#, r#"event event ["a"]"#);
        check(r#"[50,7,{},["a"]]"#, r#"reply 7 ["a"]"#);
        check("[99,7]", "[Undecodable]");
    }
}
