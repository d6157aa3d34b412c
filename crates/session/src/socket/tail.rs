//! What has come of a message that is not whole yet: the bytes to judge if the connection dies now.

/// Bytes kept of an unfinished message.
const TAIL_LIMIT_BYTES: usize = 64 * 1024;
/// What ends the header block of the upgrade's answer.
const HEADERS_END: &[u8; 4] = b"\r\n\r\n";

/// Follows the server's side of a WebSocket stream (RFC 6455, section 5.2: unmasked frames after the upgrade's answer)
/// and keeps the payload of the data message that has begun and not ended, up to 64 KiB.
#[derive(Debug)]
pub(crate) struct Tail {
    stage: Stage,
    payload: Vec<u8>,
    /// Bytes of the unfinished message, those that its last frame's header announces among them.
    announced: usize,
    /// Frames that have begun since the last whole message ended.
    frames: u32,
}

#[derive(Debug)]
enum Stage {
    /// In the upgrade's answer; so many bytes of its end have been matched.
    Answer { matched: usize },
    /// In a frame's header.
    Header { bytes: [u8; 10], len: usize },
    /// In a frame's payload.
    Payload { remaining: u64, last: bool, data: bool },
}

const HEADER: Stage = Stage::Header {
    bytes: [0; 10],
    len: 0,
};

impl Tail {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Answer { matched: 0 },
            payload: Vec::new(),
            announced: 0,
            frames: 0,
        }
    }

    /// Frames that have begun since the last whole message ended.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes that the unfinished message has, or will have at the end of its present frame; 0 if there is none.
    pub(crate) fn announced(&self) -> usize {
        self.announced
    }

    /// The unfinished message's payload so far; empty if there is none.
    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.payload
    }

    /// Takes the next bytes of the stream; returns how many frames end in them, of whatever kind.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.stage {
                Stage::Answer { matched } => {
                    *matched = if first == HEADERS_END[*matched] {
                        *matched + 1
                    } else {
                        usize::from(first == b'\r')
                    };
                    if *matched == HEADERS_END.len() {
                        self.stage = HEADER;
                    }
                    bytes = rest;
                }
                Stage::Header { bytes: header, len } => {
                    header[*len] = first;
                    *len += 1;
                    if let Some(payload) = payload_of(&header[..*len]) {
                        self.stage = payload;
                        self.announce();
                        ended += usize::from(self.ends());
                    }
                    bytes = rest;
                }
                Stage::Payload { .. } => {
                    bytes = self.payload(bytes);
                    ended += usize::from(self.ends());
                }
            }
        }
        ended
    }

    fn payload<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Stage::Payload {
            remaining,
            last,
            data,
        } = &mut self.stage
        else {
            return bytes;
        };
        let here = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len());
        let ends = here as u64 == *remaining && *last;
        if *data && !ends {
            let room = TAIL_LIMIT_BYTES.saturating_sub(self.payload.len());
            self.payload.extend_from_slice(&bytes[..here.min(room)]);
        }
        *remaining -= here as u64;
        &bytes[here..]
    }

    fn announce(&mut self) {
        self.frames = self.frames.saturating_add(1);
        if let Stage::Payload {
            remaining,
            data: true,
            ..
        } = self.stage
        {
            let frame = usize::try_from(remaining).unwrap_or(usize::MAX);
            self.announced = self.announced.saturating_add(frame);
        }
    }

    /// Whether a frame ends here; if so, the next one begins.
    fn ends(&mut self) -> bool {
        let Stage::Payload {
            remaining: 0,
            last,
            data,
        } = self.stage
        else {
            return false;
        };
        if last && data {
            self.payload.clear();
            self.announced = 0;
            self.frames = 0;
        }
        self.stage = HEADER;
        true
    }
}

/// The payload that a whole header announces; `None` while the header is not whole.
fn payload_of(header: &[u8]) -> Option<Stage> {
    let (first, second) = (*header.first()?, *header.get(1)?);
    let remaining = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(Stage::Payload {
        remaining,
        last: first & 0x80 != 0,
        data: first & 0x08 == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n";

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(len as u8),
            len @ 126..65_536 => {
                frame.push(126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    /// In one piece, and byte by byte.
    #[track_caller]
    fn check(stream: &[u8], expect: &[u8]) {
        let mut whole = Tail::new();
        whole.feed(stream);
        assert_eq!(whole.unfinished(), expect);
        let mut pieces = Tail::new();
        for byte in stream {
            pieces.feed(std::slice::from_ref(byte));
        }
        assert_eq!(pieces.unfinished(), expect);
    }

    #[test]
    fn whole_messages_leave_nothing() {
        for len in [0, 1, 125, 126, 300, 70_000] {
            check(
                &[ANSWER, &frame(0x81, &vec![b'x'; len]), &frame(0x82, b"yes")].concat(),
                b"",
            );
        }
    }

    #[test]
    fn the_begin_of_a_message_is_kept() {
        let cut = &frame(0x81, b"a secret that was cut off")[..14];
        check(&[ANSWER, &frame(0x81, b"whole"), cut].concat(), b"a secret tha");
    }

    #[test]
    fn fragments_are_joined_and_pings_between_them_are_not() {
        let stream = [
            ANSWER,
            &frame(0x01, b"one "),
            &frame(0x89, b"ping"),
            &frame(0x00, b"two"),
        ]
        .concat();
        check(&stream, b"one two");
        check(&[&stream[..], &frame(0x80, b" three")].concat(), b"");
    }

    #[test]
    fn the_upgrades_answer_is_no_message() {
        check(b"HTTP/1.1 101 Switching\r\r\n\r\n\x81\x05ab", b"ab");
        check(&ANSWER[..10], b"");
    }

    #[test]
    fn what_is_announced_counts_before_it_comes() {
        let mut tail = Tail::new();
        let mut announced = |bytes: &[u8]| {
            tail.feed(bytes);
            tail.announced()
        };
        assert_eq!(announced(ANSWER), 0);
        assert_eq!(announced(&frame(0x01, b"one ")), 4);
        assert_eq!(announced(&frame(0x89, b"ping")), 4);
        assert_eq!(announced(&frame(0x00, &[b'x'; 300])[..9]), 304);
        assert_eq!(announced(&[b'x'; 295]), 304);
        assert_eq!(announced(&frame(0x80, b"end")), 0);
        assert_eq!(announced(b"\x02\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), usize::MAX);
    }

    #[test]
    fn frames_count_until_a_message_is_whole() {
        let mut tail = Tail::new();
        let mut frames = |bytes: &[u8]| {
            tail.feed(bytes);
            tail.frames()
        };
        assert_eq!(
            frames(&[ANSWER, &frame(0x89, b""), &frame(0x01, b"")].concat()),
            2
        );
        assert_eq!(frames(&frame(0x00, b"").repeat(300)), 302);
        assert_eq!(frames(&frame(0x80, b"end")), 0);
        assert_eq!(frames(&frame(0x8a, b"pong")), 1);
        assert_eq!(frames(&frame(0x82, b"whole")), 0);
    }

    #[test]
    fn frames_end_where_their_last_byte_is() {
        let mut tail = Tail::new();
        assert_eq!(tail.feed(ANSWER), 0);
        let two = [frame(0x81, b"one"), frame(0x89, b"")].concat();
        assert_eq!(tail.feed(&two), 2);
        assert_eq!(tail.feed(&two[..4]), 0);
        assert_eq!(tail.feed(&two[4..6]), 1);
        assert_eq!(tail.feed(&two[6..]), 1);
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let mut tail = Tail::new();
        tail.feed(ANSWER);
        tail.feed(&frame(0x01, &vec![b'x'; TAIL_LIMIT_BYTES + 5]));
        assert_eq!(tail.unfinished().len(), TAIL_LIMIT_BYTES);
    }
}
