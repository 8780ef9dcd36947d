//! The frames of a file, one after the other, up to the last that can be believed.
//!
//! Never says whether their order makes sense: `image` does.

use globe_log_client::Bytes;

use crate::chain::Chain;
use crate::file::{HEAD, MAGIC, PREFIX, VERSION};
use crate::frame::Frame;
use crate::refusal::Refusal;
use crate::seal::Sealer;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a Bytes,
    sealer: &'a Sealer,
    /// Up to where it was read.
    pub(crate) at: usize,
    /// What stands up to there.
    pub(crate) chain: Chain,
    /// Why there is nothing more, if it is not that the file ends or is damaged.
    pub(crate) unopened: Option<String>,
}

impl<'a> Frames<'a> {
    /// # Errors
    /// Why nothing of it is believed.
    pub(crate) fn of(bytes: &'a Bytes, sealer: &'a Sealer) -> Result<Frames<'a>, Refusal> {
        let Some((head, _)) = bytes.split_first_chunk::<HEAD>() else {
            let is_begun = bytes.starts_with(MAGIC) || MAGIC.starts_with(bytes);
            return Err(match is_begun {
                true => Refusal::Damaged,
                false => Refusal::Foreign,
            });
        };
        if !head.starts_with(MAGIC) {
            return Err(Refusal::Foreign);
        }
        let number = |from: usize| {
            let mut four = [0; 4];
            four.copy_from_slice(&head[from..from + 4]);
            u32::from_le_bytes(four)
        };
        match (number(8), number(12)) {
            (version, _) if version > VERSION => Err(Refusal::Newer(version)),
            (VERSION, 0) if sealer.is_set() => Err(Refusal::Unsealed),
            (VERSION, 1) if !sealer.is_set() => Err(Refusal::Sealed),
            (VERSION, 0 | 1) => Ok(Frames {
                bytes,
                sealer,
                at: HEAD,
                chain: Chain::after_head(head),
                unopened: None,
            }),
            _ => Err(Refusal::Damaged),
        }
    }

    fn read(&mut self) -> Option<Frame> {
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        let size = usize::try_from(length).ok()?;
        let body = rest.get(..size)?;
        let chain = self.chain.after(length, body);
        if chain.bytes() != *sum {
            return None;
        }
        let frame = if self.sealer.is_set() {
            self.opened(body)?
        } else {
            Frame::read(&self.bytes.slice_ref(body))?
        };
        (self.at, self.chain) = (self.at + PREFIX + size, chain);
        Some(frame)
    }

    fn opened(&mut self, body: &[u8]) -> Option<Frame> {
        let plain = match self.sealer.open(body) {
            Ok(plain) => Bytes::from(plain),
            Err(error) => {
                self.unopened = Some(error.to_string());
                return None;
            }
        };
        let (body, before) = plain.split_last_chunk()?;
        (*before == self.chain.bytes()).then(|| Frame::read(&plain.slice_ref(body)))?
    }
}

impl Iterator for Frames<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        self.read()
    }
}
