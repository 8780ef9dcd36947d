//! Writes of one map by their keys in the log, in the order of those.
//!
//! It never holds a key twice, and never sends anything.

use bytes::Bytes;

use crate::write::draft::Guarded;

/// In one piece of memory: mostly it is one write, for which the node of a tree would be ten times as large.
#[derive(Clone, Default)]
pub(crate) struct Writes(Vec<(Bytes, Guarded)>);

impl Writes {
    pub(crate) fn one(text: Bytes, guarded: Guarded) -> Writes {
        Writes(vec![(text, guarded)])
    }

    /// Adds a write of a key that comes after all that are there.
    pub(crate) fn push(&mut self, text: Bytes, guarded: Guarded) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < text));
        self.0.push((text, guarded));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Guarded)> {
        self.0.iter().map(|(text, guarded)| (text, guarded))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Bytes, &mut Guarded)> {
        self.0.iter_mut().map(|(text, guarded)| (&*text, guarded))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().map(|(text, _)| text)
    }

    pub(crate) fn get(&self, text: &[u8]) -> Option<&Guarded> {
        let place = self.place(text)?;
        self.0.get(place).map(|(_, guarded)| guarded)
    }

    pub(crate) fn get_mut(&mut self, text: &[u8]) -> Option<&mut Guarded> {
        let place = self.place(text)?;
        self.0.get_mut(place).map(|(_, guarded)| guarded)
    }

    /// Takes a write out; its key, if there was one.
    pub(crate) fn remove(&mut self, text: &[u8]) -> Option<Bytes> {
        let place = self.place(text)?;
        Some(self.0.remove(place).0)
    }

    /// Takes out the second half of them.
    pub(crate) fn split_off_half(&mut self) -> Writes {
        Writes(self.0.split_off(self.0.len() / 2))
    }

    fn place(&self, text: &[u8]) -> Option<usize> {
        self.0.binary_search_by(|(key, _)| (**key).cmp(text)).ok()
    }
}
