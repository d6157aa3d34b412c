//! The codec's laws: what was written is read, and any damage is an error.

use std::borrow::Cow;

use proptest::prelude::*;

use crate::{
    At, Check, Conn, Event, Fact, Inbound, Interval, Op, Outcome, Part, Probe, ProbeResult, ReadError,
    Replica, Round, SegmentReader, SegmentSeal, SegmentWriter, Source, Step, User,
};

fn inbound() -> impl Strategy<Value = Fact<'static>> {
    (
        any::<u32>(),
        prop::collection::vec(any::<u8>(), 0..400),
        ".{0,20}",
    )
        .prop_map(|(conn, bytes, text)| {
            Fact::Inbound(Inbound {
                conn: Conn(conn),
                source: Source::Text,
                bytes: Cow::Owned(bytes),
                parts: vec![
                    Part::Reply {
                        op: Some(Op(3)),
                        step: Step::Delta,
                        text: Some(Cow::Owned(text)),
                    },
                    Part::Undecodable,
                ],
            })
        })
}

fn other() -> impl Strategy<Value = Fact<'static>> {
    prop_oneof![
        (any::<u64>(), ".{0,30}").prop_map(|(op, code)| Fact::Completed {
            op: Op(op),
            outcome: Outcome::Fail(code),
        }),
        (".{0,10}", any::<u16>(), any::<bool>()).prop_map(|(name, phase, measured)| Fact::PhaseBegan {
            phase,
            name: Cow::Owned(name),
            round: Round(1),
            measured,
        }),
        (any::<u32>(), any::<bool>()).prop_map(|(user, control)| Fact::Probe(Probe {
            check: Check::Thread,
            name: Cow::Borrowed("foreign read"),
            attacker: User(user),
            victim: None,
            replica: Replica(1),
            conn: Some(Conn(9)),
            control_before: control,
            control_after: true,
            result: ProbeResult::Refused,
            detail: Cow::Borrowed("not_found"),
            during: Interval {
                from: At(1),
                to: At::NEVER
            },
        })),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let event = (any::<u64>(), prop_oneof![inbound(), other()]);
    prop::collection::vec(event.prop_map(|(at, fact)| Event { at: At(at), fact }), 0..40)
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

/// A history of several blocks.
fn blocks() -> (Vec<u8>, SegmentSeal) {
    let events: Vec<_> = (0..300)
        .map(|at| Event {
            at: At(at),
            fact: Fact::Inbound(Inbound {
                conn: Conn(1),
                source: Source::Text,
                bytes: Cow::Owned(vec![b'x'; 1_000]),
                parts: vec![Part::Heartbeat],
            }),
        })
        .collect();
    write(&events, u64::MAX)
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

#[test]
fn another_version_is_named() {
    let (mut bytes, _) = write(&[], u64::MAX);
    bytes[8] = 9;
    let error = read(&bytes, |_, _| ()).expect_err("another version");
    assert_eq!(
        error.to_string(),
        "history has version 9, this program reads version 1; use the one that wrote it"
    );
}
