//! Frames between gateway and agent: any stream, whole or in pieces, gives the same frames, and each encodes to itself.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use reference::agent::wire::{FRAME_BYTES_MAX, Frame};

fuzz_target!(|data: &[u8]| {
    let (frames, failed) = decode(std::iter::once(data));
    let cut = usize::from(*data.first().unwrap_or(&1)).max(1);
    assert_eq!(decode(data.chunks(cut)), (frames.clone(), failed));
    for frame in frames {
        let mut out = BytesMut::new();
        // JSON of a request may have been shorter than ours, with escapes that we do not write
        if frame.encode(&mut out).is_ok() {
            assert!(out.len() <= FRAME_BYTES_MAX + 4);
            assert_eq!(Frame::decode(&mut out).expect("a frame"), Some(frame));
            assert!(out.is_empty());
        }
    }
});

/// The frames of a stream, and whether it ended in an error.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match Frame::decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
        assert!(buffer.capacity() <= 2 * FRAME_BYTES_MAX + 64 * 1024);
    }
    (frames, false)
}
