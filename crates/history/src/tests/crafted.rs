//! Blocks whose hashes hold and which are wrong all the same: what a program of another build might write.

use crate::segment::{BLOCK_BYTES, BlockKind, HASH_BYTES, Header, PAYLOAD_BYTES_MAX, VERSION, chain};
use crate::{At, Event, Fact, ReadError};

/// A segment of run 7, worker 3, that is being put together.
#[derive(Default)]
struct Craft {
    bytes: Vec<u8>,
    hash: [u8; HASH_BYTES],
    number: u64,
}

const HEADER: Header = Header {
    version: VERSION,
    run: 7,
    worker: 3,
    kind: BlockKind::Records,
    number: 0,
    first_record: 0,
    records: 1,
    payload_bytes: 0,
};

impl Craft {
    /// Adds a block with a valid hash, whatever it says.
    fn block(mut self, header: Header, payload: &[u8]) -> Self {
        let payload_bytes = if header.payload_bytes == 0 {
            payload.len() as u32
        } else {
            header.payload_bytes
        };
        let header = Header {
            number: self.number,
            payload_bytes,
            ..header
        }
        .to_bytes();
        self.hash = chain(&self.hash, &header, payload);
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(payload);
        self.bytes.extend_from_slice(&self.hash);
        self.number += 1;
        self
    }

    fn end(self, records: u64) -> Self {
        self.block(
            Header {
                kind: BlockKind::End,
                first_record: records,
                records: 0,
                ..HEADER
            },
            &[],
        )
    }
}

fn event() -> Vec<u8> {
    postcard::to_stdvec(&Event {
        at: At(5),
        fact: Fact::PhaseEnded { phase: 1 },
    })
    .unwrap()
}

/// `records` with their lengths.
fn payload(records: &[&[u8]]) -> Vec<u8> {
    let with_length = |record: &&[u8]| [&(record.len() as u32).to_le_bytes(), *record].concat();
    records.iter().flat_map(with_length).collect()
}

#[track_caller]
fn check(craft: Craft, expected: &str) {
    let error = super::read(&craft.bytes, |_, _| ()).expect_err("it is wrong");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_well_made_one_is_read() {
    let craft = Craft::default().block(HEADER, &payload(&[&event()])).end(1);
    assert_eq!(super::read(&craft.bytes, |_, _| ()).unwrap().records, 1);
}

#[test]
fn a_record_that_is_no_event() {
    let craft = Craft::default().block(HEADER, &payload(&[&[1, 255, 255]])).end(1);
    check(craft, "event 0 of the history cannot be decoded");
}

#[test]
fn a_record_that_goes_on_after_its_event() {
    let record = [&event()[..], &[0, 0]].concat();
    let craft = Craft::default().block(HEADER, &payload(&[&record])).end(1);
    check(
        craft,
        "event 0 of the history is followed by 2 bytes that are not its own",
    );
}

#[test]
fn counts_that_contradict_the_payload() {
    let two = Header { records: 2, ..HEADER };
    let craft = Craft::default().block(two, &payload(&[&event()])).end(2);
    check(
        craft,
        "block 0 of the history contradicts itself: it has fewer records than it counts",
    );
    let craft = Craft::default()
        .block(HEADER, &payload(&[&event(), &event()]))
        .end(1);
    check(
        craft,
        "block 0 of the history contradicts itself: bytes follow its last record",
    );
    let none = Header { records: 0, ..HEADER };
    let craft = Craft::default().block(none, &payload(&[&event()])).end(0);
    check(
        craft,
        "block 0 of the history contradicts itself: bytes follow its last record",
    );
}

#[test]
fn a_record_that_is_longer_than_its_block() {
    let mut payload = payload(&[&event()]);
    payload[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let craft = Craft::default().block(HEADER, &payload).end(1);
    check(
        craft,
        "block 0 of the history contradicts itself: a record is longer than its block",
    );
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_memory_is_taken() {
    let huge = Header {
        payload_bytes: PAYLOAD_BYTES_MAX as u32 + 1,
        ..HEADER
    };
    let craft = Craft::default().block(huge, &[0; 10]);
    check(
        craft,
        "block 0 of the history contradicts itself: it is longer than a block may be",
    );
}

#[test]
fn a_length_within_the_limit_takes_no_more_memory_than_there_are_bytes() {
    let long = Header {
        payload_bytes: PAYLOAD_BYTES_MAX as u32,
        ..HEADER
    };
    let craft = Craft::default().block(long, &[0; 10]);
    assert!(craft.bytes.len() < BLOCK_BYTES);
    let error = super::read(&craft.bytes, |_, _| ()).expect_err("it is cut");
    assert!(matches!(error, ReadError::Truncated { block: 0, .. }), "{error}");
}

#[test]
fn blocks_of_another_run_or_worker_or_a_gap_in_the_count() {
    let first = || Craft::default().block(HEADER, &payload(&[&event()]));
    let of_run = Header {
        run: 8,
        first_record: 1,
        ..HEADER
    };
    check(
        first().block(of_run, &payload(&[&event()])),
        "block 1 of worker 3 in run 8 stands in the place of block 1",
    );
    let of_worker = Header {
        worker: 4,
        first_record: 1,
        ..HEADER
    };
    check(
        first().block(of_worker, &payload(&[&event()])),
        "block 1 of worker 4 in run 7 stands in the place of block 1",
    );
    check(
        first().end(2),
        "block 1 of the history contradicts itself: its first record is not the next one",
    );
}

#[test]
fn an_end_that_holds_records() {
    let end = Header {
        kind: BlockKind::End,
        ..HEADER
    };
    let craft = Craft::default().block(end, &payload(&[&event()]));
    check(
        craft,
        "block 0 of the history contradicts itself: an end block holds records",
    );
}
