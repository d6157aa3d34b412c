//! Numbers and bytes, from bits and to bits.

use super::Integer;

/// Most bytes of a number in LEB128.
const VARINT_BYTES_MAX: usize = 10;

/// Why something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end before it does.
    Short,
    /// It is not what it has to be.
    Wrong,
}

/// Reads bytes from the first on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read, those among them of which bits are left.
    pub(super) fn position(&self) -> usize {
        self.at.div_ceil(8)
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position()..).unwrap_or_default()
    }

    pub(super) fn number(&mut self, integer: Integer) -> Result<u64, Fault> {
        match integer {
            Integer::Bits(bits) => self.bits(bits),
            Integer::Little(bytes) => {
                let bytes = self.take(bytes as usize)?;
                Ok(bytes
                    .iter()
                    .rev()
                    .fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            Integer::Varint => self.varint(),
        }
    }

    fn bits(&mut self, bits: u32) -> Result<u64, Fault> {
        let mut number = 0;
        for _ in 0..bits {
            let byte = self.bytes.get(self.at / 8).ok_or(Fault::Short)?;
            number = number << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(number)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        for place in 0..VARINT_BYTES_MAX {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * place);
            if shifted >> (7 * place) != bits {
                return Err(Fault::Wrong);
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Wrong)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.rest().get(..count).ok_or(Fault::Short)?;
        self.at = 8 * (self.position() + count);
        Ok(taken)
    }
}

/// Writes bytes, the first first.
#[derive(Debug, Default)]
pub(super) struct Pen {
    pub(super) bytes: Vec<u8>,
    /// Bits of the last byte that are written; none if it is whole.
    begun: u32,
}

impl Pen {
    /// A number that fits.
    pub(super) fn number(&mut self, integer: Integer, number: u64) {
        match integer {
            Integer::Bits(bits) => {
                for bit in (0..bits).rev() {
                    self.bit((number >> bit & 1) as u8);
                }
            }
            Integer::Little(bytes) => self.put(&number.to_le_bytes()[..bytes as usize]),
            Integer::Varint => {
                let mut rest = number;
                while rest >= 0x80 {
                    self.put(&[rest as u8 | 0x80]);
                    rest >>= 7;
                }
                self.put(&[rest as u8]);
            }
        }
    }

    fn bit(&mut self, bit: u8) {
        if self.begun == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= bit << (7 - self.begun);
        }
        self.begun = (self.begun + 1) % 8;
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.begun = 0;
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(integer: Integer, number: u64, expect: &[u8]) {
        let mut pen = Pen::default();
        pen.number(integer, number);
        assert_eq!(pen.bytes, expect);
        assert_eq!(Cursor::new(expect).number(integer), Ok(number));
        let cut = &expect[..expect.len() - 1];
        assert_eq!(Cursor::new(cut).number(integer), Err(Fault::Short));
    }

    #[test]
    fn numbers_as_they_are_written() {
        check(Integer::Bits(8), 0x82, &[0x82]);
        check(Integer::Bits(16), 0x0102, &[1, 2]);
        check(Integer::Little(2), 0x0102, &[2, 1]);
        check(Integer::Little(4), 0x0102_0304, &[4, 3, 2, 1]);
        check(Integer::Bits(64), u64::MAX, &[0xff; 8]);
        // the examples of MQTT 3.1.1, 2.2.3
        check(Integer::Varint, 127, &[0x7f]);
        check(Integer::Varint, 321, &[0xc1, 0x02]);
        check(Integer::Varint, 268_435_455, &[0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(
            Cursor::new(&[0xff; 10]).number(Integer::Varint),
            Err(Fault::Wrong)
        );
        assert_eq!(
            Cursor::new(&[0x80; 11]).number(Integer::Varint),
            Err(Fault::Wrong)
        );
    }

    #[test]
    fn bits_share_bytes() {
        let mut pen = Pen::default();
        for (bits, number) in [(4, 3), (1, 0), (2, 1), (1, 1), (12, 0xabc), (4, 0xd)] {
            pen.number(Integer::Bits(bits), number);
        }
        assert_eq!(pen.bytes, [0x33, 0xab, 0xcd]);
        let mut cursor = Cursor::new(&pen.bytes);
        assert_eq!(cursor.number(Integer::Bits(4)), Ok(3));
        assert_eq!((cursor.position(), cursor.rest()), (1, &[0xab, 0xcd][..]));
        assert_eq!(cursor.number(Integer::Bits(4)), Ok(3));
        assert_eq!(cursor.number(Integer::Bits(12)), Ok(0xabc));
    }

    proptest! {
        #[test]
        fn numbers_survive(number: u64, bits in 1..=64_u32, bytes in 1..=8_u32) {
            for integer in [Integer::Bits(bits), Integer::Little(bytes), Integer::Varint] {
                let number = number & integer.max();
                let mut pen = Pen::default();
                pen.number(integer, number);
                prop_assert_eq!(Cursor::new(&pen.bytes).number(integer), Ok(number));
            }
        }
    }
}
