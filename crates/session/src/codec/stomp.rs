//! STOMP 1.2 frames, as its specification has them: several in a message, or one over several messages.
//!
//! Every frame is handed to the rules as an object: `command`, `headers` (the first of each name), `body` (a text), and `json`
//! if the body is JSON. Line ends between frames are heartbeats.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::rules::Reader;
use super::{Codec, Item, Items, Rules, Template, Unwritten, Values, Wire};
use crate::limits::MESSAGE_LIMIT_BYTES;

/// What ends a frame.
const END: u8 = 0;
/// The frame whose headers are written without escapes, so that older servers can be spoken to.
const UNESCAPED: &str = "CONNECTED";

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct Stomp {
    reader: Reader,
    /// What has come of a frame that is not whole.
    begun: Vec<u8>,
}

impl Stomp {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            reader: Reader::new(rules, false),
            begun: Vec::new(),
        }
    }
}

impl Codec for Stomp {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        self.reader.begin();
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(message);
        let (mut items, mut rest) = (Items::new(), &all[..]);
        loop {
            rest = without_line_ends(rest);
            if rest.is_empty() {
                break;
            }
            let (item, after) = match Frame::parse(rest) {
                Parsed::Whole(frame, after) => (self.reader.read(&frame.object(), back).into_owned(), after),
                Parsed::Begun if rest.len() <= MESSAGE_LIMIT_BYTES => {
                    self.begun = rest.to_vec();
                    break;
                }
                Parsed::Begun | Parsed::Wrong => (self.reader.pass(Item::Undecodable), &[][..]),
            };
            items.push(item);
            rest = after;
        }
        if items.is_empty() && self.begun.is_empty() {
            items.push(self.reader.pass(Item::Heartbeat));
        }
        items
    }

    fn taken_by(&self) -> &[Option<usize>] {
        self.reader.taken()
    }

    /// The frame, its end added; values in headers are escaped.
    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        let mut text = frame.written(values, |out, value| match out.contains("\n\n") {
            true => out.push_str(value),
            false => out.push_str(&escaped(value)),
        })?;
        // a line end alone is a heartbeat
        if !text.trim_end_matches('\n').is_empty() && !text.ends_with('\0') {
            text.push(char::from(END));
        }
        Ok(Wire::Text(text))
    }
}

fn without_line_ends(bytes: &[u8]) -> &[u8] {
    let ends = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    &bytes[ends.count()..]
}

/// Whether a frame is one that could be sent.
pub(crate) fn is_frame(text: &str) -> bool {
    let whole = format!("{text}\0");
    text.trim_end_matches('\n').is_empty() || matches!(Frame::parse(whole.as_bytes()), Parsed::Whole(..))
}

/// A frame.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Frame<'a> {
    command: &'a str,
    headers: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    body: Cow<'a, str>,
}

/// A frame whose body is JSON.
#[derive(Serialize)]
struct WithJson<'a> {
    #[serde(flatten)]
    frame: &'a Frame<'a>,
    json: &'a RawValue,
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed<'a> {
    /// A frame, and what comes after it.
    Whole(Frame<'a>, &'a [u8]),
    /// The begin of one.
    Begun,
    /// None.
    Wrong,
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Parsed<'a> {
        let Some((head, rest)) = head_of(bytes) else {
            // a frame without a blank line is none, however much comes
            return match bytes.contains(&END) {
                true => Parsed::Wrong,
                false => Parsed::Begun,
            };
        };
        let Ok(head) = std::str::from_utf8(head) else {
            return Parsed::Wrong;
        };
        let mut lines = head
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let command = lines.next().unwrap_or_default();
        let mut headers = BTreeMap::new();
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                return Parsed::Wrong;
            };
            let (Some(name), Some(value)) = (unescaped(command, name), unescaped(command, value)) else {
                return Parsed::Wrong;
            };
            // the first of equal names counts
            headers.entry(name).or_insert(value);
        }
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok());
        let (body, after) = match length {
            Some(length) => match (rest.get(..length), rest.get(length)) {
                (Some(body), Some(&END)) => (body, &rest[length + 1..]),
                (Some(_), Some(_)) => return Parsed::Wrong,
                _ => return Parsed::Begun,
            },
            None => match rest.iter().position(|byte| *byte == END) {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => return Parsed::Begun,
            },
        };
        let body = String::from_utf8_lossy(body);
        Parsed::Whole(
            Self {
                command,
                headers,
                body,
            },
            after,
        )
    }

    fn object(&self) -> String {
        let json = serde_json::from_str(&self.body).ok();
        let object = match json {
            Some(json) => serde_json::to_string(&WithJson { frame: self, json }),
            None => serde_json::to_string(self),
        };
        object.unwrap_or_default()
    }
}

/// Command and headers, and what comes after the blank line.
fn head_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let end = from + bytes[from..].iter().position(|byte| *byte == b'\n')?;
        let line = &bytes[from..end];
        if line.is_empty() || line == b"\r" {
            return Some((&bytes[..from.saturating_sub(1)], &bytes[end + 1..]));
        }
        from = end + 1;
    }
}

/// What a header's name or value says; `None` if an escape is none.
fn unescaped<'a>(command: &str, text: &'a str) -> Option<Cow<'a, str>> {
    if command == UNESCAPED || !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let (mut plain, mut letters) = (String::with_capacity(text.len()), text.chars());
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                'r' => '\r',
                'n' => '\n',
                'c' => ':',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(Cow::Owned(plain))
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\r', '\n', ':']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('\r', "\\r");
    Cow::Owned(escaped.replace('\n', "\\n").replace(':', "\\c"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Kind, Meaning, Rule, Slot};

    fn rules() -> Arc<Rules> {
        let meaning = Meaning::Event {
            kind: Kind::At("/command".to_owned()),
            content: String::new(),
            cursor: None,
            answer: None,
        };
        let rule = Rule {
            when: Vec::new(),
            meaning,
        };
        Arc::new(Rules {
            rules: vec![rule],
            ..Rules::default()
        })
    }

    /// The objects that the frames of some messages become.
    fn objects(messages: &[&[u8]]) -> Vec<String> {
        let mut codec = Stomp::new(rules());
        let mut objects = Vec::new();
        for message in messages {
            let items = codec.decode(message, &mut Vec::new());
            assert_eq!(codec.taken_by().len(), items.len());
            objects.extend(items.into_iter().map(|item| match item {
                Item::Event { payload, .. } => payload.into_owned(),
                other => format!("{other:?}"),
            }));
        }
        objects
    }

    #[track_caller]
    fn check(message: &str, expect: &[&str]) {
        assert_eq!(objects(&[message.as_bytes()]), expect, "{message:?}");
        let bytes: Vec<_> = message.as_bytes().chunks(1).collect();
        if expect != ["Heartbeat"] {
            let of_pieces = objects(&bytes);
            assert!(of_pieces.iter().filter(|item| *item != "Heartbeat").eq(expect));
        }
    }

    #[test]
    fn frames_become_objects() {
        let connected = r#"{"command":"CONNECTED","headers":{"session":"s\\n:1","version":"1.2"},"body":""}"#;
        check("CONNECTED\nversion:1.2\nsession:s\\n:1\n\n\0", &[connected]);
        check(
            "MESSAGE\r\nsubscription:1\r\nx:a\\cb\\nc\r\nx:later\r\n\r\nhello\0\n",
            &[r#"{"command":"MESSAGE","headers":{"subscription":"1","x":"a:b\nc"},"body":"hello"}"#],
        );
        check(
            "MESSAGE\ncontent-length:3\n\na\0b\0RECEIPT\nreceipt-id:7\n\n\0\n\n",
            &[
                r#"{"command":"MESSAGE","headers":{"content-length":"3"},"body":"a\u0000b"}"#,
                r#"{"command":"RECEIPT","headers":{"receipt-id":"7"},"body":""}"#,
            ],
        );
        check(
            "MESSAGE\n\n{\"id\": 1}\0",
            &[r#"{"command":"MESSAGE","headers":{},"body":"{\"id\": 1}","json":{"id": 1}}"#],
        );
        check("\n", &["Heartbeat"]);
        check("\r\n", &["Heartbeat"]);
    }

    #[test]
    fn what_is_no_frame_is_undecodable() {
        for message in [
            "MESSAGE\0",
            "MESSAGE\nno colon\n\n\0",
            "A\nx:\\t\n\n\0",
            "A\ncontent-length:1\n\nabc\0",
        ] {
            assert_eq!(objects(&[message.as_bytes()]), ["Undecodable"], "{message:?}");
        }
        assert_eq!(objects(&[b"A\n\xff:1\n\n\0"]), ["Undecodable"]);
    }

    #[test]
    fn a_frame_without_an_end_is_given_up() {
        let piece = vec![b'x'; MESSAGE_LIMIT_BYTES / 2 + 8];
        assert_eq!(objects(&[b"SEND\n\n", &piece, &piece]), ["Undecodable"]);
    }

    #[test]
    fn frames_are_ended_and_headers_escaped() {
        let encode = |frame: &str| {
            let values = Values::new().with(Slot::Thread, "a:b").with(Slot::Body, "x:\n");
            let frame = Template::parse(frame).unwrap();
            Stomp::new(rules()).encode(&frame, &values).unwrap()
        };
        let send = "SEND\ndestination:${thread}\ncontent-length:${body:bytes}\n\n${body}";
        assert_eq!(
            encode(send),
            Wire::Text("SEND\ndestination:a\\cb\ncontent-length:3\n\nx:\n\0".to_owned())
        );
        assert_eq!(encode("\n"), Wire::Text("\n".to_owned()));
        assert!(is_frame("SEND\na:b\n\nbody") && is_frame("\n"));
        assert!(!is_frame("SEND\na:b") && !is_frame("{}"));
    }

    proptest! {
        /// However the bytes are cut into messages, and whatever stands in a value.
        #[test]
        fn frames_survive(value: String, body in "[^\\x00]{0,20}", cuts in prop::collection::vec(0..200_usize, 0..4)) {
            let frame = Template::parse("SEND\nto:${thread}\ncontent-length:${body:bytes}\n\n${body}").unwrap();
            let values = Values::new().with(Slot::Thread, &value).with(Slot::Body, &body);
            let sent = Stomp::new(rules()).encode(&frame, &values).unwrap();
            let text = sent.shown();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let objects = objects(&pieces);
            let frames: Vec<_> = objects.iter().filter(|item| *item != "Heartbeat").collect();
            prop_assert_eq!(frames.len(), 1);
            let back: serde_json::Value = serde_json::from_str(frames[0]).unwrap();
            prop_assert_eq!(back["headers"]["to"].as_str(), Some(value.as_str()));
            prop_assert_eq!(back["body"].as_str(), Some(body.as_str()));
        }

        #[test]
        fn any_bytes_are_items(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = objects(&[&bytes, b"\0", &bytes]);
        }
    }
}
