//! The file as the operating system has it: which one it is, where it lies, and the mark beside it.
//!
//! Never opens the file of the log itself: on Unix, to close it again would drop the locks that SQLite holds on it
//! (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crc32fast::hash;
use globe_log_client::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// Which file this is, as it is written into the file itself: a copy has another. Not its device, whose number may change when
/// the machine is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) inode: u64,
    /// When it was made, in nanoseconds; zero where that cannot be known.
    pub(crate) born: u64,
}

/// Which file stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    pub(crate) birth: Birth,
}

impl FileId {
    /// # Errors
    /// `Unavailable` while nothing stands there.
    pub(crate) fn at(path: &Path) -> Result<FileId> {
        let metadata = fs::metadata(path).map_err(|error| unreachable(path, error))?;
        let (device, inode) = numbers(&metadata);
        let born = metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born = born.map_or(0, |born| u64::try_from(born.as_nanos()).unwrap_or(0));
        let birth = Birth { inode, born };
        Ok(FileId { device, birth })
    }
}

#[cfg(unix)]
fn numbers(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn numbers(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

fn unreachable(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("there is no log at {}", path.display())).with_source(error)
}

/// Makes the file if there is none, readable by its owner alone: what is in it may be secret.
///
/// # Errors
/// `Denied` where it cannot be made.
pub(crate) fn make(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let why = format!("the log {} cannot be made", path.display());
            Err(Error::new(ErrorKind::Denied, why).with_source(error))
        }
    }
}

/// The least that SQLite writes. It takes less than that, of whatever it is, for a new file.
const LEAST: u64 = 512;

/// # Errors
/// `Invalid` for a file of a few bytes: nobody's log, and what is left of somebody's may be worth something.
pub(crate) fn check_is_no_scrap(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|error| unreachable(path, error))?;
    if (1..LEAST).contains(&metadata.len()) {
        let why = format!("{} holds too little to be a log", path.display());
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    Ok(())
}

/// A file that nobody has open for writing, as it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Still {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Still {
    /// Nothing while somebody has it open: what was written last is not in the file then, but beside it.
    pub(crate) fn at(path: &Path) -> Option<Still> {
        if beside(path, "-wal").exists() {
            return None;
        }
        let metadata = fs::metadata(path).ok()?;
        Some(Still {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// The file, as SQLite is told to read it without any lock (<https://sqlite.org/uri.html>).
pub(crate) fn as_it_lies(path: &Path) -> PathBuf {
    let path = percent_encode(path.as_os_str().as_encoded_bytes(), IN_A_URI);
    PathBuf::from(format!("file:{path}?immutable=1"))
}

/// What means something else there.
const IN_A_URI: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The folder that a file lies in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The kinds of file systems whose locks, and whose shared memory, do not work between hosts
/// (<https://sqlite.org/wal.html>), by the numbers of statfs(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
const OF_A_NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
];

/// # Errors
/// `Unsupported` on a file system of a network, where that can be seen.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn check_is_local(path: &Path) -> Result<()> {
    let Ok(found) = rustix::fs::statfs(folder(path)) else {
        return Ok(());
    };
    match name_of_network(u64::try_from(found.f_type).unwrap_or(0)) {
        None => Ok(()),
        Some(name) => {
            let why = format!(
                "{} is on {name}: the processes that share a log must share a host and its disk",
                path.display()
            );
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn name_of_network(kind: u64) -> Option<&'static str> {
    // Some architectures give it as a signed number of 32 bits.
    let kind = kind & 0xffff_ffff;
    let found = OF_A_NETWORK.iter().find(|(number, _)| *number == kind);
    found.map(|(_, name)| *name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn check_is_local(_path: &Path) -> Result<()> {
    Ok(())
}

/// Which life the log is in and how far it has come, in a file beside it that a restored backup does not bring along.
///
/// That a life begins is written before it is committed, and synced. How far it has come is written after a commit, and is not:
/// after a crash of the machine it may say too little, never too much.
#[derive(Debug)]
pub(crate) struct Mark {
    file: Option<File>,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) life: u64,
    pub(crate) head: u64,
}

impl Mark {
    /// Of the log at `path`; made, unless it is only to be read. One that cannot be had says nothing.
    pub(crate) fn beside(path: &Path, read_only: bool) -> Mark {
        let (mut options, writes) = (OpenOptions::new(), !read_only);
        options.read(true).write(writes).create(writes);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(beside(path, "-mark")).ok();
        Mark { file }
    }

    /// Nothing, where there is none, or somebody is just writing it.
    pub(crate) fn read(&self) -> Option<Marked> {
        let mut bytes = [0; 20];
        read_at(self.file.as_ref()?, &mut bytes).ok()?;
        let (said, sum) = bytes.split_at(16);
        if hash(said).to_le_bytes() != *sum {
            return None;
        }
        let number = |from: usize| said[from..from + 8].try_into().map(u64::from_le_bytes);
        Some(Marked {
            life: number(0).ok()?,
            head: number(8).ok()?,
        })
    }

    /// A life begins here: by who alone may write the log.
    ///
    /// # Errors
    /// `Unavailable` where that cannot be said: whoever looked would take the life for another, again and again.
    pub(crate) fn begin(&self, marked: Marked) -> Result<()> {
        let sync = || self.file.as_ref().map_or(Ok(()), File::sync_data);
        self.write(marked).and_then(|()| sync()).map_err(|error| {
            let why = "the mark beside the log cannot be written: no other life of it can begin";
            Error::new(ErrorKind::Unavailable, why).with_source(error)
        })
    }

    /// It has come this far. Who says so late takes back neither what others have said since, nor the life that one of them has
    /// begun.
    pub(crate) fn advance(&self, marked: Marked) {
        let said = self.read();
        let is_news = |said: Marked| said.life == marked.life && said.head < marked.head;
        if said.is_none_or(is_news)
            && let Err(error) = self.write(marked)
        {
            tracing::debug!(reason = %error, "the mark beside the log cannot be written");
        }
    }

    fn write(&self, marked: Marked) -> io::Result<()> {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&marked.life.to_le_bytes());
        bytes[8..16].copy_from_slice(&marked.head.to_le_bytes());
        let sum = hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum.to_le_bytes());
        (self.file.as_ref()).map_or(Ok(()), |file| write_at(file, &bytes))
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek};
    file.rewind()?;
    file.read_exact(bytes)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.rewind()?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn file_systems_of_a_network_are_known_by_their_numbers() {
        let table = [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            // The same, as a signed number of 32 bits gives it.
            (0xffff_ffff_ff53_4d42, Some("CIFS")),
            (0x0000_ef53, None),
            (0x0102_1994, None),
        ];
        for (kind, name) in table {
            assert_eq!(name_of_network(kind), name, "{kind:x}");
        }
    }

    /// Whoever takes it for none does not see that the log was restored.
    #[test]
    fn a_mark_that_is_being_written_is_read_as_it_was_or_as_it_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("log.db"), false);
        assert_eq!(mark.read(), None);
        let lives = [1, u64::MAX].map(|life| Marked { life, head: life });
        mark.write(lives[0]).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for life in lives.iter().cycle() {
                    mark.write(*life).unwrap();
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            let read = (0..200_000).map(|_| mark.read());
            let strange = read.filter(|read| !read.is_some_and(|read| lives.contains(&read)));
            let strange = strange.count();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(strange, 0);
        });
    }

    #[test]
    fn who_marks_late_takes_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("log.db"), false);
        let said = |life, head| Some(Marked { life, head });
        for (head, expected) in [(5, 5), (3, 5), (6, 6)] {
            mark.advance(Marked { life: 7, head });
            assert_eq!(mark.read(), said(7, expected));
        }
        mark.begin(Marked { life: 8, head: 2 }).unwrap();
        mark.advance(Marked { life: 7, head: 9 });
        assert_eq!(mark.read(), said(8, 2));
        mark.advance(Marked { life: 8, head: 3 });
        assert_eq!(mark.read(), said(8, 3));
    }

    #[test]
    fn a_life_that_cannot_be_marked_does_not_begin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        Mark::beside(&path, false).advance(Marked { life: 7, head: 5 });
        // As on a disk that takes nothing any more.
        let mark = Mark::beside(&path, true);
        let error = mark.begin(Marked { life: 8, head: 2 }).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unavailable);
        assert_eq!(mark.read(), Some(Marked { life: 7, head: 5 }));
    }

    #[test]
    fn the_disk_of_this_host_is_local() {
        let folder = tempfile::tempdir().unwrap();
        check_is_local(&folder.path().join("log.db")).unwrap();
    }
}
