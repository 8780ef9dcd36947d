//! Numbers and texts as the bytes of a frame, and back.
//!
//! Never reads beyond what is there: a length that is too large is no frame.

use bytes::Bytes;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }
}

/// Bytes that are being read, from the first on; nothing where they are too few.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    all: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    pub(crate) fn of(all: &'a Bytes) -> Reading<'a> {
        Reading { all, rest: all }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn tag(&mut self) -> Option<u8> {
        let (tag, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*tag)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(crate) fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    /// A text that shares what is read from: that stays as long as any of them. Two copies for each record would take longer
    /// to make, and to free, than all the rest of the reading.
    pub(crate) fn text(&mut self) -> Option<Bytes> {
        self.slice().map(|text| self.all.slice_ref(text))
    }
}
