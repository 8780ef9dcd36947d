//! A hash of bytes that is the same on every machine and in every version: what processes must agree on is derived from it.
//!
//! Never withstands somebody who looks for collisions: it only spreads.

/// FNV-1a of 64 bits, then [`mix`]ed: FNV alone leaves its upper bits alike for short texts.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325_u64;
    let fnv = bytes.iter().fold(begin, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

/// The finaliser of MurmurHash3: each bit of the number moves each bit of the result.
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number;
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes of other versions must agree: these numbers never change.
    #[test]
    fn a_hash_is_the_same_for_ever() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"web-7"), 0x8103_70e4_21a0_bc6a);
        assert_eq!(mix(0), 0);
    }
}
