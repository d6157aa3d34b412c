//! Bech32m's checksum (BIP-350), over symbols of five bits and without a human-readable part.
//!
//! The BCH code detects any four wrong symbols among up to 89, and misses one in 2^30 of worse damage.

/// Symbols of the checksum.
pub(super) const LEN: usize = 6;

/// Generator constants of BIP-173, which BIP-350 keeps.
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
/// BIP-350's constant, which tells Bech32m from Bech32.
const BECH32M: u32 = 0x2bc8_30a3;

fn polymod(symbols: impl IntoIterator<Item = u8>) -> u32 {
    symbols.into_iter().fold(1, |sum, symbol| {
        let top = sum >> 25;
        let mut next = (sum & 0x01ff_ffff) << 5 ^ u32::from(symbol);
        for (bit, constant) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                next ^= constant;
            }
        }
        next
    })
}

/// The six symbols that follow `data`.
pub(super) fn checksum(data: &[u8]) -> [u8; LEN] {
    let sum = polymod(data.iter().copied().chain([0; LEN])) ^ BECH32M;
    std::array::from_fn(|at| (sum >> (5 * (LEN - 1 - at)) & 31) as u8)
}

/// Whether the last six of `symbols` are the checksum of those before.
pub(super) fn holds(symbols: &[u8]) -> bool {
    polymod(symbols.iter().copied()) == BECH32M
}

#[cfg(test)]
mod tests {
    use super::{LEN, checksum, holds};

    /// Symbol order of Bech32's own alphabet.
    const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

    /// A test vector of BIP-350: expands the human-readable part and checks all symbols.
    #[track_caller]
    fn check(vector: &str) {
        let (human, data) = vector.rsplit_once('1').unwrap();
        let mut symbols: Vec<u8> = human.bytes().map(|byte| byte >> 5).collect();
        symbols.push(0);
        symbols.extend(human.bytes().map(|byte| byte & 31));
        symbols.extend(data.chars().map(|symbol| CHARSET.find(symbol).unwrap() as u8));
        assert!(holds(&symbols), "{vector}");
        let split = symbols.len() - LEN;
        assert_eq!(checksum(&symbols[..split]), symbols[split..], "{vector}");
    }

    #[test]
    fn agrees_with_the_vectors_of_bip_350() {
        check("a1lqfn3a");
        check("an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6");
        check("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx");
        check("split1checkupstagehandshakeupstreamerranterredcaperredlc445v");
        check("?1v759aa");
    }
}
