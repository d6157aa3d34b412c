//! The history's reader: foreign bytes, and a segment of which one byte is not what was written.
#![no_main]

use history::{Event, Seal, SegmentReader, SegmentWriter};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Segments that are altered stay below this, so that an input is looked at quickly.
const EVENTS_MAX: usize = 64;

fuzz_target!(|data: &[u8]| {
    let _ = read(data);
    if let Ok(seal) = serde_json::from_slice::<Seal>(data) {
        let again = serde_json::to_vec(&seal).expect("a seal is plain data");
        assert_eq!(serde_json::from_slice::<Seal>(&again).expect("its own JSON"), seal);
        let workers: Vec<u16> = seal.segments.iter().map(|segment| segment.worker).collect();
        let _ = seal.check_workers(&workers);
        for segment in &seal.segments {
            let _ = seal.check(seal.run, segment);
        }
    }
    // too few bytes for a plan are no input
    let _ = altered(Unstructured::new(data));
});

/// All events of a segment, each as bytes again.
fn read(bytes: &[u8]) -> std::result::Result<Vec<Vec<u8>>, history::ReadError> {
    let mut reader = SegmentReader::open(bytes)?;
    let mut events = Vec::new();
    while let Some((_, event)) = reader.next()? {
        events.push(postcard::to_stdvec(&event).expect("an event is plain data"));
    }
    let seal = reader.seal().expect("it was read to its end");
    assert_eq!((seal.records, seal.bytes), (events.len() as u64, bytes.len() as u64));
    Ok(events)
}

/// What was written is read; once a byte is another or the end is missing, it is not read to its end.
fn altered(mut input: Unstructured<'_>) -> Result<()> {
    let (run, worker, limit) = (input.arbitrary()?, input.arbitrary()?, input.int_in_range(0..=1 << 16)?);
    let (place, flip, cut): (usize, u8, usize) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
    let (mut rest, mut written) = (input.take_rest(), Vec::new());
    let mut bytes = Vec::new();
    let mut writer = SegmentWriter::new(&mut bytes, run, worker, limit);
    while let Ok((event, after)) = postcard::take_from_bytes::<Event<'_>>(rest) {
        writer.append(&event).expect("memory takes it");
        let own = postcard::to_stdvec(&event).expect("an event is plain data");
        let same = |_, back: &Event<'_>| assert_eq!(postcard::to_stdvec(back).expect("plain data"), own);
        writer.read_back(same).expect("what was appended");
        if written.len() == EVENTS_MAX || writer.limit_hit() {
            break;
        }
        written.push(own);
        rest = after;
    }
    let seal = writer.finish().expect("memory takes it");
    let back = read(&bytes).expect("what was written");
    assert_eq!(back.len() as u64, seal.records);
    assert!(back.iter().zip(&written).all(|(back, written)| back == written));
    assert!(read(&bytes[..cut % bytes.len()]).is_err(), "a cut passed");
    if flip != 0 {
        let place = place % bytes.len();
        bytes[place] ^= flip;
        assert!(read(&bytes).is_err(), "an alteration at byte {place} passed");
    }
    Ok(())
}
