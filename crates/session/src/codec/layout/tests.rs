use proptest::prelude::*;

use super::*;

fn field(name: &str, form: Form) -> Field {
    Field {
        name: (!name.is_empty()).then(|| name.to_owned()),
        form,
        is: None,
        default: None,
        optional: false,
    }
}

fn number(name: &str, bits: u32) -> Field {
    field(name, Form::Number(Integer::Bits(bits)))
}

fn measure(integer: Integer, of: Measured, plus: i64) -> Field {
    field("", Form::Measure(integer, Measure { of, plus }))
}

fn text(name: &str, extent: Extent) -> Field {
    field(name, Form::Text(extent))
}

/// Something of everything.
fn layout() -> Layout {
    let packet = |name: &str, kind, fields| Packet {
        name: name.to_owned(),
        when: vec![("kind".to_owned(), kind)],
        fields,
    };
    let u16 = Extent::Prefixed(Integer::Bits(16));
    let measured = Measured::Field("body".to_owned());
    Layout {
        head: vec![
            number("kind", 4),
            Field {
                default: Some(Content::Number(0)),
                ..number("flags", 4)
            },
            measure(Integer::Varint, Measured::Rest, 0),
        ],
        packets: vec![
            packet(
                "say",
                1,
                vec![
                    number("id", 16),
                    text("to", u16),
                    field("key", Form::Bytes(Extent::Fixed(2))),
                    text("note", Extent::Rest),
                ],
            ),
            packet(
                "told",
                2,
                vec![
                    measure(Integer::Little(2), measured, 1),
                    text("from", Extent::Zero),
                    text("tag", Extent::Fixed(4)),
                    text("body", Extent::Measured),
                    Field {
                        optional: true,
                        ..number("code", 8)
                    },
                ],
            ),
            packet(
                "magic",
                3,
                vec![Field {
                    is: Some(Content::Text("ok".to_owned())),
                    ..text("", Extent::Prefixed(Integer::Bits(8)))
                }],
            ),
        ],
    }
}

#[track_caller]
fn check(object: &str, bytes: &[u8]) {
    assert_eq!(layout().write(object).as_deref(), Ok(bytes), "{object}");
    let read = Read::Whole {
        object: Some(object.to_owned()),
        after: &[],
    };
    assert_eq!(layout().read(bytes), read);
    for cut in 0..bytes.len() {
        assert!(matches!(layout().read(&bytes[..cut]), Read::Begun(needed) if needed > cut));
    }
}

#[test]
fn objects_are_frames_and_frames_objects() {
    check(
        r#"{"packet":"say","flags":0,"id":258,"to":"é","key":"00ff","note":"n"}"#,
        b"\x10\x09\x01\x02\x00\x02\xc3\xa9\x00\xff\x6e",
    );
    check(
        r#"{"packet":"told","flags":5,"from":"a","tag":"t","body":"hi"}"#,
        b"\x25\x0a\x03\x00a\0t\0\0\0hi",
    );
    check(
        r#"{"packet":"told","flags":5,"from":"","tag":"tags","body":"","code":7}"#,
        b"\x25\x08\x01\x00\0tags\x07",
    );
    check(r#"{"packet":"magic","flags":0}"#, b"\x30\x03\x02ok");
}

#[test]
fn a_uuid_is_sixteen_bytes() {
    let layout = Layout {
        head: Vec::new(),
        packets: vec![Packet {
            name: "p".to_owned(),
            when: Vec::new(),
            fields: vec![field("of", Form::Uuid)],
        }],
    };
    let object = r#"{"packet":"p","of":"00112233-4455-6677-8899-aabbccddeeff"}"#;
    let bytes: Vec<u8> = (0..16).map(|byte| byte * 0x11).collect();
    assert_eq!(layout.write(object).as_deref(), Ok(&bytes[..]));
    assert_eq!(layout.write(&object.replace('-', "")).as_deref(), Ok(&bytes[..]));
    let whole = |object| Read::Whole { object, after: &[] };
    assert_eq!(layout.read(&bytes), whole(Some(object.to_owned())));
    assert_eq!(layout.read(&bytes[1..]), whole(None));
    let why = layout.write(&object.replace("00", "")).unwrap_err().to_string();
    assert_eq!(why, "`of` of `p` has 15 bytes, it takes 16");
}

#[test]
fn what_is_given_may_be_text_and_what_is_known_is_left_out() {
    let written = layout().write(r#"{"packet":"say","id":"7","to":"","key":"00-fF","note":{"a":[1]}}"#);
    assert_eq!(written.unwrap(), b"\x10\x0f\x00\x07\x00\x00\x00\xff{\"a\":[1]}");
}

#[track_caller]
fn refuse(object: &str, why: &str) {
    assert_eq!(layout().write(object).unwrap_err().to_string(), why);
}

#[test]
fn what_is_no_frame_is_told() {
    refuse("[]", "it is no JSON object");
    refuse("{}", "it does not say by `packet` what it is");
    refuse(r#"{"packet":"shout"}"#, "there is no packet `shout`");
    refuse(r#"{"packet":"magic","id":1}"#, "`magic` has no field `id`");
    refuse(r#"{"packet":"say","id":1}"#, "`say` lacks its field `to`");
    let say = |id: &str, key: &str| format!(r#"{{"packet":"say","id":{id},"to":"","key":{key},"note":""}}"#);
    refuse(
        &say("65536", "\"0000\""),
        "`id` of `say` is too large, at most 65535",
    );
    refuse(&say("-1", "\"0000\""), "`id` of `say` is no number");
    refuse(&say("1", "\"00\""), "`key` of `say` has 1 bytes, it takes 2");
    refuse(
        &say("1", "\"0x\""),
        "`key` of `say` is not in hexadecimal digits, two a byte",
    );
    let long = "x".repeat(65_536);
    refuse(
        &format!(r#"{{"packet":"say","id":1,"to":"{long}","key":"0000","note":""}}"#),
        "`to` of `say` has 65536 bytes, at most 65535",
    );
    let told =
        |from: &str, tag: &str| format!(r#"{{"packet":"told","from":"{from}","tag":"{tag}","body":""}}"#);
    refuse(
        &told("a\\u0000", ""),
        "`from` of `told` has a zero in it, which would end it",
    );
    refuse(&told("", "12345"), "`tag` of `told` has 5 bytes, it takes 4");
}

#[test]
fn values_that_stand_for_others_are_not_held_against_a_frame() {
    let say =
        |id: &str, key: &str| format!(r#"{{"packet":"say","id":{id},"to":"","key":"{key}","note":""}}"#);
    assert_eq!(layout().check(&say("1", STAND_IN)), Ok(()));
    assert_eq!(layout().check(&say(STAND_IN, "0000")), Ok(()));
    let why = "`id` of `say` is too small for a request id, which counts on: `${id:u16}` counts from 1 again";
    let refused = layout().check(&say(STAND_IN_ID, "0000")).unwrap_err();
    assert_eq!(refused.to_string(), why);
}

#[test]
fn what_fits_no_kind_is_none_and_what_has_no_end_is_wrong() {
    let nothing = |after| Read::Whole { object: None, after };
    // of no kind, too short for its kind, too long for it, no UTF-8, not what always stands there
    for frame in [
        &b"\x40\x00"[..],
        b"\x10\x01\x00",
        b"\x30\x04\x02okk",
        b"\x10\x07\x00\x01\x00\x01\xff\x00\x00",
        b"\x30\x03\x02no",
    ] {
        let more = [frame, b"x"].concat();
        assert_eq!(layout().read(&more), nothing(b"x"), "{}", frame.escape_ascii());
    }
    assert_eq!(
        layout().read(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        Read::Wrong
    );
    let too_long = crate::limits::MESSAGE_LIMIT_BYTES + 1;
    let whole = |of, plus| Layout {
        head: vec![measure(Integer::Bits(32), of, plus)],
        packets: Vec::new(),
    };
    let all = whole(Measured::All, 0);
    assert_eq!(all.read(&(too_long as u32).to_be_bytes()), Read::Wrong);
    assert_eq!(all.read(&[0, 0, 0, 3]), Read::Wrong);
    assert_eq!(all.read(&[0, 0, 0, 6, 1]), Read::Begun(6));
    assert_eq!(whole(Measured::Rest, 1).read(&[0, 0, 0, 0]), Read::Wrong);
    assert_eq!(whole(Measured::Rest, -1).read(&[0, 0, 0, 0, 9]), nothing(&[]));
}

#[test]
fn a_number_that_measures_all_counts_itself() {
    let all = |integer| Layout {
        head: vec![measure(integer, Measured::All, 0)],
        packets: vec![Packet {
            name: "p".to_owned(),
            when: Vec::new(),
            fields: vec![text("t", Extent::Rest)],
        }],
    };
    for (length, own) in [(126, 1), (127, 2), (126 + 16_000, 2)] {
        let object = format!(r#"{{"packet":"p","t":"{}"}}"#, "x".repeat(length));
        let varint = all(Integer::Varint);
        let frame = varint.write(&object).unwrap();
        assert_eq!(frame.len(), length + own);
        let object = Some(object);
        assert_eq!(varint.read(&frame), Read::Whole { object, after: &[] });
    }
    let short = all(Integer::Bits(8)).write(&format!(r#"{{"packet":"p","t":"{}"}}"#, "x".repeat(255)));
    let why = "`` of `p` is too small for so long a frame";
    assert_eq!(short.unwrap_err().to_string(), why);
}

proptest! {
    #[test]
    fn frames_survive(id: u16, to in "[^\\x00]{0,9}", key: [u8; 2], note: String, code in proptest::option::of(any::<u8>())) {
        let layout = layout();
        let key = format!("{:02x}{:02x}", key[0], key[1]);
        let say = serde_json::json!({"packet": "say", "flags": 2, "id": id, "to": to, "key": key, "note": note});
        let mut told = serde_json::json!({"packet": "told", "flags": 0, "from": to, "tag": "", "body": note});
        if let Some(code) = code {
            told["code"] = code.into();
        }
        for object in [say, told] {
            let frame = layout.write(&object.to_string()).unwrap();
            let Read::Whole { object: Some(read), after: [] } = layout.read(&frame) else {
                panic!("{object}")
            };
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&read).unwrap(), object);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        match layout().read(&bytes) {
            Read::Whole { object, after } => {
                prop_assert!(after.len() < bytes.len());
                if let Some(object) = object {
                    prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&object).is_ok());
                }
            }
            Read::Begun(needed) => prop_assert!(needed > bytes.len()),
            Read::Wrong => {}
        }
    }
}
