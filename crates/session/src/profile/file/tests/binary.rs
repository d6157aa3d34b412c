use super::*;
use crate::codec::{Item, Template, Whose, Wire};

/// A dialect of frames that are laid out so, one of which is said like this.
fn spoken(layout: &str, post: &str) -> String {
    let rules = "rules = [{ reply = { id = '/id' } }]";
    format!(
        "{SPOKEN}framing = {{ binary = {{ {layout}, {rules} }} }}\n[dialect.ops]\npost = {{ frame = '{post}' }}\n"
    )
}

const HEAD: &str = "head = [{ type = 'u16', measures = 'rest' }, { name = 'kind', type = 'u8' }]";
const PACKETS: &str = "packets = [{ name = 'say', when = { kind = 1 }, fields = [{ name = 'id', type = 'u32' }, { name = 'text', type = 'text' }] }]";
const POST: &str = r#"{"packet":"say","id":${id},"text":${body}}"#;

#[test]
fn mistakes_in_layouts() {
    let whole = format!("{HEAD}, {PACKETS}");
    assert_eq!(wrong_in(&spoken(&whole, POST)), Vec::<String>::new());
    let told = [
        ("'u32'", "'u65'"),
        ("'u32'", "'u32el'"),
        ("'u32'", "'u16'"),
        ("'u32'", "'u32', length = 2"),
        ("'u32'", "'u4'"),
        ("'u32'", "'u32', is = 4294967296"),
        ("type = 'text' }", "type = 'text', length = 'u15' }"),
        ("type = 'text' }", "type = 'bytes', default = '0' }"),
        ("type = 'text' }", "type = 'text' }, { type = 'u8' }"),
        ("type = 'text' }", "type = 'uuid', length = 16 }"),
        ("type = 'text' }", "type = 'uuid', default = '' }"),
        ("name = 'text'", "name = 'id'"),
        ("name = 'text'", "name = 'kind'"),
        ("name = 'text'", "name = 'packet'"),
        (
            "'u32' }",
            "'u32', optional = true }, { name = 'then', type = 'u8' }",
        ),
        ("'u32' }", "'u8', measures = 'txt' }"),
        ("measures = 'rest'", "name = 'text', measures = 'text'"),
        ("name = 'kind', type = 'u8'", "name = 'kind', type = 'text'"),
        ("{ kind = 1 }", "{ knd = 1 }"),
        ("{ kind = 1 }", "{ kind = 256 }"),
        ("\"packet\":\"say\"", "\"packet\":\"sy\""),
        ("\"packet\":\"say\"", "\"text\":\"say\""),
        ("\"text\":", "\"txt\":"),
        (",\"text\":${body}", ""),
        (
            "rest' }",
            "rest' }, { name = 'more', type = 'varint', measures = 'all' }",
        ),
        (
            "id = '/id' } }]",
            "id = '/id' } }, { heartbeat = { answer = '{\"packet\":\"say\",\"id\":${/id}}' } }]",
        ),
    ];
    let told = told.map(|(good, bad)| {
        let profile = spoken(&whole, POST);
        assert!(profile.contains(good), "{good}");
        let wrong = wrong_in(&profile.replacen(good, bad, 1));
        assert!(!wrong.is_empty(), "{bad}");
        wrong.join("\n")
    });
    insta::assert_snapshot!(told.join("\n"));
}

/// The codec of MQTT, and the values of a request.
fn mqtt(version: u64) -> Framing {
    let profile = format!(
        "{}\n[[dialect]]\npath = '/'\nframing = {{ mqtt = {{ version = {version} }} }}\n[dialect.ops]\npost = {{ frame = '{}' }}\n",
        NOTES.split_once("[[dialect]]").unwrap().0,
        r#"{"packet":"publish-1","id":${id:u16},"topic":"","payload":${body}}"#,
    );
    let absent = NOTES.split_once("[unseen]").unwrap().1;
    let rest = format!("{profile}\n[unseen]{absent}threads = 'x'\n");
    let target = parse(&rest).unwrap_or_else(|error| panic!("{error}"));
    target.profile.dialects[0].framing.clone()
}

#[track_caller]
fn sends(version: u64, frame: &str, expect: &[u8]) {
    let values = Values::new().with(Slot::Id, "65546").with(Slot::Body, "hi");
    let frame = Template::parse(frame).unwrap();
    let sent = mqtt(version).codec().encode(&frame, &values);
    assert_eq!(sent, Ok(Wire::Binary(expect.to_vec())), "{frame:?}");
}

/// The packets of section 3 of either specification.
#[test]
fn what_is_sent_in_mqtt() {
    let connect = r#"{"packet":"connect","client":"c","user":"u","password":"pw"}"#;
    sends(
        4,
        connect,
        b"\x10\x14\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x01u\x00\x02pw",
    );
    sends(
        5,
        connect,
        b"\x10\x15\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x01c\x00\x01u\x00\x02pw",
    );
    let anonymous = r#"{"packet":"connect-anonymous","keep-alive":0}"#;
    sends(4, anonymous, b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00");
    let subscribe = r#"{"packet":"subscribe","id":${id:u16},"topic":"a/b","options":1}"#;
    sends(4, subscribe, b"\x82\x08\x00\x0b\x00\x03a/b\x01");
    sends(5, subscribe, b"\x82\x09\x00\x0b\x00\x00\x03a/b\x01");
    sends(
        4,
        r#"{"packet":"unsubscribe","id":2,"topic":"a"}"#,
        b"\xa2\x05\x00\x02\x00\x01a",
    );
    let publish = r#"{"packet":"publish","topic":"a","payload":${body},"retain":1}"#;
    sends(4, publish, b"\x31\x05\x00\x01ahi");
    let publish = r#"{"packet":"publish-1","id":${id:u16},"topic":"a","payload":{"text":${body}}}"#;
    sends(4, publish, b"\x32\x12\x00\x01a\x00\x0b{\"text\":\"hi\"}");
    sends(5, publish, b"\x32\x13\x00\x01a\x00\x0b\x00{\"text\":\"hi\"}");
    sends(4, r#"{"packet":"pingreq"}"#, b"\xc0\x00");
    sends(5, r#"{"packet":"disconnect"}"#, b"\xe0\x00");
}

#[track_caller]
fn comes(version: u64, message: &[u8], expect: &str) {
    let mut codec = mqtt(version).codec();
    let items = codec.decode(message, &mut Vec::new());
    let told = items.into_iter().map(|item| match item {
        Item::Reply {
            whose: Whose::Id(id),
            code: Some(code),
            ..
        } => format!("error {id} {code}"),
        Item::Reply {
            whose: Whose::Id(id), ..
        } => format!("reply {id}"),
        Item::Event { kind, payload, .. } => format!("{kind} {payload}"),
        other => format!("{other:?}"),
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.join(", "), expect, "{}", message.escape_ascii());
}

#[test]
fn what_has_to_be_acknowledged_is() {
    for (version, publish) in [
        (4, &b"\x32\x07\x00\x01a\x00\x0bhi"[..]),
        (5, b"\x32\x08\x00\x01a\x00\x0b\x00hi"),
    ] {
        let mut back = Vec::new();
        mqtt(version).codec().decode(publish, &mut back);
        assert_eq!(back, [Wire::Binary(b"\x40\x02\x00\x0b".to_vec())]);
    }
}

#[test]
fn what_comes_in_mqtt() {
    for (version, connack) in [(4, &b"\x20\x02\x00\x00"[..]), (5, b"\x20\x03\x00\x00\x00")] {
        assert!(mqtt(version).codec().decode(connack, &mut Vec::new()).len() == 1);
    }
    comes(
        4,
        b"\x20\x02\x00\x05",
        r#"refused {"packet":"connack","session":0,"code":5}"#,
    );
    comes(
        4,
        b"\x90\x03\x00\x07\x00\x90\x03\x00\x08\x80",
        "reply 7, error 8 128",
    );
    comes(
        5,
        b"\x90\x04\x00\x07\x00\x01\x90\x04\x00\x08\x00\x87",
        "reply 7, error 8 135",
    );
    comes(4, b"\x40\x02\x00\x07\xd0\x00", "reply 7, Heartbeat");
    comes(
        5,
        b"\x40\x02\x00\x07\x40\x03\x00\x08\x10\x40\x04\x00\x09\x87\x00",
        "reply 7, reply 8, error 9 135",
    );
    comes(
        4,
        b"\x30\x05\x00\x01ahi\x33\x07\x00\x01a\x00\x01hi",
        "publish \"hi\", publish \"hi\"",
    );
    comes(5, b"\x30\x06\x00\x01a\x00hi", "publish \"hi\"");
    comes(4, b"\xb0\x02\x00\x07", "reply 7");
    comes(4, b"\xf0\x00", "Undecodable");
}
