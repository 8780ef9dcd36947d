//! A member that this process has registered.
//!
//! Never says that it is listed without a look at the clocks and the map.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::Result;
use crate::recipes::registry::health::Health;
use crate::recipes::registry::member::Member;
use crate::recipes::registry::place::Place;

/// A member of a service, registered by this process, for as long as its session stands: made by
/// [`Registry::register`](crate::Registry::register). Dropping it deregisters in the background;
/// [`deregister`](Registration::deregister) waits for that.
#[must_use = "dropping it deregisters"]
pub struct Registration<T: Serialize + DeserializeOwned + Send + Sync + 'static> {
    place: Arc<Place<T>>,
    runtime: Handle,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Registration<T> {
    pub(crate) fn new(place: Place<T>, runtime: Handle) -> Registration<T> {
        Registration {
            place: Arc::new(place),
            runtime,
        }
    }

    /// Whether it is registered at this moment: its session is live, and its record stands. False from the moment on at which
    /// its lease may have ended, before others can see it gone; and when somebody else has registered its id, of which the
    /// session tells as well ([`SessionEvent::Displaced`](crate::SessionEvent::Displaced)). Costs a look at the map, O(log n),
    /// and at two clocks.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.place.is_registered()
    }

    /// The member, as this process has written it last.
    #[must_use]
    pub fn member(&self) -> Member<T> {
        self.place.mine()
    }

    /// Changes what the member says of itself, and waits until that is committed and listed here. Changes come one after the
    /// other. Costs a commit. Cancel safe: of one that was dropped it is not known whether it was written, and the next is
    /// made from what was known before.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Registry, Session};
    /// use globe::registry::{Member, State};
    ///
    /// # let log = MemoryLog::new();
    /// # let registry: Registry<u16> = Registry::open(log.clone(), "services").await?;
    /// # let session = Session::open(log).await?;
    /// let mine = registry.register(&session, "billing", Member::new("web-7", 80)).await?;
    /// mine.set(|me| me.state = State::Draining).await?;
    /// // What is under way is finished; nothing new comes.
    /// mine.deregister().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotHeld` when somebody else has registered its id; `Invalid` for another id; otherwise as
    /// [`Globe::put_ephemeral`](crate::Globe::put_ephemeral).
    pub async fn set(&self, change: impl FnOnce(&mut Member<T>)) -> Result<()> {
        self.place.set(change).await
    }

    /// Runs a check now and at each interval, and says of the member that it is up or down as that says. One that takes longer
    /// than the interval, or panics, says down. A member that is draining is left so. What could not be written is tried again
    /// at the next check. Ends when the [`Health`] is dropped, or the member deregistered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Registry, Session, registry::Member};
    /// # let log = MemoryLog::new();
    /// # let registry: Registry<u16> = Registry::open(log.clone(), "services").await?;
    /// # let session = Session::open(log).await?;
    /// # let mine = registry.register(&session, "billing", Member::new("web-7", 80)).await?;
    /// # async fn database_answers() -> bool { true }
    /// let every = std::time::Duration::from_secs(5);
    /// let _health = mine.health(every, database_answers)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for an interval of zero, or of more than 24 hours.
    pub fn health<C>(
        &self,
        every: Duration,
        check: impl FnMut() -> C + Send + 'static,
    ) -> Result<Health>
    where
        C: Future<Output = bool> + Send,
    {
        Health::start(&self.place, &self.runtime, every, check)
    }

    /// Says that it is draining, unless it does already, and then deletes its record: so others see that it left, and did not
    /// vanish. Waits until that is committed and listed here. Costs two commits. Dropped half-way, or when it fails because the log
    /// cannot be reached, it goes on in the background.
    ///
    /// # Errors
    /// `NotHeld` when somebody else has registered its id: it is theirs, and nothing was deleted. Otherwise as every write.
    pub async fn deregister(self) -> Result<()> {
        let left = self.place.leave().await;
        if left.is_ok() {
            self.place.left.cancel();
        }
        left
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Drop for Registration<T> {
    fn drop(&mut self) {
        if self.place.left.is_cancelled() {
            return;
        }
        self.place.left.cancel();
        let place = Arc::clone(&self.place);
        self.runtime
            .spawn(async move { place.leave_at_last().await });
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> fmt::Debug for Registration<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("key", &self.place.key)
            .field("is_registered", &self.is_registered())
            .finish_non_exhaustive()
    }
}
