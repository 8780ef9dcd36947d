//! A file that is being written, frame by frame.
//!
//! Never syncs by itself, and never waits for anything but the disk and the seal.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use globe_log_client::Record;

use crate::chain::Chain;
use crate::file::{framed, head};
use crate::frame::Frame;
use crate::image::Image;
use crate::seal::Sealer;

/// How many records are one frame at most, and of how many bytes, unless one alone has more.
const TOGETHER: usize = 1_000;
const BYTES: usize = 1 << 20;

/// A file, at its end.
#[derive(Debug)]
pub(crate) struct Output {
    file: BufWriter<File>,
    sealer: Sealer,
    chain: Chain,
    pub(crate) length: u64,
}

impl Output {
    /// An empty file begins.
    pub(crate) fn begin(file: File, sealer: &Sealer) -> io::Result<Output> {
        let head = head(sealer.is_set());
        let mut file = BufWriter::new(file);
        file.write_all(&head)?;
        Ok(Output {
            file,
            sealer: sealer.clone(),
            chain: Chain::after_head(&head),
            length: head.len() as u64,
        })
    }

    /// A file that was read goes on.
    pub(crate) fn resume(file: File, image: &Image, sealer: &Sealer) -> Output {
        Output {
            file: BufWriter::new(file),
            sealer: sealer.clone(),
            chain: image.chain,
            length: image.length as u64,
        }
    }

    pub(crate) fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let (bytes, chain) = framed(frame, self.chain, &self.sealer)?;
        self.file.write_all(&bytes)?;
        self.chain = chain;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn write_records(
        &mut self,
        records: impl IntoIterator<Item = Record>,
    ) -> io::Result<()> {
        let (mut together, mut bytes) = (Vec::new(), 0);
        for record in records {
            bytes += record.key.len() + record.value.len();
            together.push(record);
            if together.len() == TOGETHER || bytes >= BYTES {
                self.write(&Frame::Records(std::mem::take(&mut together)))?;
                bytes = 0;
            }
        }
        if together.is_empty() {
            return Ok(());
        }
        self.write(&Frame::Records(together))
    }

    /// What was written reaches the system, and with it whoever reads the file.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    pub(crate) fn file(&self) -> &File {
        self.file.get_ref()
    }
}
