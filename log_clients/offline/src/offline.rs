//! Where the last known good copy of a map is kept, and what may be begun with it.
//!
//! Never writes a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Keyspace;
use tokio::task::spawn_blocking;

use crate::offline_copy::OfflineCopy;
use crate::place::Place;
use crate::refusal::Refusal;
use crate::seal::{Seal, Sealer};
use crate::time::Clock;

/// What a map may begin with that has not heard of its log yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With what the log says: the copy only saves what would have to be read from it.
    RequireLive,
    /// With a copy that is no older than this. One of unknown age is refused.
    AllowStale {
        /// The longest time since the log was last known to stand where the copy does.
        max_age: Duration,
    },
    /// With a copy of whatever age. The default: that is what a copy is kept for.
    #[default]
    AllowAny,
}

/// A copy of a map on this host's disk, with which it starts while the log cannot be reached.
///
/// It is a folder: maps of any number of keyspaces may keep their copies in one, and so may processes. One process at a time
/// writes the copy of a keyspace; the others read it when they start. Keep a folder for each log: of which log a copy is can be
/// told by its life only, once the log is reached. The folder must be writable by nobody who is not
/// trusted with what the map holds: a checksum tells damage, and only a [`Seal`] tells intent.
#[derive(Clone, Debug)]
#[must_use]
pub struct Offline {
    folder: PathBuf,
    start: Start,
    sealer: Sealer,
}

impl Offline {
    /// In this folder. It is made when something is written, if it is not there, for its owner alone.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Offline {
        Offline {
            folder: folder.into(),
            start: Start::default(),
            sealer: Sealer::default(),
        }
    }

    /// What a map may begin with; [`Start::AllowAny`] if not set.
    pub fn start(mut self, start: Start) -> Offline {
        self.start = start;
        self
    }

    /// Encrypts what is kept. If not set, it is kept as the log has it, readable by the owner of the process alone. A copy that
    /// was kept the other way, or by another key, is refused.
    pub fn sealed(mut self, seal: impl Seal) -> Offline {
        self.sealer = Sealer(Some(Arc::new(seal)));
        self
    }

    /// Reads the copy of a keyspace, on a thread for what blocks; nothing where there is none. It is read into memory
    /// whole. Another process may write it meanwhile.
    ///
    /// The end of a file that was not written to its end, or is damaged, is left out: what stands before it was true, at the
    /// position that is said. Dropping the future changes nothing.
    ///
    /// # Errors
    /// Why the file is not believed, which is also told to `tracing`. Begin as if there were none.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub async fn read(&self, keyspace: &Keyspace) -> Result<Option<OfflineCopy>, Refusal> {
        let (offline, keyspace) = (self.clone(), keyspace.clone());
        let read = spawn_blocking(move || offline.look(&keyspace)).await;
        read.unwrap_or_else(|error| Err(Refusal::Unreadable(error.to_string())))
    }

    fn look(&self, keyspace: &Keyspace) -> Result<Option<OfflineCopy>, Refusal> {
        let place = self.place(keyspace);
        let found = place.read();
        let found = found.inspect_err(|refusal| {
            tracing::warn!(%keyspace, file = %place.file().display(), %refusal, "the copy is not used");
        })?;
        Ok(found.map(|image| OfflineCopy::of(image, Clock::new().now())))
    }

    /// Whether a map may show this copy before it has heard of its log.
    #[must_use]
    pub fn allows(&self, copy: &OfflineCopy) -> bool {
        match self.start {
            Start::RequireLive => false,
            Start::AllowStale { max_age } => copy.age.is_some_and(|age| age <= max_age),
            Start::AllowAny => true,
        }
    }

    pub(crate) fn place(&self, keyspace: &Keyspace) -> Place {
        Place::new(self.folder.clone(), keyspace.clone(), self.sealer.clone())
    }
}
