//! Long runs of bytes of one class, found a block at a time.

use std::ops::Range;

/// A run of at least this many bytes holds an aligned block wholly.
pub(super) const RUN_MIN: usize = 2 * BLOCK_LEN - 1;
const BLOCK_LEN: usize = 16;

/// A class of bytes.
#[derive(Debug)]
pub(super) struct Class {
    members: [bool; 256],
    /// All bytes up to this one are no members.
    above: u8,
    /// All bytes from this one are no members, [`Class::BUT`] excepted.
    below: u8,
}

impl Class {
    const BUT: u8 = b'x';

    const fn new(text: &[u8], above: u8, below: u8) -> Self {
        let mut members = [false; 256];
        let mut at = 0;
        while at < text.len() {
            let byte = text[at];
            assert!(byte > above && (byte < below || byte == Self::BUT));
            members[byte as usize] = true;
            at += 1;
        }
        Self {
            members,
            above,
            below,
        }
    }

    /// Whether `byte` is one.
    pub(super) fn has(&self, byte: u8) -> bool {
        self.members[usize::from(byte)]
    }

    /// How many `bytes` begin with, counted a block at a time.
    fn count(&self, bytes: &[u8]) -> usize {
        let own = |block: &&[u8; BLOCK_LEN]| block.iter().fold(true, |all, byte| all & self.has(*byte));
        let blocks = bytes.as_chunks().0.iter().take_while(own).count();
        let rest = bytes[blocks * BLOCK_LEN..].iter();
        blocks * BLOCK_LEN + rest.take_while(|byte| self.has(**byte)).count()
    }

    /// Whether all of `block` could be: a test that most text fails, and cheap in vector code.
    fn may_have(&self, block: &[u8; BLOCK_LEN]) -> bool {
        let mut others = 0;
        for byte in block {
            let own = (*byte > self.above) & ((*byte < self.below) | (*byte == Self::BUT));
            others |= u8::from(!own);
        }
        others == 0
    }
}

/// Base64 of either alphabet.
pub(super) static BASE64: Class = Class::new(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_",
    b'*',
    b'{',
);
/// That, and the backslash with which JSON may escape some of it.
pub(super) static BASE64_ESCAPED: Class = Class::new(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_\\",
    b'*',
    b'{',
);
/// What tokens and ids are made of.
pub(super) static TOKEN: Class = Class::new(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    b',',
    b'{',
);
/// What lists of integers and dumps of bytes are made of.
pub(super) static DUMP: Class = Class::new(b"0123456789abcdefABCDEFxX,;: \t\r\n-", 8, b'g');

/// All maximal runs of a class with at least [`RUN_MIN`] bytes, in order.
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    class: &'static Class,
    /// No run goes on here from before.
    at: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(bytes: &'a [u8], class: &'static Class) -> Self {
        Self { bytes, class, at: 0 }
    }

    /// Goes on at `at`, as if no run came from before.
    pub(super) fn resume_at(&mut self, at: usize) {
        self.at = at;
    }

    /// The next aligned block that may be in a run.
    fn block(&self) -> Option<usize> {
        let from = self.at.next_multiple_of(BLOCK_LEN);
        let (blocks, _) = self.bytes.get(from..)?.as_chunks::<BLOCK_LEN>();
        let nth = blocks.iter().position(|block| self.class.may_have(block))?;
        Some(from + nth * BLOCK_LEN)
    }

    /// The run that has the byte at `inside`.
    fn around(&self, inside: usize) -> Range<usize> {
        let member = |byte: &&u8| self.class.has(**byte);
        let after = self.class.count(&self.bytes[inside..]);
        if after < BLOCK_LEN {
            // Not even this block.
            return inside..inside + after;
        }
        let before = self.bytes[self.at..inside]
            .iter()
            .rev()
            .take_while(member)
            .count();
        inside - before..inside + after
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let run = self.around(self.block()?);
            self.at = run.end + 1;
            if run.len() >= RUN_MIN {
                return Some(run);
            }
        }
    }
}
