//! What the thread that writes is told.
//!
//! Never holds a copy of a record: keys and values are shared with whoever reads the log.

use globe_log_client::{Batch, Change, Position, Record, Result};
use tokio::sync::oneshot;

use crate::time::Moment;

/// Who reads the log: somebody to whom it matters, or the task that only mends the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    User,
    Mender,
}

/// The reading of a snapshot: its number, where the snapshot is true, when it was asked for, and who reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) id: u64,
    pub(crate) position: Position,
    pub(crate) asked: Moment,
    pub(crate) reader: Reader,
}

/// What happened, in its order.
#[derive(Debug)]
pub(crate) enum Note {
    /// A snapshot is being read.
    Begin(Begun),
    /// Records of it.
    Page { id: u64, records: Vec<Record> },
    /// That was all of it.
    End { id: u64, position: Position },
    /// The rest of it does not come.
    Abandoned { id: u64 },
    /// A tail that stood at `from` delivered this.
    Batch {
        from: Position,
        batch: Batch,
        reader: Reader,
    },
    /// Who stood at `from`, and nowhere else, has come to the batch's revision by all of this.
    Difference { from: Position, batch: Batch },
    /// The log was asked where it stands, at this moment.
    Head { position: Position, asked: Moment },
    /// Somebody wants to mend the copy: where does it stand?
    Check(oneshot::Sender<Here>),
    /// All that can be mended is; it is answered when that is known to all.
    Mended(oneshot::Sender<()>),
    /// Everything shall be on the disk.
    Flush(oneshot::Sender<Result<()>>),
    /// So it shall, and then nothing more is written.
    Close(oneshot::Sender<Result<()>>),
}

/// Where the copy stands, for who wants to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    /// Another process writes it.
    Theirs,
    /// It cannot be written.
    Failing,
    /// There is none yet that could be gone on with.
    Nowhere,
    At(Position),
}

/// What a note weighs, and each record in it, besides its bytes.
const EACH: usize = 128;

impl Note {
    /// Whether the copy lacks something without it. Another head will come.
    pub(crate) fn is_missed(&self) -> bool {
        !matches!(self, Note::Head { .. })
    }

    /// Where the copy stands with it, if it leads further.
    pub(crate) fn leads_to(&self) -> Option<Position> {
        match self {
            Note::End { position, .. } => Some(*position),
            Note::Batch { from, batch, .. } | Note::Difference { from, batch } => {
                Some(Position::new(from.epoch, batch.revision))
            }
            _ => None,
        }
    }

    /// Roughly how many bytes it keeps in memory.
    pub(crate) fn weight(&self) -> usize {
        let bytes: usize = match self {
            Note::Page { records, .. } => records.iter().map(record).sum(),
            Note::Batch { batch, .. } | Note::Difference { batch, .. } => {
                batch.changes.iter().map(change).sum()
            }
            _ => 0,
        };
        EACH + bytes
    }
}

fn record(record: &Record) -> usize {
    EACH + record.key.len() + record.value.len()
}

pub(crate) fn change(change: &Change) -> usize {
    match change {
        Change::Put(put) => record(put),
        gone => EACH + gone.key().len(),
    }
}
