//! Places of rare bytes, found a block at a time: loops over arrays, which the compiler turns into vector
//! code.

/// Bytes that are looked at together at first, and where something was found.
const WIDE: usize = 128;
const NARROW: usize = 16;

/// Calls `seen` with all places whose byte `is` such a one, in order. Cheap if few are.
pub(super) fn each(bytes: &[u8], is: impl Fn(u8) -> bool + Copy, mut seen: impl FnMut(usize)) {
    let (wide, rest) = bytes.as_chunks::<WIDE>();
    let mut from = 0;
    for block in wide {
        if any(block, is) {
            narrowly(block, from, is, &mut seen);
        }
        from += WIDE;
    }
    narrowly(rest, from, is, &mut seen);
}

fn narrowly(bytes: &[u8], mut from: usize, is: impl Fn(u8) -> bool + Copy, seen: &mut impl FnMut(usize)) {
    let (narrow, rest) = bytes.as_chunks::<NARROW>();
    for block in narrow {
        if any(block, is) {
            slowly(block, from, is, seen);
        }
        from += NARROW;
    }
    slowly(rest, from, is, seen);
}

/// Whether any byte is; looks at all of them, since that is faster than to stop.
fn any<const N: usize>(block: &[u8; N], is: impl Fn(u8) -> bool) -> bool {
    let mut any = 0;
    for byte in block {
        any |= u8::from(is(*byte));
    }
    any != 0
}

fn slowly(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool, seen: &mut impl FnMut(usize)) {
    for (at, byte) in bytes.iter().enumerate() {
        if is(*byte) {
            seen(from + at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::each;

    proptest! {
        #[test]
        fn as_a_plain_loop_finds_them(bytes in prop::collection::vec(0..40_u8, 0..600)) {
            let mut found = Vec::new();
            each(&bytes, |byte| byte == 4, |at| found.push(at));
            let expected: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == 4).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
