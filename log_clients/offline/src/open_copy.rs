//! The copy as the process has it that writes it: where it stands, and when it was known to.
//!
//! Never says that it is current before it is written that far.

use std::io;
use std::time::{Duration, Instant};

use globe_log_client::{Batch, Position, Revision};

use crate::frame::Frame;
use crate::output::Output;
use crate::place::Place;
use crate::refusal::Refusal;
use crate::time::{Moment, steady};

/// How much later it is said again that what is there is current.
const AGAIN: Duration = Duration::from_secs(10);

/// How many bytes may come after the records, where those are fewer, before the file is written anew.
const LATER: u64 = 256 * 1024;

/// A copy that is gone on with.
#[derive(Debug)]
pub(crate) struct OpenCopy {
    pub(crate) output: Output,
    pub(crate) position: Position,
    /// How many bytes of it are the records it began with.
    base: u64,
    /// When the log was known to stand here.
    pub(crate) current: Moment,
    /// Up to where the file says that it goes, and when it says that it was current.
    written: (Revision, Moment),
    /// When it was said last.
    said: Instant,
    /// Where the log stood at some moment, which is not reached yet.
    ahead: Option<(Position, Moment)>,
}

impl OpenCopy {
    pub(crate) fn new(output: Output, position: Position, base: u64, current: Moment) -> OpenCopy {
        OpenCopy {
            output,
            position,
            base,
            current,
            written: (position.revision, current),
            said: steady(),
            ahead: None,
        }
    }

    /// Goes on with the copy that lies there; nothing where there is none.
    ///
    /// # Errors
    /// Why it cannot be gone on with.
    pub(crate) fn resume(place: &Place) -> Result<Option<OpenCopy>, Refusal> {
        let Some(image) = place.read()? else {
            return Ok(None);
        };
        let file = place.extend(image.length as u64);
        let file = file.map_err(|error| Refusal::Unreadable(error.to_string()))?;
        let output = Output::resume(file, &image, &place.sealer);
        let (position, base) = (image.position, image.base as u64);
        Ok(Some(OpenCopy::new(output, position, base, image.current)))
    }

    /// Writes what one commit did. That it did nothing here is written when it matters.
    pub(crate) fn append(&mut self, batch: Batch) -> io::Result<()> {
        let revision = batch.revision;
        if !batch.is_progress() {
            self.output.write(&Frame::Batch(batch))?;
            self.written.0 = revision;
        }
        self.position.revision = revision;
        if let Some((_, asked)) = self
            .ahead
            .take_if(|(ahead, _)| self.position.covers(*ahead))
        {
            self.current = asked;
        }
        Ok(())
    }

    /// The log was asked where it stands. Of several answers that are not reached yet the first one counts: under a load that
    /// never ends, the last one never would.
    pub(crate) fn heard(&mut self, position: Position, asked: Moment) {
        if self.position.covers(position) {
            self.current = asked;
        } else if self.ahead.is_none() {
            self.ahead = Some((position, asked));
        }
    }

    /// Whether it is time to say again that it is current.
    pub(crate) fn is_due(&self) -> bool {
        self.written.1 != self.current && steady().duration_since(self.said) >= AGAIN
    }

    /// Writes how far it goes, and when it was current.
    pub(crate) fn say(&mut self) -> io::Result<()> {
        self.said = steady();
        let revision = self.position.revision;
        if revision > self.written.0 {
            self.output
                .write(&Frame::Batch(Batch::progress(revision)))?;
            self.written.0 = revision;
        }
        if self.current != self.written.1 {
            self.output.write(&Frame::Current(self.current))?;
            self.written.1 = self.current;
        }
        Ok(())
    }

    /// Up to where a reader of the file finds it, once it is flushed.
    pub(crate) fn readable(&self) -> Position {
        Position::new(self.position.epoch, self.written.0)
    }

    /// Whether so much has come after the records that they are better written anew.
    pub(crate) fn is_long(&self) -> bool {
        self.output.length - self.base > LATER.max(self.base)
    }
}
