//! JSON, one text a message, told apart by rules that a profile gives.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::rules::Reader;
use smallvec::smallvec;

use super::{Codec, Item, Items, Rules, Template, Unwritten, Values, Wire};
use crate::pointer::find;

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct Json {
    reader: Reader,
}

impl Json {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            reader: Reader::new(rules, false),
        }
    }
}

impl Codec for Json {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        self.reader.begin();
        if let Some(heartbeat) = self.reader.heartbeat(message, back) {
            return smallvec![heartbeat];
        }
        let Some(json) = whole(message) else {
            return smallvec![self.reader.pass(Item::Undecodable)];
        };
        match self
            .reader
            .rules
            .each
            .as_deref()
            .and_then(|each| frames(json, each))
        {
            Some(frames) => frames
                .iter()
                .map(|frame| self.reader.read(frame, back).into_owned())
                .collect(),
            None => smallvec![self.reader.read(json, back)],
        }
    }

    fn taken_by(&self) -> &[Option<usize>] {
        self.reader.taken()
    }

    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        Ok(Wire::Text(frame.json(values)?))
    }
}

/// The text of a message that is JSON.
fn whole(message: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(message).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(text)
}

/// The frames that stand in an array; `None` if there is none there.
fn frames(json: &str, each: &str) -> Option<Vec<String>> {
    let array = find(json, each)?;
    let frames: Vec<&RawValue> = serde_json::from_str(&array).ok()?;
    Some(frames.into_iter().map(|frame| frame.get().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use history::Step;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Asked, Condition, Correlation, Heartbeat, Kind, Meaning, Order, Rule, Slot, Whose};
    use crate::profile::Action;

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

    fn by_id(pointer: &str, before: &str) -> Correlation {
        Correlation {
            id: Some((at(pointer), at(before))),
            ..Correlation::default()
        }
    }

    fn is(text: &str) -> Condition {
        Condition::Is(text.to_owned())
    }

    /// A service whose requests have `cid` and whose answers have `rid`.
    fn rules() -> Rules {
        let (whose, content) = (by_id("/rid", ""), at("/data"));
        let event = |kind| Meaning::Event {
            kind,
            content: at("/data"),
            cursor: Some(at("/seq")),
            answer: None,
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
                        whose: whose.clone(),
                        code: at("/error/name"),
                    },
                ),
                rule(
                    &[("/part", Condition::Present)],
                    Meaning::Piece {
                        whose: whose.clone(),
                        text: at("/part"),
                    },
                ),
                rule(
                    &[("/more", is("true"))],
                    Meaning::Ack {
                        whose: whose.clone(),
                        content: content.clone(),
                    },
                ),
                rule(
                    &[("/event", Condition::Absent)],
                    Meaning::Reply { whose, content },
                ),
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
            each: None,
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
        assert_eq!(items[..], [expect], "{message}");
        assert_eq!(
            back,
            answers
                .iter()
                .map(|answer| Wire::Text((*answer).to_owned()))
                .collect::<Vec<_>>()
        );
    }

    fn reply<'a>(step: Step, text: Option<&'a str>, code: Option<&'a str>, payload: &'a str) -> Item<'a> {
        Item::Reply {
            whose: Whose::Id("7".into()),
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

    #[track_caller]
    fn check_by(rules: Vec<Rule>, order: Order, message: &str, expect: Item<'_>) {
        let rules = Rules {
            rules,
            ..Rules::default()
        };
        assert_eq!(rules.by_order(), order);
        let items = Json::new(Arc::new(rules)).decode(message.as_bytes(), &mut Vec::new());
        assert_eq!(items[..], [expect], "{message}");
    }

    #[test]
    fn answers_by_order_and_by_parts_of_an_id() {
        let oldest = Correlation {
            oldest: true,
            ..by_id("/uid", "")
        };
        let fenced = Correlation {
            oldest: true,
            fenced: true,
            ..Correlation::default()
        };
        let error = |whose| Meaning::Error {
            whose,
            code: at("/code"),
        };
        let of = |whose, code| Item::Reply {
            whose,
            step: Step::Error,
            text: None,
            code: Some(Cow::Borrowed(code)),
            payload: "".into(),
        };
        let errors = || vec![rule(&[], error(oldest.clone()))];
        check_by(
            errors(),
            Order::Errors,
            r#"{"uid":"3","code":"no"}"#,
            of(Whose::Id("3".into()), "no"),
        );
        check_by(
            errors(),
            Order::Errors,
            r#"{"code":"no"}"#,
            of(Whose::Oldest, "no"),
        );
        let before = rule(&[], error(fenced));
        check_by(
            vec![before],
            Order::Errors,
            r#"{"code":"no"}"#,
            of(Whose::OldestFenced, "no"),
        );
        let begins = rule(&[("/id", Condition::Begins(at("s")))], error(by_id("/id", "s")));
        let null = rule(
            &[("/one", Condition::Null)],
            Meaning::Reply {
                whose: by_id("/id", ""),
                content: at(""),
            },
        );
        let both = || vec![begins.clone(), null.clone()];
        check_by(
            both(),
            Order::None,
            r#"{"id":"s7","code":"no"}"#,
            of(Whose::Id("7".into()), "no"),
        );
        check_by(
            both(),
            Order::None,
            r#"{"id":"7","one":null}"#,
            reply(Step::Done, None, None, r#"{"id":"7","one":null}"#),
        );
        check_by(both(), Order::None, r#"{"id":"7"}"#, Item::Undecodable);
    }

    #[test]
    fn answers_by_what_the_request_said() {
        let of_post = |thread| Asked {
            action: Some(Action::Post),
            says: vec![(Slot::Thread, thread)],
        };
        let fitting = Correlation {
            of: Some(of_post(at("/room"))),
            ..Correlation::default()
        };
        let echo = Meaning::Reply {
            whose: fitting,
            content: at(""),
        };
        let said = Whose::Fitting(of_post("a".to_owned()));
        let expect = Item::Reply {
            whose: said,
            step: Step::Done,
            text: None,
            code: None,
            payload: r#"{"room":"a"}"#.into(),
        };
        check_by(
            vec![rule(&[], echo.clone())],
            Order::Fitting,
            r#"{"room":"a"}"#,
            expect,
        );
        check_by(vec![rule(&[], echo)], Order::Fitting, "{}", Item::Undecodable);
    }

    #[test]
    fn a_message_may_be_an_array_of_frames() {
        let rules = Rules {
            each: Some(String::new()),
            ..rules()
        };
        let mut codec = Json::new(Arc::new(rules));
        let items = codec.decode(br#"[{"rid":7,"data":1},"{\"rid\":7}",{}]"#, &mut Vec::new());
        let expect = [
            reply(Step::Done, None, None, "1"),
            reply(Step::Done, None, None, ""),
            Item::Undecodable,
        ];
        assert_eq!(items[..], expect);
        assert_eq!(codec.taken_by(), [Some(5), Some(5), None]);
        let items = codec.decode(br#"{"rid":7,"data":1}"#, &mut Vec::new());
        assert_eq!(items[..], expect[..1]);
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
                let [rule] = codec.taken_by() else { panic!("one item") };
                prop_assert!(rule.is_none_or(|rule| (1..=rules().rules.len()).contains(&rule)));
                prop_assert!(!undecodable || rule.is_none());
            }
        }
    }
}
