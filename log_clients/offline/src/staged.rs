//! A snapshot on its way to become the copy.
//!
//! Never takes the place of the copy before all of it is there.

use std::io;
use std::time::{Duration, Instant};

use globe_log_client::{Position, Record};

use crate::frame::Frame;
use crate::open_copy::OpenCopy;
use crate::output::Output;
use crate::place::Place;
use crate::time::{Moment, steady};

/// How long who reads a snapshot may pause before it is given up here.
const PAUSE: Duration = Duration::from_secs(60);

/// A file that was begun.
#[derive(Debug)]
pub(crate) struct Staged {
    output: Output,
    position: Position,
    asked: Moment,
    records: u64,
    touched: Instant,
}

impl Staged {
    /// Begins one, of a snapshot that was asked for at `asked`.
    pub(crate) fn begin(place: &Place, position: Position, asked: Moment) -> io::Result<Staged> {
        let mut output = Output::begin(place.begin()?, &place.sealer)?;
        let keyspace = place.keyspace.to_string();
        output.write(&Frame::Begin { keyspace, position })?;
        Ok(Staged {
            output,
            position,
            asked,
            records: 0,
            touched: steady(),
        })
    }

    /// One of the copy itself: what was written at its end becomes a part of the records.
    pub(crate) fn of_copy(place: &Place, mut open: OpenCopy) -> io::Result<Staged> {
        open.say()?;
        open.output.flush()?;
        let position = open.position;
        drop(open);
        let image = place.read().map_err(io::Error::other)?;
        let Some(image) = image.filter(|image| image.position == position) else {
            return Err(io::Error::other("what was written cannot be read again"));
        };
        let mut staged = Staged::begin(place, position, image.current)?;
        staged.add(image.records.into_values().collect())?;
        Ok(staged)
    }

    pub(crate) fn add(&mut self, records: Vec<Record>) -> io::Result<()> {
        self.records += records.len() as u64;
        self.touched = steady();
        self.output.write_records(records)
    }

    /// Whether nothing has come for so long that nothing will.
    pub(crate) fn is_stuck(&self) -> bool {
        steady().duration_since(self.touched) > PAUSE
    }

    /// Ends it, and puts it in the place of the copy.
    pub(crate) fn put_in_place(self, place: &Place) -> io::Result<OpenCopy> {
        let Staged {
            mut output,
            position,
            asked,
            records,
            ..
        } = self;
        output.write(&Frame::End { records })?;
        output.write(&Frame::Current(asked))?;
        output.flush()?;
        place.replace(output.file())?;
        let base = output.length;
        Ok(OpenCopy::new(output, position, base, asked))
    }
}
