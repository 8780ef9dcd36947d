//! The one thread that writes a copy: a snapshot as a new file in the place of the old one, and what comes after it at its end.
//!
//! Never delays who reads the log, and never lets it fail: what cannot be written is told of, and the file stays as it was.

use std::io;
use std::sync::Arc;

use globe_log_client::{Batch, Error, ErrorKind, Position, Result};
use tokio::sync::watch;

use crate::lack::Lack;
use crate::note::{Begun, Here, Note, Reader};
use crate::open_copy::OpenCopy;
use crate::place::Place;
use crate::queue::{Found, Queue};
use crate::right::{Held, Right};
use crate::staged::Staged;
use crate::standing::Standing;
use crate::time::Moment;

/// So many notes are taken before what was written is shown, if there is no pause before.
const TOGETHER: usize = 1_000;

/// Who writes one copy.
#[derive(Debug)]
pub(crate) struct Recorder {
    place: Place,
    standing: watch::Sender<Standing>,
    state: State,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct State {
    right: Right,
    /// A snapshot on its way.
    staged: Option<(Begun, Staged)>,
    /// The copy, if it can be gone on with.
    open: Option<OpenCopy>,
    /// What lies there was not believed: it is kept under another name before it is replaced.
    is_refused: bool,
    lack: Lack,
    failure: Option<Error>,
}

impl Recorder {
    pub(crate) fn new(place: Place, standing: watch::Sender<Standing>) -> Recorder {
        let state = State::default();
        Recorder {
            place,
            standing,
            state,
            is_closed: false,
        }
    }

    /// Until nobody is left who could tell it something.
    pub(crate) fn run(mut self, queue: Arc<Queue>) {
        // However it ends, nobody waits for room.
        let queue = Closing(queue);
        let mut taken = 0;
        while !self.is_closed {
            let done = match queue.0.next(taken > 0) {
                Found::Note(note) => {
                    taken += 1;
                    self.take(note)
                }
                Found::Loss => {
                    taken += 1;
                    self.lost();
                    Ok(())
                }
                Found::Nothing => {
                    taken = TOGETHER;
                    Ok(())
                }
                Found::Over => return self.end_reading(),
            };
            let done = match taken {
                TOGETHER => {
                    taken = 0;
                    done.and_then(|()| self.show())
                }
                _ => done,
            };
            if let Err(error) = done {
                self.failed(&error);
            }
        }
    }

    /// What is there can be read from now on.
    fn show(&mut self) -> io::Result<()> {
        let state = &mut self.state;
        let mut written = None;
        if let Some(open) = &mut state.open {
            open.output.flush()?;
            written = Some(open.readable());
        }
        if written.is_some() && state.failure.take().is_some() {
            let keyspace = &self.place.keyspace;
            tracing::info!(%keyspace, file = %self.place.file().display(), "the copy is written again");
        }
        let now = Standing {
            written,
            // Who reads a snapshot brings all.
            is_behind: state.lack.is_any() && state.staged.is_none(),
            failure: state.failure.clone(),
        };
        // Who mends is not woken by every commit.
        let is_behind = now.is_behind;
        self.standing.send_if_modified(|standing| {
            let before = std::mem::replace(standing, now);
            before.is_behind != is_behind
        });
        Ok(())
    }

    /// All that is known is on the disk.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(open) = &mut self.state.open {
            open.say()?;
            open.output.flush()?;
            open.output.file().sync_data()?;
        }
        self.show()
    }

    /// Nothing more will come.
    fn end_reading(&mut self) {
        self.drop_staged();
        self.finish().unwrap_or_else(|error| self.failed(&error));
    }

    /// Gives up the right to write before it says so.
    fn close(&mut self) -> Result<()> {
        self.end_reading();
        let state = std::mem::take(&mut self.state);
        self.standing.send_replace(Standing::default());
        self.is_closed = true;
        state.failure.map_or(Ok(()), Err)
    }

    /// The file stays as it is until it is mended, or another snapshot comes.
    fn failed(&mut self, error: &io::Error) {
        let state = &mut self.state;
        (state.open, state.staged) = (None, None);
        state.lack.doubt();
        if state.right.is_held() {
            self.place.discard();
        }
        let file = self.place.file();
        let failure = explained(error, &self.place);
        if state.failure.replace(failure).is_none() {
            let keyspace = &self.place.keyspace;
            tracing::warn!(%keyspace, file = %file.display(), %error, "the copy cannot be written: it stays as it was");
        }
        // Without a copy that is open it cannot fail.
        let _ = self.show();
    }

    /// Something did not fit on the way.
    fn lost(&mut self) {
        if !self.state.right.is_held() {
            return;
        }
        let keyspace = &self.place.keyspace;
        if !self.state.lack.is_any() {
            tracing::warn!(%keyspace, "the disk is slower than the log: the copy falls behind, and will be mended");
        }
        self.state.lack.doubt();
        self.drop_staged();
    }

    fn take(&mut self, note: Note) -> io::Result<()> {
        match note {
            Note::Begin(begun) => self.begin(begun),
            Note::Page { id, records } => match &mut self.state.staged {
                Some((staged, file)) if staged.id == id => file.add(records),
                _ => Ok(()),
            },
            Note::End { id, .. } => self.end(id),
            Note::Abandoned { id } => {
                if matches!(&self.state.staged, Some((staged, _)) if staged.id == id) {
                    self.drop_staged();
                }
                Ok(())
            }
            Note::Batch {
                from,
                batch,
                reader,
            } => self.batch(from, batch, reader, |here| here.covers(from)),
            Note::Difference { from, batch } => {
                let to = Position::new(from.epoch, batch.revision);
                // Where the copy is further on, it may hold what was created since and is gone by now: nothing here says so.
                let goes_on = |here: Position| here == from || here.covers(to);
                self.batch(from, batch, Reader::User, goes_on)
            }
            Note::Head { position, asked } => self.head(position, asked),
            Note::Check(answer) => {
                let here = self.check();
                let _ = answer.send(here.as_ref().map_or(Here::Failing, |here| *here));
                here.map(drop)
            }
            Note::Mended(answer) => {
                if let Some(open) = &self.state.open {
                    self.state.lack.mended(open.position);
                }
                let shown = self.show();
                let _ = answer.send(());
                shown
            }
            Note::Flush(answer) => {
                self.finish().unwrap_or_else(|error| self.failed(&error));
                let failure = self.state.failure.clone();
                let _ = answer.send(failure.map_or(Ok(()), Err));
                Ok(())
            }
            Note::Close(answer) => {
                let _ = answer.send(self.close());
                Ok(())
            }
        }
    }

    /// Whether this process may write; who just has come to that goes on with what is there.
    fn is_writer(&mut self) -> io::Result<bool> {
        let held = self.state.right.get(&self.place)?;
        if held == Held::Newly {
            self.state.lack.doubt();
            self.resume();
        }
        Ok(held != Held::Not)
    }

    /// Goes on with the file as it is, if it can be gone on with.
    fn resume(&mut self) {
        self.state.open = None;
        let resumed = OpenCopy::resume(&self.place);
        self.state.is_refused = resumed.is_err();
        match resumed {
            Ok(open) => self.state.open = open,
            Err(refusal) => {
                let (keyspace, file) = (&self.place.keyspace, self.place.file());
                tracing::warn!(%keyspace, file = %file.display(), %refusal, "the copy cannot be gone on with: another one is begun");
            }
        }
    }

    /// Of several readings at once the one that was begun last counts; but who mends gives way to users.
    fn begin(&mut self, begun: Begun) -> io::Result<()> {
        if !self.is_writer()? || !self.is_wanted(begun) {
            return Ok(());
        }
        if let Some((staged, _)) = &self.state.staged {
            let readers = [staged.reader, begun.reader];
            if readers.contains(&Reader::Mender) {
                // What he fetches after it does not mend anything.
                self.state.lack.doubt();
            }
            if readers == [Reader::User, Reader::Mender] {
                return Ok(());
            }
            self.drop_staged();
        }
        let staged = Staged::begin(&self.place, begun.position, begun.asked)?;
        self.state.staged = Some((begun, staged));
        Ok(())
    }

    /// What users have brought is never replaced by what was fetched before.
    fn is_wanted(&self, begun: Begun) -> bool {
        begun.reader == Reader::User || self.state.lack.is_being_mended()
    }

    fn end(&mut self, id: u64) -> io::Result<()> {
        let Some((begun, staged)) = self.state.staged.take_if(|(begun, _)| begun.id == id) else {
            return Ok(());
        };
        if !self.is_wanted(begun) {
            self.place.discard();
            return Ok(());
        }
        self.put_in_place(staged)?;
        // Users go on from their snapshots; where they are when somebody else takes one is not known.
        match begun.reader {
            Reader::User => self.state.lack.followed(),
            Reader::Mender => self.state.lack.reached(begun.position),
        }
        Ok(())
    }

    fn put_in_place(&mut self, staged: Staged) -> io::Result<()> {
        if self.state.is_refused {
            self.place.set_aside()?;
            self.state.is_refused = false;
        }
        self.state.open = Some(staged.put_in_place(&self.place)?);
        Ok(())
    }

    fn drop_staged(&mut self) {
        if self.state.staged.take().is_some() {
            self.place.discard();
        }
    }

    /// What came after `from`, if that goes on from where the copy stands.
    fn batch(
        &mut self,
        from: Position,
        batch: Batch,
        reader: Reader,
        goes_on: impl FnOnce(Position) -> bool,
    ) -> io::Result<()> {
        if !self.is_writer()? {
            return Ok(());
        }
        let state = &mut self.state;
        let here = state.open.as_ref().map(|open| open.position);
        let goes_on = here.is_some_and(goes_on);
        match reader {
            // Whatever else was missed, this tail brings the rest.
            Reader::User if goes_on => state.lack.followed(),
            Reader::User => state.lack.missed(Position::new(from.epoch, batch.revision)),
            Reader::Mender => {}
        }
        let Some(open) = state.open.as_mut().filter(|_| goes_on) else {
            return Ok(());
        };
        if batch.revision <= open.position.revision {
            return Ok(());
        }
        open.append(batch)?;
        let is_long = open.is_long();
        state.lack.reached(open.position);
        // A snapshot that is on its way will be the shorter one.
        if is_long && self.state.staged.is_none() {
            self.write_anew()?;
        }
        Ok(())
    }

    fn head(&mut self, position: Position, asked: Moment) -> io::Result<()> {
        if !self.is_writer()? {
            return Ok(());
        }
        if matches!(&self.state.staged, Some((_, staged)) if staged.is_stuck()) {
            self.drop_staged();
        }
        let Some(open) = &mut self.state.open else {
            self.state.lack.suspect();
            return Ok(());
        };
        if position.epoch != open.position.epoch {
            self.state.lack.suspect();
            return Ok(());
        }
        open.heard(position, asked);
        if !open.is_due() {
            return Ok(());
        }
        if !self.place.is_copy(open.output.file()) {
            return self.taken_away();
        }
        open.say()
    }

    /// Somebody has deleted the file, or put another one in its place; perhaps also that of the lock.
    fn taken_away(&mut self) -> io::Result<()> {
        let (keyspace, file) = (&self.place.keyspace, self.place.file());
        tracing::warn!(%keyspace, file = %file.display(), "the copy was taken away: another one is begun");
        self.drop_staged();
        self.state.open = None;
        self.state.right.give_up();
        self.is_writer().map(drop)
    }

    /// Where the copy stands, for who wants to mend it; what failed before is tried again.
    fn check(&mut self) -> io::Result<Here> {
        self.state.right.try_now();
        if !self.is_writer()? {
            // It is the other's to write, and to mend.
            self.state.lack.followed();
            self.state.failure = None;
            return Ok(Here::Theirs);
        }
        if self.state.open.is_none() {
            self.resume();
        }
        self.state.lack.begin_to_mend();
        let open = self.state.open.as_ref();
        Ok(open.map_or(Here::Nowhere, |open| Here::At(open.position)))
    }

    /// What was written at the end becomes a part of the records.
    fn write_anew(&mut self) -> io::Result<()> {
        let Some(open) = self.state.open.take() else {
            return Ok(());
        };
        let staged = Staged::of_copy(&self.place, open)?;
        self.put_in_place(staged)
    }
}

fn explained(error: &io::Error, place: &Place) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    let file = place.file();
    Error::new(
        kind,
        format!("the copy {} cannot be written: {error}", file.display()),
    )
}

/// Closes the queue when the thread ends, also by a panic.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
