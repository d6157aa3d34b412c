//! JSON objects, one a message, in two envelopes.

use std::borrow::Cow;

use history::Step;
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::smallvec;

use super::{Codec, Item, Items, Template, Unwritten, Values, Whose, Wire};

/// How the objects are shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// The member that is there says what it is: `ok`, `err`, `ack`, `delta`, `done` beside `re`; `ev` for events.
    ByMember,
    /// The member `type` says what it is: `result`, `error`, `ack`, `delta`, `done`, `event`.
    ByType,
}

/// Kind of an error that names no request.
const STRAY_ERROR: &str = "error";

/// The codec of both envelopes.
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    envelope: Envelope,
}

impl Chat {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self { envelope }
    }
}

impl Codec for Chat {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        match std::str::from_utf8(message) {
            Ok(text) => self.decode_text(text, back),
            Err(_) => smallvec![Item::Undecodable],
        }
    }

    fn decode_text<'a>(&mut self, message: &'a str, _back: &mut Vec<Wire>) -> Items<'a> {
        let item = match self.envelope {
            Envelope::ByMember => serde_json::from_str(message).ok().and_then(by_member),
            Envelope::ByType => serde_json::from_str(message).ok().and_then(by_type),
        };
        smallvec![item.unwrap_or(Item::Undecodable)]
    }

    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        Ok(Wire::Text(frame.json(values)?))
    }
}

/// Text that is borrowed unless an escape is in it (serde borrows a bare `Cow` only, not one in an `Option`).
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ByMember<'a> {
    #[serde(borrow)]
    re: Option<Text<'a>>,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    #[serde(borrow)]
    err: Option<Failure<'a>>,
    #[serde(borrow)]
    ack: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    done: Option<&'a RawValue>,
    #[serde(borrow)]
    ev: Option<Text<'a>>,
    cursor: Option<u64>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    cursor: Option<u64>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn by_member(frame: ByMember<'_>) -> Option<Item<'_>> {
    if let Some(kind) = frame.ev {
        return Some(event(kind.0, frame.cursor, frame.data));
    }
    let request = frame.re.map(|re| re.0);
    if let Some(failure) = frame.err {
        return Some(error(request, failure.code));
    }
    let request = request?;
    if let Some(delta) = frame.delta {
        return Some(piece(request, delta.text));
    }
    let (step, payload) = match (frame.ok.or(frame.done), frame.ack) {
        (Some(payload), _) => (Step::Done, payload),
        (None, Some(payload)) => (Step::Ack, payload),
        (None, None) => return None,
    };
    Some(content(request, step, Some(payload)))
}

fn by_type(frame: ByType<'_>) -> Option<Item<'_>> {
    let request = frame.id.map(|id| id.0);
    match (&*frame.kind, request) {
        ("event", _) => Some(event(frame.name?.0, frame.cursor, frame.data)),
        ("error", request) => Some(error(request, frame.code?.0)),
        ("delta", Some(request)) => Some(piece(request, frame.text?.0)),
        ("result" | "done", Some(request)) => Some(content(request, Step::Done, frame.data)),
        ("ack", Some(request)) => Some(content(request, Step::Ack, frame.data)),
        _ => None,
    }
}

fn content<'a>(request: Cow<'a, str>, step: Step, payload: Option<&'a RawValue>) -> Item<'a> {
    Item::Reply {
        whose: Whose::Id(request),
        step,
        text: None,
        code: None,
        payload: raw(payload),
    }
}

fn piece<'a>(request: Cow<'a, str>, text: Cow<'a, str>) -> Item<'a> {
    Item::Reply {
        whose: Whose::Id(request),
        step: Step::Delta,
        text: Some(text),
        code: None,
        payload: Cow::Borrowed(""),
    }
}

fn error<'a>(request: Option<Cow<'a, str>>, code: Cow<'a, str>) -> Item<'a> {
    let payload = Cow::Borrowed("");
    match request {
        Some(request) => Item::Reply {
            whose: Whose::Id(request),
            step: Step::Error,
            text: None,
            code: Some(code),
            payload,
        },
        None => Item::Event {
            kind: Cow::Borrowed(STRAY_ERROR),
            cursor: None,
            content: true,
            payload,
        },
    }
}

fn event<'a>(kind: Cow<'a, str>, cursor: Option<u64>, data: Option<&'a RawValue>) -> Item<'a> {
    Item::Event {
        kind,
        cursor,
        content: true,
        payload: raw(data),
    }
}

fn raw(payload: Option<&RawValue>) -> Cow<'_, str> {
    Cow::Borrowed(payload.map_or("", RawValue::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(envelope: Envelope, message: &str, expect: Item<'_>) {
        let mut back = Vec::new();
        let items = Chat::new(envelope).decode(message.as_bytes(), &mut back);
        assert_eq!(items[..], [expect], "{message}");
        assert!(back.is_empty());
    }

    fn reply<'a>(step: Step, payload: &'a str) -> Item<'a> {
        Item::Reply {
            whose: Whose::Id("7".into()),
            step,
            text: None,
            code: None,
            payload: payload.into(),
        }
    }

    fn delta(text: &str) -> Item<'_> {
        Item::Reply {
            whose: Whose::Id("7".into()),
            step: Step::Delta,
            text: Some(text.into()),
            code: None,
            payload: "".into(),
        }
    }

    fn failure(code: &str) -> Item<'_> {
        Item::Reply {
            whose: Whose::Id("7".into()),
            step: Step::Error,
            text: None,
            code: Some(code.into()),
            payload: "".into(),
        }
    }

    fn happening<'a>(kind: &'a str, cursor: Option<u64>, payload: &'a str) -> Item<'a> {
        Item::Event {
            kind: kind.into(),
            cursor,
            content: true,
            payload: payload.into(),
        }
    }

    #[test]
    fn every_kind_by_member() {
        let check = |message, expect| check(Envelope::ByMember, message, expect);
        check(r#"{"re":"7","ok":{}}"#, reply(Step::Done, "{}"));
        check(
            r#"{"re":"7","ok":{"thread_id":"t", "title":"a"}}"#,
            reply(Step::Done, r#"{"thread_id":"t", "title":"a"}"#),
        );
        check(
            r#"{"re":"7","err":{"code":"busy","message":"…"}}"#,
            failure("busy"),
        );
        check(
            r#"{"err":{"code":"bad_json","message":"…"}}"#,
            happening("error", None, ""),
        );
        check(r#"{"re":"7","ack":{"seq":3}}"#, reply(Step::Ack, r#"{"seq":3}"#));
        check(r#"{"re":"7","delta":{"n":0,"text":"a\"b"}}"#, delta("a\"b"));
        check(
            r#"{"re":"7","done":{"chars":9}}"#,
            reply(Step::Done, r#"{"chars":9}"#),
        );
        check(
            r#"{"ev":"hello","cursor":null,"data":{"user_id":"u"}}"#,
            happening("hello", None, r#"{"user_id":"u"}"#),
        );
        check(
            r#"{"ev":"thread.message","cursor":41,"data":{}}"#,
            happening("thread.message", Some(41), "{}"),
        );
        check(
            r#"{"ev":"presence","data":{}}"#,
            happening("presence", None, "{}"),
        );
    }

    #[test]
    fn every_kind_by_type() {
        let check = |message, expect| check(Envelope::ByType, message, expect);
        check(r#"{"type":"result","id":"7","data":{}}"#, reply(Step::Done, "{}"));
        check(
            r#"{"type":"error","id":"7","code":"busy","message":"…"}"#,
            failure("busy"),
        );
        check(
            r#"{"type":"error","id":null,"code":"forbidden","message":"…"}"#,
            happening("error", None, ""),
        );
        check(
            r#"{"type":"ack","id":"7","data":{"seq":3}}"#,
            reply(Step::Ack, r#"{"seq":3}"#),
        );
        check(r#"{"type":"delta","id":"7","n":0,"text":"ab"}"#, delta("ab"));
        check(r#"{"type":"done","id":"7","data":{}}"#, reply(Step::Done, "{}"));
        check(
            r#"{"type":"event","name":"hello","cursor":null,"data":{}}"#,
            happening("hello", None, "{}"),
        );
        check(
            r#"{"type":"event","name":"typing","cursor":5,"data":{}}"#,
            happening("typing", Some(5), "{}"),
        );
    }

    #[test]
    fn what_is_no_frame_is_undecodable() {
        for message in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"re":7,"ok":{}}"#,
            r#"{"re":"7"}"#,
            r#"{"ok":{}}"#,
            "\u{fffd}",
        ] {
            check(Envelope::ByMember, message, Item::Undecodable);
        }
        for message in [
            r#"{"type":"result","data":{}}"#,
            r#"{"type":"oops","id":"1"}"#,
            r#"{"type":"event"}"#,
            "7",
        ] {
            check(Envelope::ByType, message, Item::Undecodable);
        }
    }

    #[test]
    fn every_cut_of_a_frame_is_undecodable() {
        let whole = r#"{"re":"7","delta":{"n":0,"text":"ab"}}"#;
        for end in 0..whole.len() {
            check(Envelope::ByMember, &whole[..end], Item::Undecodable);
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let message = r#"{"re":"7","delta":{"n":0,"text":"plain"}}"#;
        let items = Chat::new(Envelope::ByMember).decode(message.as_bytes(), &mut Vec::new());
        assert!(matches!(
            &items[..],
            [Item::Reply {
                whose: Whose::Id(Cow::Borrowed("7")),
                text: Some(Cow::Borrowed("plain")),
                ..
            }]
        ));
    }
}
