//! Permits: so many at a time, in the order in which they were asked for.
//!
//! Never takes a permit away: after a smaller `resize` those who hold keep what they have.

use std::sync::Arc;

use serde_json::json;

use crate::recipes::claim::{Claim, Claims, Mode};
use crate::recipes::hold::guard;
use crate::recipes::order::Rule;
use crate::recipes::queue::{Kind, Queue, permits};
use crate::recipes::request::Request;
use crate::{Error, ErrorKind, Result, Session};

/// So many permits of a name, of which each request takes some. First come, first served: a large request is not passed over
/// by small ones behind it.
///
/// How many there are stands in the log, in the record `semaphore/{name}`: the first who asks writes it, and what stands there
/// counts from then on, whatever [`Semaphore::new`] was told. Without that record nobody is let in.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Claims, Globe, MemoryLog, Semaphore, Session};
/// # let log = MemoryLog::new();
/// # let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// # let session = Session::open(log).await?;
/// let uploads = Semaphore::new(&claims, &session, "uploads", 3)?;
/// let two = uploads.acquire(2).await?;
/// assert!(uploads.try_acquire(2).await?.is_none());
/// assert!(uploads.try_acquire(1).await?.is_some());
/// two.release().await?;
/// assert!(uploads.acquire(4).await.is_err()); // there will never be so many
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    queue: Arc<Queue>,
    permits: u32,
}

guard! {
    /// Permits of a [`Semaphore`](crate::Semaphore) that are held. Its token goes into
    /// [`Gate::admit_shared`](crate::Gate::admit_shared).
    Permit, release
}

impl Semaphore {
    /// The permits of a name: so many, if nobody has said otherwise yet. Talks to nobody.
    ///
    /// # Errors
    /// As [`Lock::new`](crate::Lock::new); `Invalid` for no permits.
    pub fn new(claims: &Claims, session: &Session, name: &str, permits: u32) -> Result<Semaphore> {
        let queue = Queue::new(claims, session, Kind::Semaphore, name)?;
        check(&queue.root, permits)?;
        Ok(Semaphore { queue, permits })
    }

    /// Waits until so many permits are held.
    ///
    /// # Errors
    /// As [`Request::acquire`]; `Invalid` for none, and for more than there are.
    pub async fn acquire(&self, permits: u32) -> Result<Permit> {
        self.request(permits).await?.acquire().await
    }

    /// Takes so many permits if they can be had now.
    ///
    /// # Errors
    /// As [`Request::try_acquire`]; `Invalid` for none, and for more than there are.
    pub async fn try_acquire(&self, permits: u32) -> Result<Option<Permit>> {
        self.request(permits).await?.try_acquire().await
    }

    /// A request with bounds, or with a value for others to read. Writes down how many permits there are, where nobody has.
    ///
    /// # Errors
    /// `Invalid` for no permits, and for more than there are; otherwise as every write.
    pub async fn request(&self, permits: u32) -> Result<Request<Permit>> {
        check(&self.queue.root, permits)?;
        let limit = self.limit().await?;
        self.queue.check(Rule::Permits(Some(limit)), permits)?;
        Ok(Request::new(&self.queue, Mode::Write, permits))
    }

    /// How many permits there are, whoever holds them; `None` before anybody asked for one.
    #[must_use]
    pub fn permits(&self) -> Option<u32> {
        permits(&self.queue.claims.view(), &self.queue.root)
    }

    /// Changes how many permits there are, for everybody. When it is fewer than are held, those who hold keep theirs, and
    /// nobody is let in until there are. Who waits for more than there are now is told `Invalid`.
    ///
    /// # Errors
    /// `Invalid` for none; otherwise as every write.
    pub async fn resize(&self, permits: u32) -> Result<()> {
        check(&self.queue.root, permits)?;
        let record = self.record(permits);
        let root = self.queue.root.as_str();
        self.queue.claims.put_detached(root, record).await?;
        Ok(())
    }

    /// How many there are; writes it down where nobody has.
    async fn limit(&self) -> Result<u32> {
        if let Some(limit) = self.permits() {
            return Ok(limit);
        }
        let (claims, root) = (&self.queue.claims, self.queue.root.as_str());
        match claims.create(root, self.record(self.permits)).await {
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
        self.permits().ok_or_else(|| {
            let why = format!("the record {root} does not say how many permits there are");
            Error::new(ErrorKind::Codec, why)
        })
    }

    fn record(&self, permits: u32) -> Claim {
        Claim::note(self.queue.session.name(), json!({ "permits": permits }))
    }
}

fn check(root: &str, permits: u32) -> Result<()> {
    if permits == 0 {
        let why = format!("{root}: no permits at all cannot be meant");
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    Ok(())
}
