use proptest::prelude::*;

use super::dress::{INNER, TEXT};
use super::{RUN, canary, scan};
use crate::scan::{Medium, Scanner, StreamScanner};

/// Bytes that are all the scanner's own characters, and so lead it into its corners.
fn awkward() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"z3qx7vw6".to_vec()),
        Just(b"Z-3q\nx".to_vec()),
        Just(b"6wv7xq3z".to_vec()),
        Just(b"7a33717837767736".to_vec()),
        Just(b"ejNxeDd2dz".to_vec()),
        Just(b"ozcXg3dnc2".to_vec()),
        Just(b"6M3F4N3Z3N".to_vec()),
        Just(b"z\x003\0q\0x\x007\0v\0w\x006".to_vec()),
        Just(b"\x1f\x8b\x08\0\0".to_vec()),
        Just(b"\x28\xb5\x2f\xfd".to_vec()),
        Just(b"\x78\x9c".to_vec()),
        Just(b"%7a\\u007a&#122;&amp;\\\\".to_vec()),
        Just(b"1, 2,3,".to_vec()),
        (0..TEXT.len()).prop_map(|at| TEXT[at].1(canary().short().as_bytes())),
        (0..INNER.len()).prop_map(|at| INNER[at].1(canary().short().as_bytes())),
        prop::collection::vec(any::<u8>(), 0..20),
        "[a-z2-7]{0,40}".prop_map(String::into_bytes),
        "[A-Za-z0-9+/=_-]{0,60}".prop_map(String::into_bytes),
        "[\\\\%&;,#xu0-9nrt \n-]{0,20}".prop_map(String::into_bytes),
    ];
    prop::collection::vec((piece, any::<prop::sample::Index>()), 0..8).prop_map(|pieces| {
        let mut bytes = Vec::new();
        for (piece, from) in pieces {
            bytes.extend_from_slice(&piece[from.index(piece.len() + 1) / 2..]);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_panics_and_places_are_within(bytes in awkward(), binary in any::<bool>()) {
        let medium = if binary { Medium::Binary } else { Medium::Text };
        let (hits, _) = scan(&bytes, medium);
        for hit in hits {
            prop_assert!(hit.offset < hit.end && hit.end <= bytes.len() as u64, "{:?}", hit);
        }
    }

    #[test]
    fn streams_do_not_panic(pieces in prop::collection::vec(awkward(), 0..5)) {
        let mut scanner = Scanner::new(RUN);
        let mut stream = StreamScanner::new(Medium::Binary);
        for piece in &pieces {
            stream.feed(&mut scanner, piece);
        }
        stream.finish(&mut scanner);
    }

    #[test]
    fn random_bytes_hold_no_canary(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert_eq!(scan(&bytes, Medium::Binary).0, vec![]);
    }

    #[test]
    fn random_text_holds_no_canary(text in "[A-Za-z0-9+/]{0,2000}|[0-9a-f-]{0,2000}|[a-z2-7]{0,2000}|[ -~]{0,2000}|\\PC{0,500}") {
        prop_assert_eq!(scan(text.as_bytes(), Medium::Text), (vec![], 0));
    }

    #[test]
    fn one_scan_does_not_touch_the_next(first in awkward(), second in awkward()) {
        let mut scanner = Scanner::new(RUN);
        scanner.scan(&first, Medium::Binary);
        let again = scanner.scan(&second, Medium::Binary);
        let alone = scan(&second, Medium::Binary);
        prop_assert_eq!((again.hits.to_vec(), again.opaque), alone);
    }
}

const LOREM: &str = "Lorem ipsum dolor sit amet, consectetur adipiscing elit: the lazy dog's zip-code is 7 q's wide, \
    z 7 times; quartz, jazz and vexed 3-fold.";

#[test]
fn prose_holds_no_canary() {
    assert_eq!(scan(LOREM.repeat(200).as_bytes(), Medium::Text), (vec![], 0));
}

#[test]
fn work_is_bounded_for_what_looks_like_many_layers() {
    let mut bytes = b"A".repeat(1 << 16);
    for (_, dress) in [TEXT[0], TEXT[4], TEXT[0]] {
        bytes = dress(&bytes);
    }
    let (hits, _) = scan(&bytes, Medium::Text);
    assert_eq!(hits, []);
}
