//! Picking a member of a service for a request.
//!
//! Never waits and never takes a lock: it looks at a table that others lay.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::recipes::hash::hash;
use crate::recipes::registry::hub::Hub;
use crate::recipes::registry::member::Member;
use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::roster::Listed;
use crate::recipes::registry::slot::Slot;
use crate::recipes::registry::table::Layout;
use crate::{Error, ErrorKind, Result};

/// Picks members of a service, one for each request. Made by [`Registry::picker`](crate::Registry::picker), once: it follows
/// who is listed by itself. Cheap to clone and to share; it keeps the registry open.
///
/// It picks of those that are [up](crate::registry::State::Up), or of those that are draining where nobody is up; never one
/// without weight. While the log is away these are the last it knew.
///
/// With a [zone](crate::registry::RegistryBuilder::zone) it picks of its own as long as that has at least 0.7 of its fair
/// share of the weight of all (that is divided by the number of zones that are told apart); of a zone that has less only in
/// proportion, and elsewhere otherwise. So no member gets more than 1/0.7 of the average for being near.
///
/// A member whose requests [failed](Picked::failed) is set aside for a second, which doubles each time up to a minute, until a
/// request to it succeeds: it is picked only where all others are set aside too. At most half of the members are set aside
/// at a time. That is what this process alone knows, in all pickers of the service.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{MemoryLog, Registry, Session};
/// use globe::registry::{Member, Pick};
///
/// # let log = MemoryLog::new();
/// # let registry: Registry<u16> = Registry::open(log.clone(), "services").await?;
/// # let session = Session::open(log).await?;
/// # let _mine = registry.register(&session, "billing", Member::new("web-7", 80)).await?;
/// # async fn call(port: &u16) -> Result<(), ()> { Ok(()) }
/// let billing = registry.picker("billing", Pick::TwoChoices);
/// billing.ready().await?;
/// if let Some(target) = billing.pick() {
///     match call(&target.data).await {
///         Ok(()) => drop(target), // it was in flight until now
///         Err(()) => target.failed(),
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Picker<T> {
    hub: Arc<Hub<T>>,
    slot: Arc<Slot<T>>,
}

impl<T> Picker<T> {
    pub(crate) fn new(hub: &Arc<Hub<T>>, service: &str, pick: Pick) -> Picker<T> {
        Picker {
            slot: hub.slot(service, pick),
            hub: Arc::clone(hub),
        }
    }

    /// Picks a member; `None` when nobody can be picked. Costs some tens of nanoseconds, whatever the number of members.
    pub fn pick(&self) -> Option<Picked<T>> {
        let table = self.slot.table();
        let listed = match &table.layout {
            Layout::Zoned(zoned) => zoned.draw(self.slot.pick, &self.slot.turns),
            Layout::Ring(ring) => ring.owner(fastrand::u64(..)),
        };
        listed.map(Picked::new)
    }

    /// The member a key belongs to, by [`Pick::Hash`]; while it is set aside, the one who would have it otherwise. The other
    /// ways of picking do not look at the key. As quick as [`Picker::pick`]; for less than a second after a change, while the
    /// owners are found, it costs some nanoseconds for each member.
    pub fn pick_for(&self, key: &[u8]) -> Option<Picked<T>> {
        let table = self.slot.table();
        match &table.layout {
            Layout::Zoned(_) => self.pick(),
            Layout::Ring(ring) => ring.owner(hash(key)).map(Picked::new),
        }
    }

    /// Waits until somebody can be picked: at once, if so. Has no deadline: bound it with `tokio::time::timeout`. Cancel safe.
    ///
    /// # Errors
    /// `Closed` when the registry has ended, and nobody ever will be.
    pub async fn ready(&self) -> Result<()> {
        let mut ear = self.hub.ear();
        while self.slot.table().is_empty() {
            if !ear.next().await && self.slot.table().is_empty() {
                let why = format!("the registry has ended without a {}", self.slot.service);
                return Err(Error::new(ErrorKind::Closed, why));
            }
        }
        Ok(())
    }
}

impl<T> Clone for Picker<T> {
    fn clone(&self) -> Picker<T> {
        Picker {
            hub: Arc::clone(&self.hub),
            slot: Arc::clone(&self.slot),
        }
    }
}

impl<T> fmt::Debug for Picker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picker")
            .field("service", &self.slot.service)
            .field("pick", &self.slot.pick)
            .finish_non_exhaustive()
    }
}

/// A member that was picked for a request, which it reads as. The request counts as under way until this is dropped.
#[must_use = "the request is under way as long as this is there"]
pub struct Picked<T> {
    listed: Arc<Listed<T>>,
    failed: bool,
}

impl<T> Picked<T> {
    fn new(listed: &Arc<Listed<T>>) -> Picked<T> {
        listed.load.begin();
        Picked {
            listed: Arc::clone(listed),
            failed: false,
        }
    }

    /// The member, to be kept.
    #[must_use]
    pub fn member(&self) -> &Arc<Member<T>> {
        &self.listed.member
    }

    /// The request is done, and failed for what the member is to blame for: it was not reached, or did not answer.
    pub fn failed(mut self) {
        self.failed = true;
    }
}

impl<T> Deref for Picked<T> {
    type Target = Member<T>;

    fn deref(&self) -> &Member<T> {
        &self.listed.member
    }
}

impl<T> Drop for Picked<T> {
    fn drop(&mut self) {
        let load = &self.listed.load;
        load.end();
        if self.failed {
            load.failed();
        } else {
            load.succeeded();
        }
    }
}

impl<T> fmt::Debug for Picked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Picked").field(&self.listed.member).finish()
    }
}
