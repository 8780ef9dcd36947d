//! A lock that readers share and a writer has alone, in the order in which they came.
//!
//! Never makes a reader a writer: who wants that releases, and asks anew.

use std::sync::Arc;

use crate::recipes::claim::{Claims, Mode};
use crate::recipes::hold::guard;
use crate::recipes::queue::{Kind, Queue};
use crate::recipes::request::Request;
use crate::{Result, Session};

/// A lock of a name that any number of readers hold together, and a writer alone. First come, first served: a reader that
/// came after a writer waits for it, so that neither starves. Otherwise as a [`Lock`](crate::Lock).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Claims, Globe, MemoryLog, RwLock, Session};
/// # let log = MemoryLog::new();
/// # let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// # let session = Session::open(log).await?;
/// let catalogue = RwLock::new(&claims, &session, "catalogue")?;
/// let one = catalogue.read().await?;
/// let another = catalogue.read().await?;
/// assert!(catalogue.try_write().await?.is_none());
/// one.release().await?;
/// another.release().await?;
/// assert!(catalogue.try_write().await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RwLock {
    queue: Arc<Queue>,
}

guard! {
    /// A share of an [`RwLock`](crate::RwLock) among readers. Its token goes into [`Gate::admit_shared`](crate::Gate::admit_shared).
    ReadGuard, release
}

guard! {
    /// An [`RwLock`](crate::RwLock) that a writer has alone.
    WriteGuard, release
}

impl RwLock {
    /// The lock of a name. Talks to nobody.
    ///
    /// # Errors
    /// As [`Lock::new`](crate::Lock::new).
    pub fn new(claims: &Claims, session: &Session, name: &str) -> Result<RwLock> {
        let queue = Queue::new(claims, session, Kind::RwLock, name)?;
        Ok(RwLock { queue })
    }

    /// Waits until it is held together with other readers.
    ///
    /// # Errors
    /// As [`Request::acquire`].
    pub async fn read(&self) -> Result<ReadGuard> {
        self.request_read().acquire().await
    }

    /// Waits until it is held alone.
    ///
    /// # Errors
    /// As [`Request::acquire`].
    pub async fn write(&self) -> Result<WriteGuard> {
        self.request_write().acquire().await
    }

    /// Takes a share of it if one can be had now.
    ///
    /// # Errors
    /// As [`Request::try_acquire`].
    pub async fn try_read(&self) -> Result<Option<ReadGuard>> {
        self.request_read().try_acquire().await
    }

    /// Takes it alone if that can be had now.
    ///
    /// # Errors
    /// As [`Request::try_acquire`].
    pub async fn try_write(&self) -> Result<Option<WriteGuard>> {
        self.request_write().try_acquire().await
    }

    /// A request for a share of it, with bounds, or with a value for others to read.
    pub fn request_read(&self) -> Request<ReadGuard> {
        Request::new(&self.queue, Mode::Read, 1)
    }

    /// A request for it alone, with bounds, or with a value for others to read.
    pub fn request_write(&self) -> Request<WriteGuard> {
        Request::new(&self.queue, Mode::Write, 1)
    }
}
