//! JSON, one text a message, told apart by rules that a profile gives: the first that fits says what a message is.

use std::borrow::Cow;
use std::sync::Arc;

use history::Step;
use serde::de::IgnoredAny;

use super::{Codec, Item, Missing, Template, Values};
use crate::pointer::{find, pick};

/// Kind of an error that names no request.
const STRAY_ERROR: &str = "error";

/// What the messages of a service mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// In order; a message that none fits is undecodable.
    pub rules: Vec<Rule>,
    /// Messages that are proof of life and nothing else, whether they are JSON or not.
    pub heartbeats: Vec<Heartbeat>,
    /// Kinds of events with which the service lets in or turns away: they are not yet content of a session.
    pub preliminaries: Vec<String>,
}

/// A message that is proof of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The whole message, as it comes.
    pub message: String,
    /// What has to be sent back, if anything.
    pub answer: Option<String>,
}

/// One kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What stands where in it, by JSON pointers; all of it must hold.
    pub when: Vec<(String, Condition)>,
    /// What it means.
    pub meaning: Meaning,
}

/// What must hold of the value at a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is one, and it is not null.
    Present,
    /// There is none, or it is null.
    Absent,
    /// It is this text, or has this JSON.
    Is(String),
}

/// What a message means. The values are JSON pointers into the message, `""` for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields' names say what is found there")]
pub enum Meaning {
    /// The last of an answer: success. Without its id the message is no answer, and a later rule may fit.
    Reply { id: String, content: String },
    /// What was asked is stored, more comes. As for a reply, its id has to be there.
    Ack { id: String, content: String },
    /// A piece of a streamed answer. As for a reply, its id has to be there.
    Piece { id: String, text: String },
    /// The last of an answer: an error. Without its id it is an error that belongs to no request.
    Error { id: String, code: String },
    /// Something nobody asked for.
    Event {
        kind: Kind,
        content: String,
        cursor: Option<String>,
    },
    /// Proof of life, and what has to be sent back, if anything.
    Heartbeat { answer: Option<String> },
}

/// Where the kind of an event is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is always this.
    Named(String),
    /// It stands there.
    At(String),
}

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct Json {
    rules: Arc<Rules>,
}

impl Json {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules }
    }
}

impl Codec for Json {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Vec<u8>>) -> Vec<Item<'a>> {
        let heartbeat = |heartbeat: &&Heartbeat| heartbeat.message.as_bytes() == message;
        if let Some(heartbeat) = self.rules.heartbeats.iter().find(heartbeat) {
            back.extend(heartbeat.answer.clone().map(String::into_bytes));
            return vec![Item::Heartbeat];
        }
        let item = whole(message).and_then(|json| self.rules.item(json, back));
        vec![item.map_or(Item::Undecodable, |(_, item)| item)]
    }

    fn rule(&self, message: &[u8]) -> Option<usize> {
        let (rule, _) = self.rules.item(whole(message)?, &mut Vec::new())?;
        Some(rule)
    }

    fn encode(&self, frame: &Template, values: &Values) -> Result<String, Missing> {
        frame.json(values)
    }
}

/// The text of a message that is JSON.
fn whole(message: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(message).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(text)
}

impl Rules {
    /// The number of the rule that takes a message, from 1, and what it makes of it.
    fn item<'a>(&self, json: &'a str, back: &mut Vec<Vec<u8>>) -> Option<(usize, Item<'a>)> {
        let mut fitting = (1..).zip(&self.rules).filter(|(_, rule)| rule.fits(json));
        fitting.find_map(|(number, rule)| Some((number, self.read(&rule.meaning, json, back)?)))
    }

    /// The message, taken to mean that; `None` if it lacks what such a message has.
    fn read<'a>(&self, meaning: &Meaning, json: &'a str, back: &mut Vec<Vec<u8>>) -> Option<Item<'a>> {
        Some(match meaning {
            Meaning::Reply { id, content } => answer(json, id, Step::Done, content)?,
            Meaning::Ack { id, content } => answer(json, id, Step::Ack, content)?,
            Meaning::Piece { id, text } => Item::Reply {
                request: pick(json, id)?.into(),
                step: Step::Delta,
                text: Some(pick(json, text)?.into()),
                code: None,
                payload: Cow::Borrowed(""),
            },
            Meaning::Error { id, code } => failure(json, id, code),
            Meaning::Event {
                kind,
                content,
                cursor,
            } => {
                let kind = match kind {
                    Kind::Named(name) => name.clone(),
                    Kind::At(pointer) => pick(json, pointer)?,
                };
                let cursor = cursor.as_ref().and_then(|pointer| pick(json, pointer));
                Item::Event {
                    cursor: cursor.and_then(|cursor| cursor.parse().ok()),
                    content: !self.preliminaries.contains(&kind),
                    kind: kind.into(),
                    payload: find(json, content).unwrap_or_default().into(),
                }
            }
            Meaning::Heartbeat { answer } => {
                back.extend(answer.clone().map(String::into_bytes));
                Item::Heartbeat
            }
        })
    }
}

impl Rule {
    fn fits(&self, json: &str) -> bool {
        self.when.iter().all(|(pointer, condition)| {
            let there = pick(json, pointer);
            match condition {
                Condition::Present => there.is_some(),
                Condition::Absent => there.is_none(),
                Condition::Is(text) => there.as_ref() == Some(text),
            }
        })
    }
}

fn answer<'a>(json: &'a str, id: &str, step: Step, content: &str) -> Option<Item<'a>> {
    Some(Item::Reply {
        request: pick(json, id)?.into(),
        step,
        text: None,
        code: None,
        payload: find(json, content).unwrap_or_default().into(),
    })
}

fn failure<'a>(json: &str, id: &str, code: &str) -> Item<'a> {
    let code = pick(json, code).unwrap_or_else(|| STRAY_ERROR.to_owned());
    match pick(json, id) {
        Some(request) => Item::Reply {
            request: request.into(),
            step: Step::Error,
            text: None,
            code: Some(code.into()),
            payload: Cow::Borrowed(""),
        },
        // it says that something was refused, and nothing of what the session may see
        None => Item::Event {
            kind: STRAY_ERROR.into(),
            cursor: None,
            content: false,
            payload: Cow::Borrowed(""),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(pointer: &str) -> String {
        pointer.to_owned()
    }

    fn rule(when: &[(&str, Condition)], meaning: Meaning) -> Rule {
        let when = when
            .iter()
            .map(|(pointer, is)| (at(pointer), is.clone()))
            .collect();
        Rule { when, meaning }
    }

    fn is(text: &str) -> Condition {
        Condition::Is(text.to_owned())
    }

    /// A service whose requests have `cid` and whose answers have `rid`.
    fn rules() -> Rules {
        let (id, content) = (at("/rid"), at("/data"));
        let event = |kind| Meaning::Event {
            kind,
            content: at("/data"),
            cursor: Some(at("/seq")),
        };
        Rules {
            rules: vec![
                rule(
                    &[("/type", is("ping"))],
                    Meaning::Heartbeat {
                        answer: Some(r#"{"type":"pong"}"#.to_owned()),
                    },
                ),
                rule(
                    &[("/error", Condition::Present)],
                    Meaning::Error {
                        id: id.clone(),
                        code: at("/error/name"),
                    },
                ),
                rule(
                    &[("/part", Condition::Present)],
                    Meaning::Piece {
                        id: id.clone(),
                        text: at("/part"),
                    },
                ),
                rule(
                    &[("/more", is("true"))],
                    Meaning::Ack {
                        id: id.clone(),
                        content: content.clone(),
                    },
                ),
                rule(&[("/event", Condition::Absent)], Meaning::Reply { id, content }),
                rule(
                    &[("/event", is("#greeting"))],
                    event(Kind::Named("hello".to_owned())),
                ),
                rule(&[], event(Kind::At(at("/event")))),
            ],
            heartbeats: vec![Heartbeat {
                message: String::new(),
                answer: Some(String::new()),
            }],
            preliminaries: vec!["hello".to_owned()],
        }
    }

    #[track_caller]
    fn check(message: &str, expect: Item<'_>) {
        check_with_answers(message, expect, &[]);
    }

    #[track_caller]
    fn check_with_answers(message: &str, expect: Item<'_>, answers: &[&str]) {
        let mut back = Vec::new();
        let items = Json::new(Arc::new(rules())).decode(message.as_bytes(), &mut back);
        assert_eq!(items, [expect], "{message}");
        assert_eq!(
            back,
            answers.iter().map(|answer| answer.as_bytes()).collect::<Vec<_>>()
        );
    }

    fn reply<'a>(step: Step, text: Option<&'a str>, code: Option<&'a str>, payload: &'a str) -> Item<'a> {
        Item::Reply {
            request: "7".into(),
            step,
            text: text.map(Cow::Borrowed),
            code: code.map(Cow::Borrowed),
            payload: payload.into(),
        }
    }

    fn event<'a>(kind: &'a str, cursor: Option<u64>, content: bool, payload: &'a str) -> Item<'a> {
        Item::Event {
            kind: kind.into(),
            cursor,
            content,
            payload: payload.into(),
        }
    }

    #[test]
    fn answers() {
        check(
            r#"{"rid":7,"data":{"id":1}}"#,
            reply(Step::Done, None, None, r#"{"id":1}"#),
        );
        check(r#"{"rid":"7"}"#, reply(Step::Done, None, None, ""));
        check(
            r#"{"rid":7,"more":true,"data":[]}"#,
            reply(Step::Ack, None, None, "[]"),
        );
        check(
            r#"{"rid":7,"part":"a\"b"}"#,
            reply(Step::Delta, Some("a\"b"), None, ""),
        );
        check(
            r#"{"rid":7,"error":{"name":"Forbidden"}}"#,
            reply(Step::Error, None, Some("Forbidden"), ""),
        );
        check(
            r#"{"rid":7,"error":"no"}"#,
            reply(Step::Error, None, Some("error"), ""),
        );
    }

    #[test]
    fn events() {
        check(
            r##"{"event":"#publish","seq":4,"data":{"id":1}}"##,
            event("#publish", Some(4), true, r#"{"id":1}"#),
        );
        check(r##"{"event":"#greeting"}"##, event("hello", None, false, ""));
        check(
            r#"{"error":{"name":"Forbidden"}}"#,
            event("error", None, false, ""),
        );
    }

    #[test]
    fn proof_of_life() {
        check_with_answers("", Item::Heartbeat, &[""]);
        check_with_answers(r#"{"type":"ping"}"#, Item::Heartbeat, &[r#"{"type":"pong"}"#]);
    }

    #[test]
    fn what_no_rule_fits_is_undecodable() {
        for message in ["{", "7", "null", "[]", "{}", r#"{"data":{}}"#, "\u{fffd}"] {
            check(message, Item::Undecodable);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_item_and_any_rule_is_one_that_there_is(
            bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,a-z0-9/]{0,60}",
        ) {
            for message in [&bytes[..], text.as_bytes()] {
                let mut codec = Json::new(Arc::new(rules()));
                let undecodable = matches!(codec.decode(message, &mut Vec::new())[..], [Item::Undecodable]);
                let rule = codec.rule(message);
                prop_assert!(rule.is_none_or(|rule| (1..=rules().rules.len()).contains(&rule)));
                prop_assert!(!undecodable || rule.is_none());
            }
        }
    }
}
