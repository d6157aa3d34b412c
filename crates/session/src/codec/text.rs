//! Plain text, taken to pieces by regular expressions: a message is one, or holds lines, each of which may announce how many
//! bytes follow it.
//!
//! What a pattern matches is handed to the rules as an object: `text`, all of it; each named group of the pattern that took part,
//! as a text; and `payload`, the bytes that a group named `length` has announced.

use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

use super::rules::Reader;
use smallvec::smallvec;

use super::{Codec, Item, Items, Rules, Template, Unwritten, Values, Wire};
use crate::limits::MESSAGE_LIMIT_BYTES;

/// The group that says how many bytes follow the line, before its end is said once more.
pub const LENGTH: &str = "length";

/// How text is taken to pieces.
#[derive(Clone, Debug)]
pub struct Lines {
    /// What ends a line, and a payload; `None` if a message is one text.
    pub ends: Option<String>,
    /// Whether what is sent goes as binary messages.
    pub binary: bool,
    /// The first that matches gives the names; a text that none matches has none.
    pub patterns: Vec<Regex>,
}

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct Text {
    lines: Arc<Lines>,
    reader: Reader,
    /// What has come of a line, or of its payload, that is not whole.
    begun: Vec<u8>,
}

impl Text {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(lines: Arc<Lines>, rules: Arc<Rules>) -> Self {
        Self {
            reader: Reader::new(rules, lines.binary),
            lines,
            begun: Vec::new(),
        }
    }

    fn item(&mut self, line: &[u8], payload: Option<&[u8]>, back: &mut Vec<Wire>) -> Item<'static> {
        match std::str::from_utf8(line) {
            Ok(text) => {
                let object = self.lines.object(text, payload);
                self.reader.read(&object, back).into_owned()
            }
            Err(_) => self.reader.pass(Item::Undecodable),
        }
    }
}

impl Codec for Text {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        self.reader.begin();
        if let Some(heartbeat) = self.reader.heartbeat(message, back) {
            return smallvec![heartbeat];
        }
        let lines = Arc::clone(&self.lines);
        let Some(end) = &lines.ends else {
            return smallvec![self.item(message, None, back)];
        };
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(message);
        let (mut items, mut rest) = (Items::new(), &all[..]);
        while !rest.is_empty() {
            match lines.split(rest, end.as_bytes()) {
                Split::Whole { line, payload, after } => {
                    items.push(self.item(line, payload, back));
                    rest = after;
                }
                Split::Begun if rest.len() <= MESSAGE_LIMIT_BYTES => {
                    self.begun = rest.to_vec();
                    break;
                }
                Split::Begun | Split::Wrong => {
                    items.push(self.reader.pass(Item::Undecodable));
                    break;
                }
            }
        }
        items
    }

    fn taken_by(&self) -> &[Option<usize>] {
        self.reader.taken()
    }

    /// The text, values in it as they are.
    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        let text = frame.written(values, String::push_str)?;
        Ok(Wire::new(text, self.lines.binary))
    }
}

/// The first line of some bytes.
enum Split<'a> {
    /// The line without its end, what it announced, and what comes after.
    Whole {
        line: &'a [u8],
        payload: Option<&'a [u8]>,
        after: &'a [u8],
    },
    /// Not all of it has come.
    Begun,
    /// What it announced does not end where it should.
    Wrong,
}

impl Lines {
    fn split<'a>(&self, bytes: &'a [u8], end: &[u8]) -> Split<'a> {
        let Some(at) = memchr::memmem::find(bytes, end) else {
            return Split::Begun;
        };
        let (line, after) = (&bytes[..at], &bytes[at + end.len()..]);
        let Some(length) = self.announced(line) else {
            return Split::Whole {
                line,
                payload: None,
                after,
            };
        };
        let Some((payload, rest)) = after.split_at_checked(length) else {
            return Split::Begun;
        };
        match rest.strip_prefix(end) {
            Some(after) => Split::Whole {
                line,
                payload: Some(payload),
                after,
            },
            None if end.starts_with(rest) => Split::Begun,
            None => Split::Wrong,
        }
    }

    /// How many bytes a line says will follow it.
    fn announced(&self, line: &[u8]) -> Option<usize> {
        let line = std::str::from_utf8(line).ok()?;
        let found = self.patterns.iter().find_map(|pattern| pattern.captures(line))?;
        found.name(LENGTH)?.as_str().parse().ok()
    }

    fn object(&self, text: &str, payload: Option<&[u8]>) -> String {
        let mut members = Map::new();
        let found = self
            .patterns
            .iter()
            .find_map(|pattern| Some((pattern, pattern.captures(text)?)));
        if let Some((pattern, groups)) = found {
            let named = pattern.capture_names().flatten();
            let named = named.filter_map(|name| Some((name, groups.name(name)?.as_str())));
            members.extend(named.map(|(name, value)| (name.to_owned(), Value::from(value))));
        }
        if let Some(payload) = payload {
            let payload = String::from_utf8_lossy(payload);
            members.insert("payload".to_owned(), Value::from(payload));
        }
        members.insert("text".to_owned(), Value::from(text));
        Value::Object(members).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Condition, Correlation, Heartbeat, Kind, Meaning, Order, Rule, Slot, Whose};

    fn rules() -> Arc<Rules> {
        let rule = |pointer: &str, condition, meaning| Rule {
            when: vec![(pointer.to_owned(), condition)],
            meaning,
        };
        let is = |text: &str| Condition::Is(text.to_owned());
        let oldest = |fenced| Correlation {
            oldest: true,
            fenced,
            ..Correlation::default()
        };
        let event = Meaning::Event {
            kind: Kind::Named("event".to_owned()),
            content: String::new(),
            cursor: None,
            answer: None,
        };
        let answer = Some("PONG\r\n".to_owned());
        Arc::new(Rules {
            rules: vec![
                rule("/word", is("PING"), Meaning::Heartbeat { answer }),
                rule(
                    "/word",
                    is("PONG"),
                    Meaning::Reply {
                        whose: oldest(false),
                        content: String::new(),
                    },
                ),
                rule(
                    "/error",
                    Condition::Present,
                    Meaning::Error {
                        whose: oldest(true),
                        code: "/error".to_owned(),
                    },
                ),
                rule("/text", Condition::Present, event),
            ],
            heartbeats: vec![Heartbeat {
                message: "\r\n".to_owned(),
                answer: None,
            }],
            ..Rules::default()
        })
    }

    /// Lines as NATS has them.
    fn lines(ends: Option<&str>) -> Arc<Lines> {
        let patterns = [
            r"^MSG (?<subject>\S+) (?<sid>\S+) (?:\S+ )?(?<length>\d+)$",
            r"^-ERR '(?<error>.*)'$",
            r"^(?<word>PING|PONG)$",
        ];
        Arc::new(Lines {
            ends: ends.map(str::to_owned),
            binary: true,
            patterns: patterns.map(|pattern| Regex::new(pattern).unwrap()).to_vec(),
        })
    }

    fn codec() -> Text {
        Text::new(lines(Some("\r\n")), rules())
    }

    /// What some messages are taken for, and what is sent back.
    fn taken(mut codec: Text, messages: &[&[u8]]) -> (Vec<String>, Vec<Wire>) {
        let (mut told, mut back) = (Vec::new(), Vec::new());
        for message in messages {
            let items = codec.decode(message, &mut back);
            assert_eq!(codec.taken_by().len(), items.len());
            told.extend(items.into_iter().map(|item| match item {
                Item::Event { payload, .. } => payload.into_owned(),
                Item::Reply {
                    whose, step, code, ..
                } => {
                    format!("{whose:?} {step:?} {}", code.unwrap_or_default())
                }
                other => format!("{other:?}"),
            }));
        }
        (told, back)
    }

    #[track_caller]
    fn check(message: &str, expect: &[&str]) {
        assert_eq!(taken(codec(), &[message.as_bytes()]).0, expect, "{message:?}");
        let pieces: Vec<_> = message.as_bytes().chunks(1).collect();
        assert_eq!(taken(codec(), &pieces).0, expect, "{message:?}, byte by byte");
    }

    #[test]
    fn lines_with_and_without_payloads() {
        let message = r#"{"length":"4","payload":"a\r\nb","sid":"1","subject":"u.a","text":"MSG u.a 1 4"}"#;
        check("MSG u.a 1 4\r\na\r\nb\r\n", &[message]);
        check(
            "-ERR 'Permissions Violation'\r\nPONG\r\nMSG u.a 1 4\r\na\r\nb\r\n",
            &[
                "OldestFenced Error Permissions Violation",
                "Oldest Done ",
                message,
            ],
        );
        check("hello\r\n", &[r#"{"text":"hello"}"#]);
        let (_, back) = taken(codec(), &[b"PING\r\n"]);
        assert_eq!(back, [Wire::Binary(b"PONG\r\n".to_vec())]);
        assert_eq!(rules().by_order(), Order::Strict);
        assert_eq!(taken(codec(), &[b"\r\n"]).0, ["Heartbeat"]);
    }

    #[test]
    fn a_message_may_be_one_text() {
        let codec = Text::new(lines(None), rules());
        let (told, _) = taken(codec, &[b"PONG", b"two\r\nlines", b"\xff"]);
        assert_eq!(
            told,
            ["Oldest Done ", r#"{"text":"two\r\nlines"}"#, "Undecodable"]
        );
    }

    #[test]
    fn what_is_not_as_announced_is_undecodable() {
        let (told, _) = taken(
            codec(),
            &[b"MSG u.a 1 2\r\nabc\r\n", b"PONG\r\n", b"\xff\r\nPONG\r\n"],
        );
        assert_eq!(
            told,
            ["Undecodable", "Oldest Done ", "Undecodable", "Oldest Done "]
        );
        let piece = vec![b'x'; MESSAGE_LIMIT_BYTES / 2 + 1];
        assert_eq!(taken(codec(), &[&piece, &piece]).0, ["Undecodable"]);
    }

    #[test]
    fn whose_is_the_oldest() {
        let mut codec = codec();
        let items = codec.decode(b"PONG\r\n", &mut Vec::new());
        assert!(matches!(
            items[..],
            [Item::Reply {
                whose: Whose::Oldest,
                ..
            }]
        ));
    }

    proptest! {
        /// However the bytes are cut into messages, and whatever stands in a payload.
        #[test]
        fn payloads_survive(body: String, cuts in prop::collection::vec(0..200_usize, 0..4)) {
            let frame = Template::parse("MSG ${thread:bare} 1 ${body:bytes}\r\n${body:bare}\r\n").unwrap();
            let values = Values::new().with(Slot::Thread, "u.a").with(Slot::Body, &body);
            let Wire::Binary(bytes) = codec().encode(&frame, &values).unwrap() else {
                panic!("binary")
            };
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                // a piece that is a line end and nothing else would be proof of life
                if &bytes[from..cut] != b"\r\n" {
                    pieces.push(&bytes[from..cut]);
                    from = cut;
                }
            }
            if from < bytes.len() {
                return Ok(());
            }
            let (told, _) = taken(codec(), &pieces);
            prop_assert_eq!(told.len(), 1);
            let back: serde_json::Value = serde_json::from_str(&told[0]).unwrap();
            prop_assert_eq!(back["payload"].as_str(), Some(body.as_str()));
        }

        #[test]
        fn any_bytes_are_items(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = taken(codec(), &[&bytes, b"\r\n", &bytes]);
        }
    }
}
