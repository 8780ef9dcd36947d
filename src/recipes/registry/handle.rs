//! The handle of a registry: registering, looking, hearing, picking.
//!
//! It only passes on: what is listed is kept by the one who follows the map.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::recipes::registry::hub::Hub;
use crate::recipes::registry::key::key_of;
use crate::recipes::registry::member::Member;
use crate::recipes::registry::members::Members;
use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::picker::Picker;
use crate::recipes::registry::place::Place;
use crate::recipes::registry::registration::Registration;
use crate::recipes::registry::status::RegistryStatus;
use crate::recipes::registry::watch::MembersWatch;
use crate::{Error, ErrorKind, Result, Session};

/// A registry of services: which members each has, how they are, and which one to ask. Every process has a copy of it, so
/// looking and picking cost no round trip, and go on while the log is away.
///
/// A member is an ephemeral record `{service}/{id}`: when its process dies, it is gone after at most the time its session
/// lives, and a second. That a listed member answers nobody can promise. When many vanish all at once without having
/// drained, they are held back for a while: see [`Vanish`](crate::registry::Vanish).
///
/// Cheap to clone and to share; all clones are one registry, which is closed with the last. All processes must use the same
/// keyspace, and the same `T`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::registry::{Member, Pick, State};
/// use globe::{MemoryLog, Registry, Session};
///
/// let log = MemoryLog::new();
/// let registry: Registry<String> = Registry::open(log.clone(), "services").await?;
/// let session = Session::open(log).await?;
/// let me = Member::new("web-7", "10.0.0.7:80".to_owned());
/// let mine = registry.register(&session, "billing", me).await?;
///
/// let billing = registry.picker("billing", Pick::TwoChoices);
/// let target = billing.pick().expect("there is one");
/// assert_eq!(*target.data, "10.0.0.7:80");
///
/// mine.set(|me| me.state = State::Draining).await?;
/// mine.deregister().await?;
/// assert!(registry.members("billing").is_empty());
/// # Ok(()) }
/// ```
pub struct Registry<T> {
    pub(crate) hub: Arc<Hub<T>>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Registry<T> {
    /// Registers a member of a service, for as long as a session stands, whatever stands there: a process that was started
    /// again takes its id over from the lease of the dead one. It takes it over from a process that lives as well, which then
    /// hears of it ([`SessionEvent::Displaced`](crate::SessionEvent::Displaced)) and
    /// [is not registered](Registration::is_registered) any more: what must be one at a time needs a
    /// [`Lock`](crate::Lock).
    ///
    /// So does a second registration of the id by this process: the first is none any more, and takes nothing with it when it
    /// is dropped.
    ///
    /// Costs a commit, and waits until it is listed here. Cancel safe: one that was dropped, or whose outcome is not known, is
    /// deleted again, as [`Globe::put_ephemeral`](crate::Globe::put_ephemeral) says. While the session is not live it waits.
    ///
    /// # Errors
    /// `Invalid` for a service or an id without characters, or of more than 512 bytes in a key, and for a session of another
    /// log; `TooLarge`, `Codec` for data that cannot be written; `Denied`; otherwise as
    /// [`Globe::put_ephemeral`](crate::Globe::put_ephemeral).
    pub async fn register(
        &self,
        session: &Session,
        service: &str,
        member: Member<T>,
    ) -> Result<Registration<T>> {
        let key = key_of(service, &member.id)?;
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Invalid, "a registry needs a tokio runtime").with_source(error)
        })?;
        let place = Place::new(&self.hub, session, key, member);
        place.register().await?;
        Ok(Registration::new(place, runtime))
    }
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// The members of a service, at one revision: local, without waiting. O(log n) of the services, whatever their size.
    /// Those that this process has registered itself are among them when `register` returned.
    #[must_use]
    pub fn members(&self, service: &str) -> Members<T> {
        Members::of(&self.hub, service)
    }

    /// The services that have members, in their order.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let listing = self.hub.listing();
        let filled = listing
            .services
            .iter()
            .filter(|(_, roster)| !roster.is_empty());
        filled.map(|(service, _)| service.clone()).collect()
    }

    /// Follows who joins a service, who leaves it, and who has changed, from now on.
    #[must_use]
    pub fn watch(&self, service: &str) -> MembersWatch<T> {
        MembersWatch::new(&self.hub, service)
    }

    /// Picks members of a service. Make it once for each service, not for each request: that costs as much as there are
    /// members. Pickers of one service and one way of picking share what they look at.
    #[must_use]
    pub fn picker(&self, service: &str, pick: Pick) -> Picker<T> {
        Picker::new(&self.hub, service, pick)
    }

    /// Follows what is held back of a service: those members are gone, a moment later. Nothing happens where none is.
    pub fn accept(&self, service: &str) {
        self.hub.asks.accept(service);
    }

    /// How it is doing: local, without waiting. Costs a look at each service, and a copy of who is held back.
    #[must_use]
    pub fn status(&self) -> RegistryStatus {
        RegistryStatus::of(&self.hub)
    }

    /// Waits until the first snapshot is listed: at once, but for a registry from
    /// [`start`](crate::registry::RegistryBuilder::start). Has no deadline. Cancel safe.
    ///
    /// # Errors
    /// Why the registry ended, if it did first.
    pub async fn hydrated(&self) -> Result<()> {
        self.hub.map.hydrated().await?;
        self.hub.catch_up().await;
        Ok(())
    }

    /// Stops following the log. Reads and pickers go on showing the last members; watches end. What is registered stands as
    /// long as its session. All clones are closed.
    pub async fn close(&self) {
        self.hub.map.close().await;
    }
}

impl<T> Clone for Registry<T> {
    fn clone(&self) -> Registry<T> {
        let hub = Arc::clone(&self.hub);
        Registry { hub }
    }
}

impl<T> fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("map", &self.hub.map)
            .finish_non_exhaustive()
    }
}
