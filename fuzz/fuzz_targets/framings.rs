//! The framings of target profiles: whatever comes is taken to pieces in bounded many, lines and binary frames are the same however they
//! are cut, none of their bytes is lost, and what binary frames are shown as is what makes them; and
//! whatever is taken for a profile is one, or is told what is wrong with it in a line that it has.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use session::codec::{Framing, Item};
use session::profile::{ProfileError, TargetFile};

/// A profile, but for its framing.
const PROFILE: &str = include_str!("../../xtask/targets/notes.toml");

static FRAMINGS: LazyLock<[Framing; 9]> = LazyLock::new(|| {
    let ruled = r#"{ rules = [
        { when = { "/type" = "event" }, event = { kind = "/data/0", content = "/data/1" } },
        { when = { "/error" = true }, error = { id = "/id", code = "/error" } },
        { when = { "/p" = { begins = "x" } }, piece = { id = "/id", prefix = "s", text = "/p" } },
        { when = { "/ping" = true }, heartbeat = { answer = "pong" } },
        { when = { "/a" = { null = true } }, ack = { id = "/id" } },
        { reply = { id = "/id", content = "/data" } },
    ] }"#;
    let lines = r#"{ ends = "\n", patterns = ['^MSG (?<length>\d+)$', '^-(?<error>.+)$'], rules = [
        { when = { "/error" = true }, error = { oldest = true, code = "/error" } },
        { when = { "/payload" = true }, event = { named = "message", content = "/payload" } },
        { reply = { oldest = true } },
    ] }"#;
    let binary = r#"{ HEAD packets = [
        { name = "say", when = { kind = 0 }, fields = [{ name = "id", type = "u16le" }, { name = "text", type = "text" }] },
        { name = "told", when = { kind = 1 }, fields = [
            { type = "varint", measures = "text", plus = 1 }, { name = "to", type = "text", length = "zero" },
            { name = "key", type = "bytes", length = 3 }, { name = "text", type = "text" }, { name = "more", type = "u64", optional = true },
        ] },
        { name = "ping", when = { kind = 2, flags = 1 } },
    ], rules = [
        { when = { "/packet" = "ping" }, heartbeat = { answer = '{"packet":"say","id":1,"text":""}' } },
        { when = { "/packet" = "told" }, event = { named = "told", content = "" } },
        { reply = { id = "/id" } },
    ] }"#;
    let kind = r#"{ name = "kind", type = "u3" }, { name = "flags", type = "u5", default = 1 }"#;
    let stream = format!(r#"head = [{kind}, {{ type = "varint", measures = "all" }}],"#);
    let known = "{}";
    [
        framing("text", lines),
        framing("binary", &binary.replace("HEAD", &stream)),
        framing("mqtt", known),
        framing("binary", &binary.replace("HEAD", &format!("head = [{kind}],"))),
        framing("json", ruled),
        framing("socket-io", ruled),
        framing("stomp", ruled),
        framing("wamp", known),
        framing("graphql-transport-ws", known),
    ]
});

fn framing(name: &str, table: &str) -> Framing {
    let (before, rest) = PROFILE.split_once("[dialect.framing.json]").expect("a framing");
    let (_, ops) = rest.split_once("[dialect.ops]").expect("ops");
    let mut file = format!("{before}framing = {{ {name} = {table} }}\n[dialect.ops]{ops}");
    // their requests look different; what comes is what is tried here
    let frame = match name {
        "stomp" => Some(r#""SEND\nreceipt:${id}\n\n${body}""#),
        "socket-io" => Some(r#"'42${id:bare}["x",${body}]'"#),
        "binary" => Some(r#"'{"packet":"say","id":${id:u16},"text":${body}}'"#),
        "mqtt" => Some(r#"'{"packet":"publish-1","id":${id:u16},"topic":"","payload":${body}}'"#),
        _ => None,
    };
    if let Some(frame) = frame {
        let (before, after) = file.split_once("[dialect.ops]").expect("ops");
        let (_, unseen) = after.split_once("[unseen]").expect("what is unseen");
        file = format!(
            "{before}[dialect.ops]\npost = {{ frame = {frame} }}\n\n[unseen]{unseen}\nwho-am-i = \"x\"\nthreads = \"x\"\n"
        );
        file = file.replace("find-thread = ", "# ").replace("subscribe-thread = ", "# ");
    }
    let target = TargetFile::parse("fuzz.toml", &file, Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    target.profile.dialects[0].framing.clone()
}

fuzz_target!(|data: &[u8]| {
    for framing in &*FRAMINGS {
        let (mut codec, mut back) = (framing.codec(), Vec::new());
        let items = codec.decode(data, &mut back).len();
        assert!(items <= data.len() + 1 && back.len() <= items);
        assert_eq!(codec.taken_by().len(), items);
        let whole = [codec.whole(data), codec.unfinished()].concat();
        assert!(whole == data);
    }
    FRAMINGS[..3].iter().for_each(|framing| cut(framing, data));
    FRAMINGS[1..4].iter().for_each(|framing| written(framing, data));
    if let Ok(text) = std::str::from_utf8(data) {
        profile(text);
    }
});

/// Lines are the same however their messages are cut.
fn cut(framing: &Framing, data: &[u8]) {
    let decode = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Vec<Item<'static>> {
        let mut codec = framing.codec();
        let mut items = Vec::new();
        for piece in pieces {
            let came = codec.decode(piece, &mut Vec::new());
            items.extend(came.into_iter().map(Item::into_owned));
        }
        items
    };
    let whole = decode(&mut [data].into_iter());
    // what is wrong ends the message that it is in, and nothing is said of what stood after it
    if whole.contains(&Item::Undecodable) {
        return;
    }
    let size = usize::from(*data.first().unwrap_or(&1)).max(1);
    assert_eq!(decode(&mut data.chunks(size)), whole);
}

/// The first frame, written anew from what it is shown as, is shown as the same.
fn written(framing: &Framing, data: &[u8]) {
    let Framing::Binary(layout, _) = framing else {
        panic!("binary")
    };
    let codec = framing.codec();
    let shown = codec.shown(data);
    let mut objects = serde_json::Deserializer::from_str(&shown).into_iter::<serde_json::Value>();
    // what is no frame is shown as it is, its quotes escaped
    let Some(Ok(object)) = objects.next().filter(|object| matches!(object, Ok(object) if object["packet"].is_string())) else {
        return;
    };
    let frame = layout.write(&object.to_string()).expect("what was read can be written");
    let again: serde_json::Value = serde_json::from_str(&codec.shown(&frame)).expect("a frame");
    assert_eq!(again, object);
}

fn profile(text: &str) {
    if let Err(ProfileError::Mistaken(mistakes)) = TargetFile::parse("fuzz.toml", text, Path::new("/nowhere")) {
        let lines = text.lines().count() + 1;
        assert!(!mistakes.is_empty());
        assert!(mistakes.iter().all(|mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line))));
    }
}
