//! The request ids that a connection has used.

use std::ops::Range;

/// Ids from 1 on, consecutive but for the gaps that phases and probes leave.
#[derive(Debug)]
pub(super) struct RequestIds {
    /// Those that were used, in order.
    used: Vec<Range<u32>>,
    last: u32,
    /// How many there are on the wire, where they start again.
    wraps: Option<u32>,
}

impl RequestIds {
    pub(super) fn new(wraps: Option<u32>) -> Self {
        Self {
            used: Vec::new(),
            last: 0,
            wraps,
        }
    }

    /// From here on, ids are above `base`.
    pub(super) fn align(&mut self, base: u32) {
        self.last = self.last.max(base);
    }

    /// The next.
    pub(super) fn peek(&self) -> u32 {
        self.last + 1
    }

    pub(super) fn skip(&mut self, count: u32) {
        self.last = self.last.saturating_add(count);
    }

    /// The next, which is used from now on.
    pub(super) fn take(&mut self) -> u32 {
        let id = self.peek();
        self.last = id;
        match self.used.last_mut() {
            Some(last) if last.end == id => last.end = id + 1,
            _ => self.used.push(id..id + 1),
        }
        id
    }

    /// The id that was used and that a message spells so; where ids start again, the last of those.
    pub(super) fn of(&self, spelt: &str) -> Option<u32> {
        let mut id = canonical(spelt)?;
        if let Some(wraps) = self.wraps.filter(|wraps| id <= *wraps && id <= self.last) {
            id = self.last - (self.last - id) % wraps;
            while !self.is_used(id) {
                id = id.checked_sub(wraps)?;
            }
        }
        self.is_used(id).then_some(id)
    }

    /// Whether it was used; mostly one of the latest is asked for.
    fn is_used(&self, id: u32) -> bool {
        self.used
            .iter()
            .rev()
            .find(|used| used.start <= id)
            .is_some_and(|used| used.contains(&id))
    }
}

/// The number that a request id spells as connections spell them.
fn canonical(request: &str) -> Option<u32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let number = request.bytes().try_fold(0_u32, |number, byte| {
        number.checked_mul(10)?.checked_add(digit(byte)?)
    });
    number.filter(|_| !request.is_empty() && !request.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Slot, Template, Values};

    #[test]
    fn where_ids_start_again_they_are_the_last_that_were_used() {
        let mut ids = RequestIds::new(Some(255));
        let spelt = |id: u32| {
            let frame = Template::parse("${id:u8}").unwrap();
            assert_eq!(frame.ids(), Some(255));
            frame.json(&Values::new().with(Slot::Id, id.to_string())).unwrap()
        };
        for (base, count) in [(0, 300), (100_000, 3), (100_254, 300)] {
            ids.align(base);
            for _ in 0..count {
                let id = ids.take();
                assert_ne!(spelt(id), "0");
                assert_eq!(ids.of(&spelt(id)), Some(id));
            }
        }
        // one of long ago, and one that never was
        let mut first = RequestIds::new(Some(255));
        while first.take() < 3 {}
        first.align(100_000);
        assert_eq!(
            (first.of("3"), first.of("4"), first.of("256")),
            (Some(3), None, None)
        );
    }
}
