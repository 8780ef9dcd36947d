//! A copy as it was read: the records as they stood at one position, and when that was known to be so.
//!
//! Never holds half of a commit, and never a record of a file that was not whole when it was begun.

use std::collections::BTreeMap;

use globe_log_client::{Batch, Bytes, Change, Keyspace, Position, Record};

use crate::chain::Chain;
use crate::frame::Frame;
use crate::frames::Frames;
use crate::refusal::Refusal;
use crate::seal::Sealer;
use crate::time::Moment;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    /// Where in the log it stands.
    pub(crate) position: Position,
    /// When the log last was known to stand there.
    pub(crate) current: Moment,
    /// All records, by their keys.
    pub(crate) records: BTreeMap<Bytes, Record>,
    /// A key that the last change deleted, if that came after the records the file begins with.
    pub(crate) deleted_last: Option<Bytes>,
    /// How many bytes of the file are the records it began with.
    pub(crate) base: usize,
    /// How many bytes of the file were believed: what is after them was not written to its end, or is damaged.
    pub(crate) length: usize,
    /// What stands up to there.
    pub(crate) chain: Chain,
}

impl Image {
    /// Reads a file.
    ///
    /// # Errors
    /// Why nothing of it is believed.
    pub(crate) fn read(
        bytes: &Bytes,
        keyspace: &Keyspace,
        sealer: &Sealer,
    ) -> Result<Image, Refusal> {
        let mut frames = Frames::of(bytes, sealer)?;
        let image = begun(&mut frames, keyspace);
        let mut image = image.map_err(|refusal| match frames.unopened.take() {
            Some(why) if refusal == Refusal::Damaged => Refusal::Unopened(why),
            _ => refusal,
        })?;
        while let Some(frame) = frames.next() {
            match frame {
                Frame::Batch(batch) if batch.revision > image.position.revision => {
                    image.apply(batch);
                }
                Frame::Current(at) => image.current = at,
                // It was not written by this program.
                _ => return Err(Refusal::Damaged),
            }
            (image.length, image.chain) = (frames.at, frames.chain);
        }
        Ok(image)
    }

    fn apply(&mut self, batch: Batch) {
        self.position.revision = batch.revision;
        if !batch.is_progress() {
            self.deleted_last = None;
        }
        for change in batch.changes {
            match change {
                Change::Put(record) => {
                    self.records.insert(record.key.clone(), record);
                }
                gone => {
                    self.records.remove(gone.key());
                    self.deleted_last = Some(gone.key().clone());
                }
            }
        }
    }
}

/// What a file must hold: its records, and when they were current.
fn begun(frames: &mut Frames<'_>, keyspace: &Keyspace) -> Result<Image, Refusal> {
    let Some(Frame::Begin {
        keyspace: found,
        position,
    }) = frames.next()
    else {
        return Err(Refusal::Damaged);
    };
    if found != keyspace.as_str() {
        return Err(Refusal::Elsewhere(found));
    }
    let records = all_records(frames)?;
    let Some(Frame::Current(current)) = frames.next() else {
        return Err(Refusal::Damaged);
    };
    Ok(Image {
        position,
        current,
        records,
        deleted_last: None,
        base: frames.at,
        length: frames.at,
        chain: frames.chain,
    })
}

/// The records of a file, all of them, each once.
fn all_records(frames: &mut Frames<'_>) -> Result<BTreeMap<Bytes, Record>, Refusal> {
    let mut all = Vec::new();
    loop {
        match frames.next() {
            Some(Frame::Records(records)) => {
                all.extend(records.into_iter().map(|one| (one.key.clone(), one)));
            }
            Some(Frame::End { records }) if records == all.len() as u64 => break,
            _ => return Err(Refusal::Damaged),
        }
    }
    let count = all.len();
    // In one go: they mostly come in their order.
    let all = BTreeMap::from_iter(all);
    match all.len() == count {
        true => Ok(all),
        false => Err(Refusal::Damaged),
    }
}
