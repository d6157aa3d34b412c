//! Socket.IO packets (protocol 5) over Engine.IO (protocol 4, transport WebSocket), as their specifications have them.
//!
//! Pings are answered here. Every other packet is handed to the rules as an object: `type` (`open` and `close` of the
//! transport; `connect`, `disconnect`, `event`, `ack`, `connect-error`), `namespace`, `id` if there is one, and `data`.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::rules::Reader;
use smallvec::smallvec;

use super::{Codec, Item, Items, Rules, Template, Unwritten, Values, Wire};

/// Kind of the event that a binary attachment is.
const ATTACHMENT: &str = "attachment";
/// The main namespace, which is not spelt on the wire.
const MAIN: &str = "/";

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct SocketIo {
    reader: Reader,
    /// Messages to come that are attachments of a packet that came.
    attachments: u32,
}

impl SocketIo {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            reader: Reader::new(rules, false),
            attachments: 0,
        }
    }

    fn item<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Item<'a> {
        if let Some(rest) = self.attachments.checked_sub(1) {
            self.attachments = rest;
            let attachment = Item::Event {
                kind: ATTACHMENT.into(),
                cursor: None,
                content: true,
                payload: "".into(),
            };
            return self.reader.pass(attachment);
        }
        let Ok(text) = std::str::from_utf8(message) else {
            return self.reader.pass(Item::Undecodable);
        };
        let (kind, rest) = text.split_at_checked(1).unwrap_or_default();
        let object = match kind {
            "0" => is_json(rest).then(|| format!(r#"{{"type":"open","data":{rest}}}"#)),
            "1" => Some(r#"{"type":"close"}"#.to_owned()),
            "2" => {
                back.push(Wire::Text(format!("3{rest}")));
                return self.reader.pass(Item::Heartbeat);
            }
            "3" | "5" | "6" => return self.reader.pass(Item::Heartbeat),
            "4" => Packet::parse(rest).map(|packet| {
                self.attachments = packet.attachments;
                packet.object()
            }),
            _ => None,
        };
        match object {
            Some(object) => self.reader.read(&object, back).into_owned(),
            None => self.reader.pass(Item::Undecodable),
        }
    }
}

impl Codec for SocketIo {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        self.reader.begin();
        smallvec![self.item(message, back)]
    }

    fn taken_by(&self) -> &[Option<usize>] {
        self.reader.taken()
    }

    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        Ok(Wire::Text(frame.json(values)?))
    }
}

/// Whether a text is one JSON value.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether a frame is one that could be sent: a packet whose data is JSON.
pub(crate) fn is_packet(frame: &str) -> bool {
    matches!(frame, "2" | "3")
        || frame
            .strip_prefix('4')
            .is_some_and(|rest| Packet::parse(rest).is_some())
}

/// A Socket.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet<'a> {
    kind: &'static str,
    /// Binary messages that belong to it and follow it.
    attachments: u32,
    namespace: &'a str,
    id: Option<u64>,
    /// JSON; empty if there is none.
    data: &'a str,
}

/// The kinds, by their digits; the last two are those before with attachments.
const KINDS: [&str; 7] = [
    "connect",
    "disconnect",
    "event",
    "ack",
    "connect-error",
    "event",
    "ack",
];

impl<'a> Packet<'a> {
    /// `<type>[<attachments>-][<namespace>,][<id>][<data>]`.
    fn parse(text: &'a str) -> Option<Self> {
        let (kind, mut rest) = text.split_at_checked(1)?;
        let number: usize = kind.parse().ok()?;
        let mut attachments = 0;
        if number >= 5 {
            let (count, after) = rest.split_once('-')?;
            (attachments, rest) = (count.parse().ok()?, after);
        }
        let mut namespace = MAIN;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        let packet = Self {
            kind: KINDS.get(number)?,
            attachments,
            namespace,
            id: if id.is_empty() {
                None
            } else {
                Some(id.parse().ok()?)
            },
            data,
        };
        (data.is_empty() || is_json(data)).then_some(packet)
    }

    fn object(&self) -> String {
        let namespace = serde_json::to_string(self.namespace).unwrap_or_default();
        let id = self.id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
        let data = match self.data {
            "" => String::new(),
            data => format!(r#","data":{data}"#),
        };
        format!(r#"{{"type":"{}","namespace":{namespace}{id}{data}}}"#, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Condition, Correlation, Kind, Meaning, Rule, Slot, Whose};

    fn rule(when: &[(&str, &str)], meaning: Meaning) -> Rule {
        let when = when
            .iter()
            .map(|(pointer, is)| ((*pointer).to_owned(), Condition::Is((*is).to_owned())));
        Rule {
            when: when.collect(),
            meaning,
        }
    }

    /// A service whose acknowledgements hold an error, or null, and a result.
    fn rules() -> Arc<Rules> {
        let whose = Correlation {
            id: Some(("/id".to_owned(), String::new())),
            ..Correlation::default()
        };
        let mut refused = rule(
            &[("/type", "ack")],
            Meaning::Error {
                whose: whose.clone(),
                code: "/data/0/name".to_owned(),
            },
        );
        refused.when.push(("/data/0".to_owned(), Condition::Present));
        let event = |kind: &str, content: &str| Meaning::Event {
            kind: Kind::At(kind.to_owned()),
            content: content.to_owned(),
            cursor: None,
            answer: None,
        };
        Arc::new(Rules {
            rules: vec![
                refused,
                rule(
                    &[("/type", "ack")],
                    Meaning::Reply {
                        whose,
                        content: "/data/1".to_owned(),
                    },
                ),
                rule(&[("/type", "event")], event("/data/0", "/data/1")),
                rule(&[], event("/type", "/data")),
            ],
            ..Rules::default()
        })
    }

    #[track_caller]
    fn check(message: &str, expect: Item<'_>) {
        let items = SocketIo::new(rules()).decode(message.as_bytes(), &mut Vec::new());
        assert_eq!(items[..], [expect], "{message}");
    }

    fn event<'a>(kind: &'a str, payload: &'a str) -> Item<'a> {
        Item::Event {
            kind: kind.into(),
            cursor: None,
            content: true,
            payload: payload.into(),
        }
    }

    fn reply<'a>(step: history::Step, code: Option<&'a str>, payload: &'a str) -> Item<'a> {
        Item::Reply {
            whose: Whose::Id("7".into()),
            step,
            text: None,
            code: code.map(Into::into),
            payload: payload.into(),
        }
    }

    #[test]
    fn every_packet() {
        check(
            r#"0{"sid":"a","pingInterval":25000}"#,
            event("open", r#"{"sid":"a","pingInterval":25000}"#),
        );
        check(r#"40{"sid":"b"}"#, event("connect", r#"{"sid":"b"}"#));
        check("41", event("disconnect", ""));
        check(
            r#"44{"message":"no"}"#,
            event("connect-error", r#"{"message":"no"}"#),
        );
        check(r#"42["made",{"id":1}]"#, event("made", r#"{"id":1}"#));
        check(r#"42/admin,["made",{"id":1}]"#, event("made", r#"{"id":1}"#));
        check(
            r#"437[null,{"id":1}]"#,
            reply(history::Step::Done, None, r#"{"id":1}"#),
        );
        check(
            r#"43/admin,7[{"name":"Forbidden"}]"#,
            reply(history::Step::Error, Some("Forbidden"), ""),
        );
        check("1", event("close", ""));
        check("6", Item::Heartbeat);
    }

    #[test]
    fn pings_are_answered() {
        let mut back = Vec::new();
        let items = SocketIo::new(rules()).decode(b"2probe", &mut back);
        assert_eq!(
            (items, back),
            (smallvec![Item::Heartbeat], vec![Wire::Text("3probe".to_owned())])
        );
    }

    #[test]
    fn attachments_belong_to_their_packet() {
        let mut codec = SocketIo::new(rules());
        let mut decode = |message: &[u8]| format!("{:?}", codec.decode(message, &mut Vec::new()));
        let packet = decode(br#"452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
        assert!(packet.contains("\"file\""), "{packet}");
        assert!(decode(b"\xff\x00").contains(ATTACHMENT));
        assert!(decode(b"42[\"looks like one\"]").contains(ATTACHMENT));
        assert!(decode(b"42[\"made\",{}]").contains("\"made\""));
    }

    #[test]
    fn what_is_no_packet_is_undecodable() {
        for message in [
            "",
            "4",
            "7",
            "4x",
            "42[",
            "45[\"no count\"]",
            "49",
            "0{",
            "42[] x",
            "é",
        ] {
            check(message, Item::Undecodable);
        }
        let items = SocketIo::new(rules());
        assert_eq!(
            items.clone().decode(b"\xff", &mut Vec::new())[..],
            [Item::Undecodable]
        );
    }

    #[test]
    fn frames_are_sent_as_they_are_written() {
        let frame = Template::parse(r#"42${id:bare}["create",{"text":${body}}]"#).unwrap();
        let values = Values::new().with(Slot::Id, "7").with(Slot::Body, "a\"b");
        let sent = SocketIo::new(rules()).encode(&frame, &values).unwrap();
        assert_eq!(sent, Wire::Text(r#"427["create",{"text":"a\"b"}]"#.to_owned()));
        assert!(is_packet("40") && is_packet(r#"40{"token":"t"}"#) && is_packet(r#"427["a"]"#));
        assert!(!is_packet("") && !is_packet("42x") && !is_packet(r#"["a"]"#));
    }

    proptest! {
        #[test]
        fn packets_survive(
            number in 0..7_usize, attachments in 0..9_u32, namespace in "(/[a-z]{0,5})?", id: Option<u32>,
            data in proptest::option::of("[ -~é]{0,20}"),
        ) {
            let data = data.map(|text| serde_json::to_string(&[text]).unwrap()).unwrap_or_default();
            let count = if number >= 5 { format!("{attachments}-") } else { String::new() };
            let namespace_and_comma = if namespace.is_empty() { String::new() } else { format!("{namespace},") };
            let digits = id.map(|id| id.to_string()).unwrap_or_default();
            let text = format!("{number}{count}{namespace_and_comma}{digits}{data}");
            let packet = Packet::parse(&text).unwrap();
            prop_assert_eq!(packet.kind, KINDS[number]);
            prop_assert_eq!(packet.attachments, if number >= 5 { attachments } else { 0 });
            prop_assert_eq!(packet.namespace, if namespace.is_empty() { MAIN } else { &namespace });
            prop_assert_eq!((packet.id, packet.data), (id.map(u64::from), data.as_str()));
            prop_assert!(is_json(&packet.object()));
        }

        #[test]
        fn any_bytes_are_one_item(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[0-6]{0,3}[\\[\\]{}\",/a-z0-9-]{0,20}") {
            let mut codec = SocketIo::new(rules());
            for message in [&bytes[..], text.as_bytes()] {
                prop_assert_eq!(codec.decode(message, &mut Vec::new()).len(), 1);
                prop_assert_eq!(codec.taken_by().len(), 1);
            }
        }
    }
}
