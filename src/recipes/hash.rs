//! The hash by which keys come to shards, and instances to shares: the same in every version, on every machine.
//!
//! Never a hash that keeps an attacker out: whoever chooses the keys can choose where they go.

/// FNV-1a of 64 bits, finished as murmur3 finishes: FNV alone hardly moves the upper bits of short keys, and it is by those
/// that a share is taken.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    finished(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The last step of murmur3: each bit of the outcome depends on each bit that went in.
fn finished(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other programs may compute it, and every version must compute the same.
    #[test]
    fn a_key_has_the_hash_it_always_had() {
        let table = [
            ("", 0xefd0_1f60_ba99_2926_u64),
            ("a", 0x82a2_a958_a9be_ce5b),
            ("order-4711", 0x140f_65d6_8b87_9ec1),
        ];
        let hashes = table.map(|(key, _)| hash(key.as_bytes()));
        assert_eq!(hashes, table.map(|(_, hash)| hash));
    }
}
