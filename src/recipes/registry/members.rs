//! The members of a service, as they are listed at one revision.
//!
//! Never changes, and never waits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use imbl::ordmap;
use tokio::time::Instant;

use crate::recipes::registry::hub::Hub;
use crate::recipes::registry::listing::Listing;
use crate::recipes::registry::member::Member;
use crate::recipes::registry::record::Record;
use crate::recipes::registry::roster::{Listed, Roster};
use crate::{Position, View};

/// The members of a service at one revision, in the order of their ids: those that are down or draining as well, and those
/// that are [held back](crate::registry::Vanish). Made by [`Registry::members`](crate::Registry::members).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{MemoryLog, Registry, Session, registry::Member};
/// # let log = MemoryLog::new();
/// # let registry: Registry<u16> = Registry::open(log.clone(), "services").await?;
/// # let session = Session::open(log).await?;
/// # let _mine = registry.register(&session, "billing", Member::new("web-7", 80)).await?;
/// let billing = registry.members("billing");
/// for member in &billing {
///     println!("{} is {} and listens at {}", member.id, member.state, member.data);
/// }
/// assert!(billing.get("web-7").is_some() && !billing.is_held_back("web-7"));
/// assert!(billing.age() < Some(std::time::Duration::from_secs(2)));
/// # Ok(()) }
/// ```
pub struct Members<T> {
    roster: Option<Arc<Roster<T>>>,
    listing: Arc<Listing<T>>,
    /// The map when they were looked at, and when that was proved current last.
    map: View<String, Record<T>>,
    proved: Option<Instant>,
}

impl<T: Send + Sync + 'static> Members<T> {
    pub(crate) fn of(hub: &Hub<T>, service: &str) -> Members<T> {
        // Asked before looking: what is proved of the map by now holds for all that it shows later.
        let proved = hub.proved();
        let listing = hub.listing();
        Members {
            roster: listing.roster(service).cloned(),
            listing,
            map: hub.map.view(),
            proved,
        }
    }

    /// Where in the log they are true.
    #[must_use]
    pub fn position(&self) -> Position {
        match self.listing.is_of(&self.map) {
            true => self.map.position(),
            false => self.listing.position(),
        }
    }

    /// How old they can be at most: the time since a linearizable answer of the log last proved that they were current. It
    /// grows while they are kept, and while the log is away. `None` before the first proof.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        // The one who follows the map may be a moment behind it.
        let proved = match self.listing.is_of(&self.map) {
            true => self.proved,
            false => self.listing.proved,
        };
        Some(proved?.elapsed())
    }
}

impl<T> Members<T> {
    pub(crate) fn roster(&self) -> Option<&Arc<Roster<T>>> {
        self.roster.as_ref()
    }

    /// The member of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Member<T>>> {
        Some(&self.roster.as_ref()?.get(id)?.member)
    }

    /// Whether a member has gone and is listed all the same, because it went with too many others: it may be there, and not be
    /// able to say so.
    #[must_use]
    pub fn is_held_back(&self, id: &str) -> bool {
        let listed = self.roster.as_ref().and_then(|roster| roster.get(id));
        listed.is_some_and(|listed| listed.held.is_some())
    }

    /// How many are held back. O(1).
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.roster.as_ref().map_or(0, |roster| roster.held())
    }

    /// How many there are, those that are held back among them. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.roster.as_ref().map_or(0, |roster| roster.len())
    }

    /// Whether there are none: also before the first snapshot, when nothing is known yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> MembersIter<'_, T> {
        let members = self.roster.as_ref().map(|roster| roster.members().values());
        MembersIter { members }
    }
}

impl<'a, T> IntoIterator for &'a Members<T> {
    type Item = &'a Arc<Member<T>>;
    type IntoIter = MembersIter<'a, T>;

    fn into_iter(self) -> MembersIter<'a, T> {
        self.iter()
    }
}

/// All members of a service, in the order of their ids: made by [`Members::iter`].
pub struct MembersIter<'a, T> {
    members: Option<ordmap::Values<'a, String, Arc<Listed<T>>, imbl::shared_ptr::DefaultSharedPtr>>,
}

impl<'a, T> Iterator for MembersIter<'a, T> {
    type Item = &'a Arc<Member<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(&self.members.as_mut()?.next()?.member)
    }
}

impl<T> fmt::Debug for MembersIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembersIter").finish_non_exhaustive()
    }
}

impl<T> Clone for Members<T> {
    fn clone(&self) -> Members<T> {
        Members {
            roster: self.roster.clone(),
            listing: Arc::clone(&self.listing),
            map: self.map.clone(),
            proved: self.proved,
        }
    }
}

impl<T> fmt::Debug for Members<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
