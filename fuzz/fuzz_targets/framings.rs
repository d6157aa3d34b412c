//! The framings of target profiles: whatever comes is taken to pieces in bounded many, lines are the same however they are cut; and
//! whatever is taken for a profile is one, or is told what is wrong with it in a line that it has.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use session::codec::{Framing, Item};
use session::profile::{ProfileError, TargetFile};

/// A profile, but for its framing.
const PROFILE: &str = include_str!("../../xtask/targets/notes.toml");

static FRAMINGS: LazyLock<[Framing; 6]> = LazyLock::new(|| {
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
    let known = "{}";
    [
        framing("text", lines),
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
    if matches!(name, "socket-io" | "stomp") {
        // their requests look different; what comes is what is tried here
        let frame = match name {
            "stomp" => r#""SEND\nreceipt:${id}\n\n${body}""#,
            _ => r#"'42${id:bare}["x",${body}]'"#,
        };
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
    }
    cut(&FRAMINGS[0], data);
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

fn profile(text: &str) {
    if let Err(ProfileError::Mistaken(mistakes)) = TargetFile::parse("fuzz.toml", text, Path::new("/nowhere")) {
        let lines = text.lines().count() + 1;
        assert!(!mistakes.is_empty());
        assert!(mistakes.iter().all(|mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line))));
    }
}
