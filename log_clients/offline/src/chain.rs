//! The checksum of a frame, which is also one of all that stands before it.
//!
//! Never differs between two builds, machines or runs: it is a CRC-32 (IEEE).

use crc32fast::Hasher;

/// What stands in a file up to some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain(u32);

impl Chain {
    /// After the head of a file.
    pub(crate) fn after_head(head: &[u8]) -> Chain {
        Chain(crc32fast::hash(head))
    }

    /// After one more frame: so it belongs in this place of this file, and nowhere else.
    pub(crate) fn after(self, length: u32, body: &[u8]) -> Chain {
        let mut hasher = Hasher::new();
        hasher.update(&self.bytes());
        hasher.update(&length.to_le_bytes());
        hasher.update(body);
        Chain(hasher.finalize())
    }

    pub(crate) fn bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }
}
