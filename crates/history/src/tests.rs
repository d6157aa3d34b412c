//! The codec's laws: what was written is read, and any damage is an error.

mod crafted;

use std::borrow::Cow;

use proptest::prelude::*;

use crate::{
    At, AuditRow, Check, Conn, Event, Fact, Fingerprint, Inbound, Interval, Op, Outcome, Part, Place,
    PoolFigures, Probe, ProbeResult, ReadError, Replica, Room, Round, SegmentReader, SegmentSeal,
    SegmentWriter, Session, Source, Step, Token, TokenKind, User,
};

/// Fixed kinds with fields of every shape that postcard knows, and free bytes and text where services put theirs.
fn facts() -> impl Strategy<Value = Fact<'static>> {
    let numbers = (any::<u32>(), any::<u64>(), any::<bool>());
    (
        0..9_u8,
        numbers,
        prop::collection::vec(any::<u8>(), 0..400),
        ".{0,30}",
    )
        .prop_map(|(kind, numbers, bytes, text)| fact(kind, numbers, bytes, text))
}

fn fact(kind: u8, (small, large, flag): (u32, u64, bool), bytes: Vec<u8>, text: String) -> Fact<'static> {
    let during = Interval {
        from: At(large),
        to: At::NEVER,
    };
    let (user, op, name) = (User(small), Op(large), Cow::Owned(text));
    match kind {
        0 => Fact::Inbound(Inbound {
            conn: Conn(small),
            source: Source::Text,
            bytes: Cow::Owned(bytes),
            parts: [
                Part::Reply {
                    op: flag.then_some(op),
                    step: Step::Delta,
                    text: Some(name),
                },
                Part::Undecodable,
                Part::Heartbeat,
            ]
            .into_iter()
            .take(small as usize % 4)
            .collect(),
        }),
        1 => Fact::Completed {
            op,
            outcome: Outcome::Fail(name.into_owned()),
        },
        2 => Fact::PhaseBegan {
            phase: 3,
            name,
            round: Round(1),
            measured: flag,
        },
        3 => probe(user, flag, name, during),
        4 => Fact::Membership {
            room: Room(small),
            user,
            joined: flag,
            during,
        },
        5 => Fact::Token(Token {
            user,
            session: Session(small),
            kind: TokenKind::Refresh,
            whole: Fingerprint(large),
            token_id: flag.then_some(Fingerprint(large)),
            pieces: bytes.iter().map(|byte| Fingerprint(u64::from(*byte))).collect(),
            during,
        }),
        6 => Fact::AuditRow(AuditRow {
            table: Cow::Borrowed("message"),
            container: Cow::Borrowed("6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
            owner: flag.then_some(name),
            author: Cow::Borrowed(""),
            tenant: Cow::Borrowed(""),
            derived: flag,
            body: Cow::Owned(bytes),
        }),
        7 => Fact::Pool(Box::new(PoolFigures {
            label: name.into_owned(),
            wait_us: Some([large; 3]),
            ..PoolFigures::default()
        })),
        _ => Fact::LimitHit { what: name },
    }
}

fn probe(attacker: User, flag: bool, name: Cow<'static, str>, during: Interval) -> Fact<'static> {
    Fact::Probe(Probe {
        check: Check::Thread,
        name,
        attacker,
        victim: flag.then_some(User(1)),
        replica: Replica(1),
        conn: Some(Conn(9)),
        control_before: flag,
        control_after: true,
        result: ProbeResult::Refused,
        detail: Cow::Borrowed("not_found"),
        during,
    })
}

fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let event = (any::<u64>(), facts()).prop_map(|(at, fact)| Event { at: At(at), fact });
    prop::collection::vec(event, 0..40)
}

fn write(events: &[Event<'_>], limit_bytes: u64) -> (Vec<u8>, SegmentSeal) {
    let mut bytes = Vec::new();
    let mut writer = SegmentWriter::new(&mut bytes, 77, 2, limit_bytes);
    for event in events {
        writer.append(event).expect("memory takes all");
    }
    let seal = writer.finish().expect("memory takes all");
    (bytes, seal)
}

/// Number of events and the seal, or the error.
fn read(bytes: &[u8], mut each: impl FnMut(u64, Event<'_>)) -> Result<SegmentSeal, ReadError> {
    let mut reader = SegmentReader::open(bytes)?;
    while let Some((place, event)) = reader.next()? {
        each(place.index, event);
    }
    Ok(reader.seal().expect("the end was reached").clone())
}

/// Events of several blocks.
fn frames() -> Vec<Event<'static>> {
    let frame = |at| Event {
        at: At(at),
        fact: Fact::Inbound(Inbound {
            conn: Conn(1),
            source: Source::Text,
            bytes: Cow::Owned(vec![b'x'; 1_000]),
            parts: Part::Heartbeat.into(),
        }),
    };
    (0..300).map(frame).collect()
}

/// A history of several blocks.
fn blocks() -> (Vec<u8>, SegmentSeal) {
    write(&frames(), u64::MAX)
}

proptest! {
    #[test]
    fn what_was_written_is_read(events in events()) {
        let (bytes, seal) = write(&events, u64::MAX);
        let mut seen = 0;
        let found = read(&bytes, |index, event| {
            assert_eq!(event, events[usize::try_from(index).expect("small")]);
            seen += 1;
        }).expect("undamaged");
        prop_assert_eq!(seen, events.len());
        prop_assert_eq!(found, seal);
    }

    #[test]
    fn a_flipped_bit_is_an_error(events in events(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (mut bytes, _) = write(&events, u64::MAX);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(read(&bytes, |_, _| ()).is_err());
    }

    #[test]
    fn a_cut_is_an_error(events in events(), at in any::<prop::sample::Index>()) {
        let (bytes, _) = write(&events, u64::MAX);
        let cut = &bytes[..at.index(bytes.len())];
        let truncated = matches!(read(cut, |_, _| ()), Err(ReadError::Truncated { .. }));
        prop_assert!(truncated);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes, |_, _| ()).is_err());
    }
}

#[test]
fn every_byte_counts() {
    let events = [1, 2].map(|at| Event {
        at: At(at),
        fact: fact(0, (1, 2, true), b"a frame".to_vec(), "text".into()),
    });
    let (bytes, _) = write(&events, u64::MAX);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        assert!(read(&damaged, |_, _| ()).is_err(), "byte {at}");
        let cut = read(&bytes[..at], |_, _| ());
        assert!(matches!(cut, Err(ReadError::Truncated { .. })), "cut at {at}");
    }
}

#[test]
fn blocks_are_chained() {
    let (bytes, seal) = blocks();
    assert!(bytes.len() > 4 * 64 * 1024, "several blocks");
    assert_eq!(read(&bytes, |_, _| ()).expect("undamaged"), seal);
}

#[test]
fn a_block_left_out_or_moved_is_an_error() {
    let (bytes, _) = blocks();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at..].starts_with(b"CTKHIST\x01"))
        .collect();
    let without_second = [&bytes[..starts[1]], &bytes[starts[2]..]].concat();
    assert!(matches!(
        read(&without_second, |_, _| ()),
        Err(ReadError::OutOfPlace {
            found: 2,
            expected: 1,
            ..
        })
    ));
    let mut trailing = bytes;
    trailing.push(0);
    assert!(matches!(
        read(&trailing, |_, _| ()),
        Err(ReadError::Trailing { .. })
    ));
}

#[test]
fn past_the_limit_events_are_dropped_and_the_seal_says_so() {
    let (bytes, _) = blocks();
    let events: Vec<_> = (0..10)
        .map(|at| Event {
            at: At(at),
            fact: Fact::PhaseEnded { phase: 0 },
        })
        .collect();
    let (cut, seal) = write(&events, 12);
    assert!(seal.limit_hit && seal.records < 10 && cut.len() < bytes.len());
    assert_eq!(read(&cut, |_, _| ()).expect("whole as far as it goes"), seal);
}

/// All is read back in order, wherever a block ends, and what the limit shuts out, too.
#[test]
fn what_was_appended_is_read_back() {
    for (limit_bytes, written) in [(u64::MAX, 300), (100_000, 98), (0, 0)] {
        let (mut bytes, mut back, events) = (Vec::new(), Vec::new(), frames());
        let mut writer = SegmentWriter::new(&mut bytes, 77, 2, limit_bytes);
        for event in &events {
            writer.append(event).expect("memory takes all");
            if writer.unread() > 7_000 || writer.is_full() {
                let see = |place: Place, event: &Event<'_>| back.push((place.index, event.at));
                writer.read_back(see).expect("what was appended");
                assert_eq!(writer.unread(), 0);
            }
        }
        let see = |place: Place, event: &Event<'_>| back.push((place.index, event.at));
        writer.read_back(see).expect("what was appended");
        let seal = writer.finish().expect("memory takes all");
        assert_eq!((seal.records, seal.limit_hit), (written, written < 300));
        let expect: Vec<_> = (0..300).map(|at| (written.min(at), At(at))).collect();
        assert_eq!(back, expect);
        assert_eq!(read(&bytes, |_, _| ()).expect("undamaged"), seal);
    }
}

#[test]
fn another_version_is_named() {
    let (mut bytes, _) = write(&[], u64::MAX);
    bytes[8] = 9;
    let error = read(&bytes, |_, _| ()).expect_err("another version");
    assert_eq!(
        error.to_string(),
        "history has version 9, this program reads version 3; use the one that wrote it"
    );
}

#[test]
fn in_json_ids_are_numbers() {
    let ids = (Conn(7), Op::of(Conn(1), 2), At::NEVER, Fingerprint(u64::MAX - 1));
    let json = serde_json::to_string(&ids).expect("numbers");
    assert_eq!(json, "[7,4294967298,18446744073709551615,18446744073709551614]");
    let back: (Conn, Op, At, Fingerprint) = serde_json::from_str(&json).expect("numbers");
    assert_eq!(back, ids);
}
