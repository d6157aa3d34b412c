use proptest::prelude::*;

use super::*;

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (
            any::<String>(),
            proptest::collection::vec(any::<String>(), 0..4),
            any::<String>()
        )
            .prop_map(|(title, bodies, nonce)| Body::Request(Ask {
                user_id: uuid::Uuid::nil(),
                title,
                bodies,
                nonce
            })),
        Just(Body::Cancel),
        (any::<u32>(), any::<String>()).prop_map(|(n, text)| Body::Piece { n, text }),
        any::<u32>().prop_map(|pieces| Body::End { pieces }),
        prop_oneof![
            Just(Refusal::Busy),
            Just(Refusal::Overloaded),
            Just(Refusal::DuplicateStream)
        ]
        .prop_map(Body::Refusal),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    (any::<u64>(), body()).prop_map(|(stream, body)| Frame { stream, body })
}

proptest! {
    #[test]
    fn frames_come_back_whole_however_the_bytes_are_cut(
        frames in proptest::collection::vec(frame(), 1..6),
        cut in 1_usize..40,
    ) {
        let mut bytes = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut bytes).expect("it is small");
        }
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        for chunk in bytes.chunks(cut) {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = Frame::decode(&mut buffer).expect("it was encoded here") {
                found.push(frame);
            }
        }
        prop_assert_eq!(found, frames);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = Frame::decode(&mut buffer) {}
    }
}

#[track_caller]
fn check(kind: u8, rest: &[u8], expect: &str) {
    let mut buffer = BytesMut::new();
    buffer.put_u32(u32::try_from(9 + rest.len()).expect("it is small"));
    buffer.put_u8(kind);
    buffer.put_u64(7);
    buffer.put_slice(rest);
    let error = Frame::decode(&mut buffer).expect_err("it is no frame");
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_rest_must_fit_its_kind() {
    check(0, b"", "unknown frame kind 0");
    check(2, b"x", "frame of kind 2 with a rest that does not fit");
    check(3, b"\0\0\0", "frame of kind 3 with a rest that does not fit");
    check(
        3,
        b"\0\0\0\0\xff",
        "frame of kind 3 with a rest that does not fit",
    );
    check(4, b"\0\0\0\0\0", "frame of kind 4 with a rest that does not fit");
    check(5, b"\x09", "frame of kind 5 with a rest that does not fit");
    check(1, b"{}", "request that cannot be read or written");
}

#[test]
fn lengths_are_bounded_both_ways() {
    for length in [
        0,
        8,
        u32::try_from(FRAME_BYTES_MAX).expect("it fits") + 1,
        u32::MAX,
    ] {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        assert!(
            matches!(Frame::decode(&mut buffer), Err(WireError::Length { .. })),
            "{length}"
        );
    }
    let ask = Ask {
        user_id: uuid::Uuid::nil(),
        title: String::new(),
        bodies: vec!["x".repeat(FRAME_BYTES_MAX)],
        nonce: String::new(),
    };
    let mut bytes = BytesMut::from(&b"before"[..]);
    let refused = Frame {
        stream: 1,
        body: Body::Request(ask),
    }
    .encode(&mut bytes);
    assert!(matches!(refused, Err(WireError::Length { .. })));
    assert_eq!(&bytes[..], b"before");
}
