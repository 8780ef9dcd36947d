//! Takes the requests for progress out of what a client sends on a watch.
//!
//! It knows nothing else of etcd's messages, and passes everything else on as it came.

use bytes::{Buf, Bytes, BytesMut};

/// The length of what stands before each message: whether it is compressed, and how long it is.
const HEAD: usize = 5;

/// The first byte of a `WatchRequest` that asks for progress: field 3, a message.
const PROGRESS: u8 = 0x1a;

/// What has come of a message that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    held: BytesMut,
    /// How many requests for progress were taken out.
    pub(crate) dropped: u64,
}

impl Sieve {
    /// The whole messages that came with this piece, but those that ask for progress.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        let mut passed = BytesMut::new();
        while let Some(message) = self.next() {
            if message.get(HEAD) == Some(&PROGRESS) {
                self.dropped += 1;
            } else {
                passed.extend_from_slice(&message);
            }
        }
        passed.freeze()
    }

    /// The next whole message, with what stands before it.
    fn next(&mut self) -> Option<BytesMut> {
        let mut length = self.held.get(1..HEAD)?;
        let whole = HEAD + usize::try_from(length.get_u32()).expect("a length");
        (self.held.len() >= whole).then(|| self.held.split_to(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0], &length[..], body].concat()
    }

    #[test]
    fn requests_for_progress_are_taken_out_wherever_the_pieces_end() {
        let (create, progress, cancel) = (
            message(&[0x0a, 2, 8, 1]),
            message(&[0x1a, 0]),
            message(&[0x12, 0]),
        );
        let sent = [&create[..], &progress, &cancel, &progress].concat();
        for length in 1..=sent.len() {
            let mut sieve = Sieve::default();
            let passed: Vec<u8> = sent
                .chunks(length)
                .flat_map(|piece| sieve.pass(piece))
                .collect();
            assert_eq!(
                passed,
                [&create[..], &cancel].concat(),
                "pieces of {length}"
            );
            assert_eq!(sieve.dropped, 2);
        }
    }
}
