//! Binary frames, laid out field by field: one a message, or, where their head says how long they are, several a message and one over
//! several messages.
//!
//! Each is handed to the rules as the object that [`Layout`] makes of it, and is sent as such an object.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use super::layout::Read;
use super::rules::Reader;
use super::{Codec, Item, Items, Layout, Rules, Template, Unwritten, Values, Wire};
use crate::limits::MESSAGE_LIMIT_BYTES;

/// Frames that are taken out of one message; what comes after them is not understood.
pub const FRAMES_MAX: usize = 65_536;

/// The codec of one connection.
#[derive(Clone, Debug)]
pub struct Binary {
    layout: Arc<Layout>,
    reader: Reader,
    /// What has come of a frame that is not whole.
    begun: Vec<u8>,
    /// Bytes that it has at least.
    needed: usize,
    /// The last message, behind what had come before of its first frame; empty if nothing had.
    joined: Vec<u8>,
    /// Bytes of that, or of the last message, up to the end of its last frame.
    read: usize,
}

impl Binary {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(layout: Arc<Layout>, rules: Arc<Rules>) -> Self {
        Self {
            layout,
            reader: Reader::new(rules, false),
            begun: Vec::new(),
            needed: 0,
            joined: Vec::new(),
            read: 0,
        }
    }

    /// The items of the frames that are whole; what is left of `bytes`, a frame that has begun.
    fn items<'a, 'b>(&mut self, bytes: &'b [u8], back: &mut Vec<Wire>) -> (Items<'a>, &'b [u8]) {
        let layout = Arc::clone(&self.layout);
        let (mut items, mut rest) = (Items::new(), bytes);
        self.needed = 0;
        while items.len() < FRAMES_MAX {
            match layout.read(rest) {
                Read::Whole { object, after } => {
                    items.push(match object {
                        Some(object) => self.reader.read(&object, back).into_owned(),
                        None => self.reader.pass(Item::Undecodable),
                    });
                    rest = after;
                }
                Read::Begun(needed) if needed <= MESSAGE_LIMIT_BYTES => {
                    self.needed = needed;
                    return (items, rest);
                }
                Read::Begun(_) | Read::Wrong => break,
            }
            if rest.is_empty() {
                return (items, rest);
            }
        }
        items.push(self.reader.pass(Item::Undecodable));
        (items, &[])
    }
}

impl Codec for Binary {
    fn decode<'a>(&mut self, message: &'a [u8], back: &mut Vec<Wire>) -> Items<'a> {
        self.reader.begin();
        let from = back.len();
        self.joined = Vec::new();
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(message);
            self.read = 0;
            // so that a frame that comes byte by byte is read once
            if self.begun.len() < self.needed {
                return Items::new();
            }
            self.joined = std::mem::take(&mut self.begun);
        }
        let joined = std::mem::take(&mut self.joined);
        let bytes = if joined.is_empty() { message } else { &joined };
        let (items, rest) = self.items(bytes, back);
        self.read = bytes.len() - rest.len();
        self.begun = rest.to_vec();
        self.joined = joined;
        let answers = back.split_off(from);
        back.extend(answers.iter().filter_map(|answer| match answer {
            // what is said back may be too large for its field
            Wire::Text(object) => self.layout.write(object).ok().map(Wire::Binary),
            Wire::Binary(_) => None,
        }));
        items
    }

    fn taken_by(&self) -> &[Option<usize>] {
        self.reader.taken()
    }

    fn whole<'a>(&'a self, message: &'a [u8]) -> &'a [u8] {
        let bytes = if self.joined.is_empty() {
            message
        } else {
            &self.joined
        };
        bytes.get(..self.read).unwrap_or_default()
    }

    fn unfinished(&self) -> &[u8] {
        &self.begun
    }

    fn names_bytes(&self) -> bool {
        true
    }

    fn encode(&self, frame: &Template, values: &Values) -> Result<Wire, Unwritten> {
        Ok(Wire::Binary(self.layout.write(&frame.json(values)?)?))
    }

    /// The objects of its frames; what is none as it is, with escapes.
    fn shown<'a>(&self, message: &'a [u8]) -> Cow<'a, str> {
        let (mut text, mut rest) = (String::new(), message);
        while !rest.is_empty() {
            if !text.is_empty() {
                text.push(' ');
            }
            match self.layout.read(rest) {
                Read::Whole {
                    object: Some(object),
                    after,
                } => {
                    text.push_str(&object);
                    rest = after;
                }
                _ => {
                    // writing to a string cannot fail
                    let _ = write!(text, "{}", rest.escape_ascii());
                    break;
                }
            }
        }
        Cow::Owned(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{
        Condition, Correlation, Extent, Field, Form, Integer, Kind, Meaning, Measure, Measured, Packet, Rule,
        Slot, Whose,
    };

    fn field(name: Option<&str>, form: Form) -> Field {
        Field {
            name: name.map(str::to_owned),
            form,
            is: None,
            default: None,
            optional: false,
        }
    }

    /// A length, a kind, an id and a text; `stream` if a message may hold several.
    fn layout(stream: bool) -> Arc<Layout> {
        let measure = Measure {
            of: Measured::Rest,
            plus: 0,
        };
        let length = field(None, Form::Measure(Integer::Bits(16), measure));
        let head = [length, field(Some("kind"), Form::Number(Integer::Bits(8)))];
        let packet = |name: &str, kind, fields| Packet {
            name: name.to_owned(),
            when: vec![("kind".to_owned(), kind)],
            fields,
        };
        let text = || field(Some("text"), Form::Text(Extent::Rest));
        let id = || field(Some("id"), Form::Number(Integer::Bits(32)));
        Arc::new(Layout {
            head: head.into_iter().skip(usize::from(!stream)).collect(),
            packets: vec![
                packet("answer", 1, vec![id(), text()]),
                packet("push", 2, vec![text()]),
                packet("ping", 3, vec![]),
                packet("pong", 4, vec![text()]),
            ],
        })
    }

    fn rules() -> Arc<Rules> {
        let rule = |packet: &str, meaning| Rule {
            when: vec![("/packet".to_owned(), Condition::Is(packet.to_owned()))],
            meaning,
        };
        let whose = Correlation {
            id: Some(("/id".to_owned(), String::new())),
            ..Correlation::default()
        };
        let reply = Meaning::Reply {
            whose,
            content: "/text".to_owned(),
        };
        let event = Meaning::Event {
            kind: Kind::At("/packet".to_owned()),
            content: "/text".to_owned(),
            cursor: None,
            answer: None,
        };
        let answer = Some(r#"{"packet":"pong","text":"hi"}"#.to_owned());
        Arc::new(Rules {
            rules: vec![
                rule("answer", reply),
                rule("push", event),
                rule("ping", Meaning::Heartbeat { answer }),
            ],
            ..Rules::default()
        })
    }

    /// What some messages are taken for.
    fn taken(stream: bool, messages: &[&[u8]]) -> Vec<String> {
        let mut codec = Binary::new(layout(stream), rules());
        let (mut told, mut whole) = (Vec::new(), Vec::new());
        for message in messages {
            let items = codec.decode(message, &mut Vec::new());
            assert_eq!(codec.taken_by().len(), items.len());
            whole.extend_from_slice(codec.whole(message));
            told.extend(items.into_iter().map(|item| match item {
                Item::Reply {
                    whose: Whose::Id(id),
                    payload,
                    ..
                } => format!("{id} {payload}"),
                Item::Event { kind, payload, .. } => format!("{kind} {payload}"),
                other => format!("{other:?}"),
            }));
        }
        // nothing is lost, and nothing comes twice
        whole.extend_from_slice(codec.unfinished());
        assert_eq!(whole, messages.concat());
        told
    }

    const FRAMES: &[u8] = b"\x00\x07\x01\x00\x00\x00\x07hi\x00\x01\x03\x00\x02\x02x";

    #[test]
    fn frames_come_several_in_a_message_and_one_over_several() {
        let expect = ["7 \"hi\"", "Heartbeat", "push \"x\""];
        assert_eq!(taken(true, &[FRAMES]), expect);
        let pieces: Vec<_> = FRAMES.chunks(1).collect();
        assert_eq!(taken(true, &pieces), expect);
        assert_eq!(taken(true, &[&FRAMES[..11], b"", &FRAMES[11..]]), expect);
    }

    #[test]
    fn without_a_measure_a_message_is_a_frame() {
        assert_eq!(
            taken(false, &[b"\x01\x00\x00\x00\x07hi", b"\x03", b"\x02"]),
            ["7 \"hi\"", "Heartbeat", "push \"\""]
        );
        assert_eq!(taken(false, &[b"", b"\x03\x03", b"\x01\x00"]), ["Undecodable"; 3]);
    }

    #[test]
    fn what_is_no_frame_is_undecodable_and_the_next_is_read() {
        assert_eq!(
            taken(true, &[b"\x00\x01\x09\x00\x01\x03"]),
            ["Undecodable", "Heartbeat"]
        );
        assert_eq!(
            taken(true, &[b"\x00\x00", b"\x00\x01\x03"]),
            ["Undecodable", "Heartbeat"]
        );
    }

    #[test]
    fn a_message_holds_no_more_frames_than_it_may() {
        let pings = b"\x00\x01\x03".repeat(FRAMES_MAX + 2);
        let mut codec = Binary::new(layout(true), rules());
        let (mut back, items) = (Vec::new(), FRAMES_MAX);
        let told = codec.decode(&pings, &mut back);
        assert_eq!(
            (told.len(), back.len(), told.last()),
            (items + 1, items, Some(&Item::Undecodable))
        );
        assert_eq!(codec.decode(b"\x00\x01\x03", &mut back)[..], [Item::Heartbeat]);
    }

    #[test]
    fn a_frame_that_comes_in_pieces_is_kept_once() {
        let mut codec = Binary::new(layout(true), rules());
        for piece in [&b"\xff"[..], b"\xff\x02", b"abc"] {
            assert!(codec.decode(piece, &mut Vec::new()).is_empty());
        }
        assert_eq!((codec.begun.len(), codec.needed), (6, 2 + 0xffff));
    }

    #[test]
    fn what_is_sent_is_written_as_it_is_shown() {
        let codec = Binary::new(layout(true), rules());
        let frame = Template::parse(r#"{"packet":"answer","id":${id},"text":${body}}"#).unwrap();
        let values = Values::new().with(Slot::Id, "7").with(Slot::Body, "a\"b");
        let Ok(Wire::Binary(sent)) = codec.encode(&frame, &values) else {
            panic!("a frame")
        };
        assert_eq!(sent, b"\x00\x08\x01\x00\x00\x00\x07a\"b");
        assert_eq!(codec.shown(&sent), r#"{"packet":"answer","id":7,"text":"a\"b"}"#);
        assert_eq!(
            codec.shown(b"\x00\x01\x03\x00\x05\xff"),
            r#"{"packet":"ping"} \x00\x05\xff"#
        );
        let mut back = Vec::new();
        Binary::new(layout(true), rules()).decode(b"\x00\x01\x03", &mut back);
        assert_eq!(back, [Wire::Binary(b"\x00\x03\x04hi".to_vec())]);
        let values = values.with(Slot::Id, "4294967296");
        let why = "`id` of `answer` is too large, at most 4294967295";
        assert_eq!(codec.encode(&frame, &values).unwrap_err().to_string(), why);
        let missing = codec.encode(&frame, &Values::new()).unwrap_err();
        assert_eq!(missing.to_string(), r#"no value for slot "id" of the frame"#);
    }

    proptest! {
        /// However the bytes are cut into messages.
        #[test]
        fn cuts_do_not_matter(texts in prop::collection::vec(".{0,9}", 1..4), size in 1..40_usize) {
            let frame = |text: &String| layout(true).write(&serde_json::json!({"packet": "push", "text": text}).to_string()).unwrap();
            let frames: Vec<u8> = texts.iter().flat_map(frame).collect();
            let expect: Vec<_> = texts.iter().map(|text| format!("push {}", serde_json::json!(text))).collect();
            let pieces: Vec<_> = frames.chunks(size).collect();
            prop_assert_eq!(taken(true, &pieces), expect);
        }

        #[test]
        fn any_bytes_are_items(bytes in prop::collection::vec(any::<u8>(), 0..60), stream: bool) {
            let _ = taken(stream, &[&bytes, b"\0", &bytes]);
        }
    }
}
