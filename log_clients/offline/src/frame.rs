//! What a copy is made of, one after the other: where it stands, its records, and what came after them.
//!
//! Never says whether the order makes sense: `image` does.

use globe_log_client::{Batch, Bytes, Change, LeaseId, Position, Record, Revision};

use crate::body::{Body, Reading};
use crate::time::Moment;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// Whose records follow, and where in the log they stood together.
    Begin {
        keyspace: String,
        position: Position,
    },
    /// Some of them, in the order of their keys.
    Records(Vec<Record>),
    /// That these were all.
    End { records: u64 },
    /// What one commit did since, or that it did nothing here.
    Batch(Batch),
    /// At this moment the log stood where this stands.
    Current(Moment),
}

const BEGIN: u8 = 1;
const RECORDS: u8 = 2;
const END: u8 = 3;
const BATCH: u8 = 4;
const CURRENT: u8 = 5;

const PUT: u8 = 1;
const DELETE: u8 = 2;

impl Frame {
    /// Nothing for a batch with a change that is not known here.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let mut body = Body::default();
        match self {
            Frame::Begin { keyspace, position } => {
                body.tag(BEGIN);
                body.text(keyspace.as_bytes());
                body.text(position.to_string().as_bytes());
            }
            Frame::Records(records) => {
                body.tag(RECORDS);
                records.iter().for_each(|one| record(&mut body, one));
            }
            Frame::End { records } => {
                body.tag(END);
                body.number(*records);
            }
            Frame::Batch(batch) => {
                body.tag(BATCH);
                body.number(batch.revision.0);
                for change in &batch.changes {
                    put(&mut body, change)?;
                }
            }
            Frame::Current(at) => {
                body.tag(CURRENT);
                body.number(at.wall);
                body.number(at.boot);
                body.number(at.up);
            }
        }
        Some(body.0)
    }

    /// Nothing for what no frame is written as.
    pub(crate) fn read(bytes: &Bytes) -> Option<Frame> {
        let mut body = Reading::of(bytes);
        let frame = match body.tag()? {
            BEGIN => {
                let keyspace = std::str::from_utf8(body.slice()?).ok()?.to_owned();
                let position = std::str::from_utf8(body.slice()?).ok()?;
                let position = position.parse().ok()?;
                Frame::Begin { keyspace, position }
            }
            RECORDS => Frame::Records(all(&mut body, read_record)?),
            END => Frame::End {
                records: body.number()?,
            },
            BATCH => {
                let revision = Revision(body.number()?);
                Frame::Batch(Batch::new(revision, all(&mut body, read_change)?))
            }
            CURRENT => Frame::Current(Moment {
                wall: body.number()?,
                boot: body.number()?,
                up: body.number()?,
            }),
            _ => return None,
        };
        body.is_over().then_some(frame)
    }
}

fn all<T>(body: &mut Reading<'_>, one: impl Fn(&mut Reading<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    while !body.is_over() {
        all.push(one(body)?);
    }
    Some(all)
}

fn record(body: &mut Body, record: &Record) {
    body.text(&record.key);
    body.text(&record.value);
    body.number(record.created.0);
    body.number(record.modified.0);
    match record.lease {
        None => body.tag(0),
        Some(lease) => {
            body.tag(1);
            body.number(lease.get());
        }
    }
}

fn read_record(body: &mut Reading<'_>) -> Option<Record> {
    let (key, value) = (body.text()?, body.text()?);
    let (created, modified) = (Revision(body.number()?), Revision(body.number()?));
    let lease = match body.tag()? {
        0 => None,
        1 => Some(LeaseId::new(body.number()?)),
        _ => return None,
    };
    Some(Record::new(key, value, created, modified).with_lease(lease))
}

fn put(body: &mut Body, change: &Change) -> Option<()> {
    match change {
        Change::Put(put) => {
            body.tag(PUT);
            record(body, put);
        }
        Change::Delete { key, .. } => {
            body.tag(DELETE);
            body.text(key);
        }
        _ => return None,
    }
    Some(())
}

fn read_change(body: &mut Reading<'_>) -> Option<Change> {
    match body.tag()? {
        PUT => Some(Change::Put(read_record(body)?)),
        DELETE => Some(Change::delete(body.text()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::Epoch;

    use super::*;

    fn frames() -> Vec<Frame> {
        let record = |key: &str| {
            Record::new(key.to_owned(), "value", Revision(3), Revision(7))
                .with_lease(LeaseId::new(9))
        };
        // Another program may put keys that are no text.
        let put = Change::Put(Record::new(vec![0xff, b'/'], "", Revision(8), Revision(8)));
        vec![
            Frame::Begin {
                keyspace: "flags".to_owned(),
                position: Position::new(Epoch::new(u64::MAX), Revision(7)),
            },
            Frame::Records(vec![record("a"), record("b")]),
            Frame::Records(Vec::new()),
            Frame::End { records: 2 },
            Frame::Batch(Batch::new(Revision(8), vec![put, Change::delete("a")])),
            Frame::Batch(Batch::progress(Revision(9))),
            Frame::Current(Moment {
                wall: u64::MAX,
                boot: 1,
                up: 2,
            }),
        ]
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for frame in frames() {
            let bytes = frame.bytes().unwrap().into();
            assert_eq!(Frame::read(&bytes), Some(frame));
        }
    }

    /// What is cut at the end of a record or of a change is another frame: its checksum tells.
    #[test]
    fn a_frame_that_is_cut_or_longer_is_none_or_a_shorter_one() {
        for frame in frames() {
            let bytes = Bytes::from(frame.bytes().unwrap());
            for length in 0..bytes.len() {
                assert_ne!(Frame::read(&bytes.slice(..length)), Some(frame.clone()));
            }
            let longer = [&bytes[..], &[0]].concat().into();
            assert_eq!(Frame::read(&longer), None, "{frame:?}");
        }
    }
}
