//! The form of a copy's file: a head that says what it is, and frames, each with its length and its checksum.
//!
//! Never believes a frame whose checksum is another, nor anything after it.

use std::io;

use crate::chain::Chain;
use crate::frame::Frame;
use crate::seal::Sealer;

/// What the file begins with.
pub(crate) const MAGIC: &[u8; 8] = b"GlobeCpy";

/// The version that is written, and the only one that is known.
pub(crate) const VERSION: u32 = 1;

/// The bytes before the first frame: magic, version, whether it is sealed.
pub(crate) const HEAD: usize = 16;

/// Length and checksum, before each frame.
pub(crate) const PREFIX: usize = 8;

/// What a file begins with.
pub(crate) fn head(is_sealed: bool) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..].copy_from_slice(&u32::from(is_sealed).to_le_bytes());
    head
}

/// A frame as it stands in a file, after what stands there, and what stands there then.
///
/// # Errors
/// Of the seal; `InvalidData` for a frame that cannot be written.
pub(crate) fn framed(frame: &Frame, chain: Chain, sealer: &Sealer) -> io::Result<(Vec<u8>, Chain)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut body = frame.bytes().ok_or_else(invalid)?;
    if sealer.is_set() {
        // The checksum is no secret, so who can write the file could move sealed frames about.
        body.extend_from_slice(&chain.bytes());
        body = sealer.seal(body)?;
    }
    let length = u32::try_from(body.len()).map_err(|_| invalid())?;
    let chain = chain.after(length, &body);
    let mut bytes = Vec::with_capacity(PREFIX + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&chain.bytes());
    bytes.append(&mut body);
    Ok((bytes, chain))
}
