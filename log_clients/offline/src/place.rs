//! Where the copy of a keyspace lies, how it is sealed, and who may write it.
//!
//! Never opens a file for somebody else to read: what is in it may be secret.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use globe_log_client::Keyspace;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::image::Image;
use crate::refusal::Refusal;
use crate::seal::Sealer;

/// What may stand in the name of a file as it is.
const IN_A_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest name, before what it ends with: file systems take 255 bytes.
const LONGEST: usize = 200;

/// The files of one copy, in one folder.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    name: String,
    pub(crate) keyspace: Keyspace,
    pub(crate) sealer: Sealer,
}

impl Place {
    pub(crate) fn new(folder: PathBuf, keyspace: Keyspace, sealer: Sealer) -> Place {
        let mut name = utf8_percent_encode(keyspace.as_str(), IN_A_NAME).to_string();
        if name.len() > LONGEST {
            let sum = crc32fast::hash(name.as_bytes());
            name.truncate(LONGEST);
            name.push_str(&format!("-{sum:08x}"));
        }
        Place {
            folder,
            name,
            keyspace,
            sealer,
        }
    }

    fn with(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.globe{end}", self.name))
    }

    /// The copy itself.
    pub(crate) fn file(&self) -> PathBuf {
        self.with("")
    }

    /// What it says; nothing where there is none.
    ///
    /// # Errors
    /// Why nothing of it is believed.
    pub(crate) fn read(&self) -> Result<Option<Image>, Refusal> {
        let bytes = is_there(fs::read(self.file()));
        let Some(bytes) = bytes.map_err(|error| Refusal::Unreadable(error.to_string()))? else {
            return Ok(None);
        };
        let image = Image::read(&bytes.into(), &self.keyspace, &self.sealer)?;
        Ok(Some(image))
    }

    /// The right to write it, which one process has at a time, until this is dropped; nothing while another one has it.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        make_folder(&self.folder)?;
        let mut options = private();
        let lock = options.write(true).create(true).truncate(false);
        let lock = lock.open(self.with(".lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// An empty file, that is to take the place of the copy. It is none that was there: who may read that is not known.
    pub(crate) fn begin(&self) -> io::Result<File> {
        is_there(fs::remove_file(self.with(".new")))?;
        private()
            .write(true)
            .create_new(true)
            .open(self.with(".new"))
    }

    /// Takes back what was begun.
    pub(crate) fn discard(&self) {
        let _ = fs::remove_file(self.with(".new"));
    }

    /// Puts what was begun in the place of the copy, at once and for good.
    pub(crate) fn replace(&self, new: &File) -> io::Result<()> {
        new.sync_all()?;
        fs::rename(self.with(".new"), self.file())?;
        // So that also the name is on the disk; where a folder cannot be opened, it is later.
        File::open(&self.folder).map_or(Ok(()), |folder| folder.sync_all())
    }

    /// Keeps what lies there under another name, so that it is not lost: one, the last.
    pub(crate) fn set_aside(&self) -> io::Result<()> {
        is_there(fs::rename(self.file(), self.with(".refused")))?;
        Ok(())
    }

    /// The copy, to write at its end, which is where `length` says: what is after that is no part of it.
    pub(crate) fn extend(&self, length: u64) -> io::Result<File> {
        let mut file = private().write(true).open(self.file())?;
        make_private(&file)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    /// Whether this file is still the copy: somebody may have deleted it, or put another one in its place.
    #[cfg(unix)]
    pub(crate) fn is_copy(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt;
        let there = fs::metadata(self.file()).and_then(|there| Ok((there, file.metadata()?)));
        there.is_ok_and(|(there, ours)| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    #[cfg(not(unix))]
    pub(crate) fn is_copy(&self, _file: &File) -> bool {
        self.file().is_file()
    }
}

fn is_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Readable by its owner alone.
fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "elsewhere it stays as it is")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    #[allow(unused_mut, reason = "elsewhere it stays as it is")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
