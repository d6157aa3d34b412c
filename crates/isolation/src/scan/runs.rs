//! Runs of bytes of one class, found in fewer steps than there are bytes.

use std::ops::Range;

/// A class of bytes.
pub(super) type Class = [bool; 256];

/// The class of `members`.
pub(super) const fn class(members: &[u8]) -> Class {
    let mut class = [false; 256];
    let mut at = 0;
    while at < members.len() {
        class[members[at] as usize] = true;
        at += 1;
    }
    class
}

/// Base64 of either alphabet.
pub(super) static BASE64: Class =
    class(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_");
/// That, and the backslash with which JSON may escape some of it.
pub(super) static BASE64_ESCAPED: Class =
    class(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_\\");
/// What tokens and ids are made of.
pub(super) static TOKEN: Class = class(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
/// What lists of integers and dumps of bytes are made of.
pub(super) static DUMP: Class = class(b"0123456789abcdefABCDEFxX,;: \t\r\n-");

/// All maximal runs of `class` with at least `min` bytes, in order. Looks at every `min`-th byte and goes back from it to
/// the first of another class, as Boyer and Moore do: clean text costs few steps.
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    class: &'static Class,
    min: usize,
    /// No run goes on here from before.
    at: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(bytes: &'a [u8], class: &'static Class, min: usize) -> Self {
        Self {
            bytes,
            class,
            min,
            at: 0,
        }
    }

    /// Goes on at `at`, as if no run came from before.
    pub(super) fn resume_at(&mut self, at: usize) {
        self.at = at;
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let window = self.bytes.get(self.at..)?.get(..self.min)?;
            match window.iter().rposition(|byte| !self.class[usize::from(*byte)]) {
                Some(other) => self.at += other + 1,
                None => {
                    let start = self.at;
                    let rest = &self.bytes[start + self.min..];
                    let more = rest
                        .iter()
                        .take_while(|byte| self.class[usize::from(**byte)])
                        .count();
                    self.at = start + self.min + more + 1;
                    return Some(start..self.at - 1);
                }
            }
        }
    }
}
