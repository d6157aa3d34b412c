//! The session's codecs, templates and JSON pointers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use session::codec::{Chat, Codec, Envelope, Item, Slot, Template, Values};
use session::fuzzing::pick;

const POINTERS: [&str; 7] = ["", "/", "/a", "/thread_id", "/messages/-1/seq", "/a~1b/0", "/data/user_id"];

fuzz_target!(|data: &[u8]| {
    for envelope in [Envelope::ByMember, Envelope::ByType] {
        decode(envelope, data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    pointers(text);
    template(text);
});

/// A message is one item; what is given out stands in the message.
fn decode(envelope: Envelope, data: &[u8]) {
    let mut back = Vec::new();
    let items = Chat::new(envelope).decode(data, &mut back);
    assert!(back.is_empty() && items.len() == 1);
    let payload = match &items[0] {
        Item::Undecodable | Item::Heartbeat => return,
        Item::Reply { payload, .. } | Item::Event { payload, .. } => payload,
    };
    let text = std::str::from_utf8(data).expect("what is no UTF-8 is not decoded");
    assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
    assert!(payload.is_empty() || text.contains(&**payload));
    for pointer in POINTERS {
        let _ = pick(payload, pointer);
    }
}

/// What a pointer finds is no longer than the text, and is what a tree of the text has there.
fn pointers(text: &str) {
    for pointer in POINTERS {
        let found = pick(text, pointer);
        assert!(found.as_ref().is_none_or(|found| found.len() <= text.len()));
    }
    let Ok(serde_json::Value::Object(members)) = serde_json::from_str(text) else { return };
    if let (Some(serde_json::Value::String(value)), 1) = (members.get("a"), text.matches("\"a\"").count()) {
        assert_eq!(pick(text, "/a").as_ref(), Some(value));
    }
}

/// Any text survives a slot; any text is a template or is refused.
fn template(text: &str) {
    let frame = Template::parse("{\"id\":${id},\"body\":${body}}").expect("a template");
    let values = Values::new().with(Slot::Id, text).with(Slot::Body, text);
    let json = frame.json(&values).expect("all slots have values");
    let back: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((back["id"].as_str(), back["body"].as_str()), (Some(text), Some(text)));
    let Ok(template) = Template::parse(text) else { return };
    let full = template.slots().fold(Values::new(), |values, slot| values.with(slot, "1"));
    template.json(&full).expect("all slots have values");
}
