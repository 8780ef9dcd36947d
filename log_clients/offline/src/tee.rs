//! Snapshots, differences and tails as the log delivers them, each piece of which is noted on its way.
//!
//! Never changes, delays or reorders one, and never reads ahead.

use futures::stream;
use globe_log_client::{Batch, Change, Difference, Position, Result, Snapshot, Tail};

use crate::note::{self, Begun, Note, Reader};
use crate::queue::{Notes, ROOM};
use crate::time::Moment;

/// A snapshot that was asked for at `asked`; its reading has a number of its own.
pub(crate) fn snapshot(inner: Snapshot, notes: Notes, id: u64, asked: Moment) -> Snapshot {
    let position = inner.position();
    let begun = Begun {
        id,
        position,
        asked,
        reader: Reader::User,
    };
    let is_heard = notes.queue().offer(Note::Begin(begun));
    let reading = Reading {
        notes,
        id,
        position,
        is_heard,
    };
    let pages = stream::unfold((inner, reading), |(mut inner, mut reading)| async move {
        let page = inner.next_page().await;
        match &page {
            Ok(Some(records)) => reading.note(|id| {
                let records = records.clone();
                Note::Page { id, records }
            }),
            Ok(None) => reading.end(),
            // It is given up when it is dropped.
            Err(_) => {}
        }
        page.transpose().map(|page| (page, (inner, reading)))
    });
    Snapshot::new(position, pages)
}

/// The reading of one snapshot. Dropped before its end, it is given up.
struct Reading {
    notes: Notes,
    id: u64,
    position: Position,
    /// All of it was noted so far, and its end was not.
    is_heard: bool,
}

impl Reading {
    fn note(&mut self, note: impl FnOnce(u64) -> Note) {
        if self.is_heard {
            self.is_heard = self.notes.queue().offer(note(self.id));
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_heard) {
            let (id, position) = (self.id, self.position);
            self.notes.queue().tell(Note::End { id, position });
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.is_heard {
            self.notes.queue().tell(Note::Abandoned { id: self.id });
        }
    }
}

/// A difference to what stood at `since`. It is kept until its end, as one commit that may be written: or, where it is larger
/// than what may be on the way, not at all.
pub(crate) fn difference(inner: Difference, notes: Notes, since: Position) -> Difference {
    let position = inner.position();
    let kept = Some((Vec::new(), 0));
    let pages = stream::unfold((inner, kept), move |(mut inner, mut kept)| {
        let notes = notes.clone();
        async move {
            let page = inner.next_page().await;
            match &page {
                Ok(Some(changes)) => kept = kept.and_then(|kept| keep(kept, changes)),
                Ok(None) => end(&notes, since, position, kept.take()),
                // The copy stays where it is.
                Err(_) => {}
            }
            page.transpose().map(|page| (page, (inner, kept)))
        }
    });
    Difference::new(position, pages)
}

/// Changes, and how many bytes they weigh.
type Kept = (Vec<Change>, usize);

fn keep((mut all, mut bytes): Kept, changes: &[Change]) -> Option<Kept> {
    bytes += changes.iter().map(note::change).sum::<usize>();
    all.extend_from_slice(changes);
    (bytes <= ROOM).then_some((all, bytes))
}

fn end(notes: &Notes, since: Position, position: Position, kept: Option<Kept>) {
    // Who comes there by what is not kept has left the copy behind.
    let (from, changes) = match kept {
        Some((changes, _)) => (since, changes),
        None => (position, Vec::new()),
    };
    let batch = Batch::new(position.revision, changes);
    notes.queue().offer(Note::Difference { from, batch });
}

/// A tail that was opened after `after`.
pub(crate) fn tail(inner: Tail, notes: Notes, after: Position) -> Tail {
    let begun = (inner, notes, after);
    let batches = stream::unfold(begun, |(mut inner, notes, mut from)| async move {
        let batch: Result<Batch> = inner.next().await;
        if let Ok(batch) = &batch {
            let (reader, batch) = (Reader::User, batch.clone());
            let revision = batch.revision;
            notes.queue().offer(Note::Batch {
                from,
                batch,
                reader,
            });
            from.revision = revision;
        }
        Some((batch, (inner, notes, from)))
    });
    Tail::new(batches)
}
