//! Bech32m's checksum (BIP-350), over symbols of five bits and without a human-readable part.
//!
//! The BCH code detects any four wrong symbols among up to 89, and misses one in 2^30 of worse damage.

use super::BLOCK_LEN;

/// Symbols of the checksum.
pub(super) const LEN: usize = 6;

/// Generator constants of BIP-173, which BIP-350 keeps.
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
/// BIP-350's constant, which tells Bech32m from Bech32.
const BECH32M: u32 = 0x2bc8_30a3;

/// What the sum of a block is without its symbols.
const EMPTY: u32 = {
    let (mut sum, mut place) = (1, 0);
    while place < BLOCK_LEN {
        sum = advance(sum, 0);
        place += 1;
    }
    sum
};
/// What a symbol adds to the sum of a block, by its place and value: the code is linear.
static ADDED: [[u32; 32]; BLOCK_LEN] = added();

const fn advance(sum: u32, symbol: u8) -> u32 {
    let top = sum >> 25;
    let mut next = (sum & 0x01ff_ffff) << 5 ^ symbol as u32;
    let mut bit = 0;
    while bit < GENERATOR.len() {
        if top >> bit & 1 == 1 {
            next ^= GENERATOR[bit];
        }
        bit += 1;
    }
    next
}

const fn added() -> [[u32; 32]; BLOCK_LEN] {
    let mut table = [[0; 32]; BLOCK_LEN];
    let mut place = 0;
    while place < BLOCK_LEN {
        let mut value = 0;
        while value < 32 {
            let (mut sum, mut after) = (value as u32, place + 1);
            while after < BLOCK_LEN {
                sum = advance(sum, 0);
                after += 1;
            }
            table[place][value] = sum;
            value += 1;
        }
        place += 1;
    }
    table
}

/// The sum of a block that begins with `symbols`, and goes on with zeroes.
fn sum(symbols: &[u8]) -> u32 {
    let added = symbols
        .iter()
        .zip(&ADDED)
        .map(|(symbol, added)| added[usize::from(symbol & 31)]);
    added.fold(EMPTY, |sum, added| sum ^ added)
}

/// The six symbols that follow `data`, which are all others of a block.
pub(super) fn checksum(data: &[u8; BLOCK_LEN - LEN]) -> [u8; LEN] {
    let sum = sum(data) ^ BECH32M;
    std::array::from_fn(|at| (sum >> (5 * (LEN - 1 - at)) & 31) as u8)
}

/// Whether the last six of `symbols` are the checksum of those before.
pub(super) fn holds(symbols: &[u8; BLOCK_LEN]) -> bool {
    sum(symbols) == BECH32M
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BECH32M, BLOCK_LEN, LEN, advance, checksum, holds};

    /// Symbol order of Bech32's own alphabet.
    const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

    /// The sum as BIP-173 computes it.
    fn polymod(symbols: &[u8]) -> u32 {
        symbols.iter().fold(1, |sum, symbol| advance(sum, *symbol))
    }

    /// A test vector of BIP-350: expands the human-readable part and checks all symbols.
    #[track_caller]
    fn check(vector: &str) {
        let (human, data) = vector.rsplit_once('1').unwrap();
        let mut symbols: Vec<u8> = human.bytes().map(|byte| byte >> 5).collect();
        symbols.push(0);
        symbols.extend(human.bytes().map(|byte| byte & 31));
        symbols.extend(data.chars().map(|symbol| CHARSET.find(symbol).unwrap() as u8));
        assert_eq!(polymod(&symbols), BECH32M, "{vector}");
    }

    #[test]
    fn agrees_with_the_vectors_of_bip_350() {
        check("a1lqfn3a");
        check("an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6");
        check("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx");
        check("split1checkupstagehandshakeupstreamerranterredcaperredlc445v");
        check("?1v759aa");
    }

    proptest! {
        #[test]
        fn the_table_sums_as_the_code_does(data: [u8; BLOCK_LEN - LEN], wrong in 0..BLOCK_LEN, by in 1_u8..32) {
            let data = data.map(|byte| byte & 31);
            let mut block = [0; BLOCK_LEN];
            block[..data.len()].copy_from_slice(&data);
            block[data.len()..].copy_from_slice(&checksum(&data));
            prop_assert_eq!(polymod(&block), BECH32M);
            prop_assert!(holds(&block));
            block[wrong] ^= by;
            prop_assert!(!holds(&block));
        }
    }
}
