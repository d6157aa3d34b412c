//! What is kept of a message that has not ended: the same however the stream is cut, and never more than its limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use session::fuzzing::unfinished;

/// Bytes that are kept at most.
const KEPT_MAX: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    let stream = [answer, data].concat();
    let whole = unfinished([&stream[..]]);
    assert!(whole.len() <= KEPT_MAX.min(data.len()));
    let cut = usize::from(*data.first().unwrap_or(&1)).max(1);
    assert_eq!(unfinished(stream.chunks(cut)), whole);
    assert_eq!(unfinished(stream.chunks(1)), whole);
});
