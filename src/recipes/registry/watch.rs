//! Hearing who joins a service, who leaves it, and who has changed: exact differences.
//!
//! Keeps no queue that could overflow: it compares what it showed last with what is listed now.

use std::fmt;
use std::sync::{Arc, Weak};

use imbl::ordmap::DiffItem;

use crate::recipes::registry::hub::{Ear, Hub};
use crate::recipes::registry::member::Member;
use crate::recipes::registry::members::Members;
use crate::recipes::registry::roster::Roster;

/// What happened to one member of a service.
#[non_exhaustive]
pub enum MemberChange<T> {
    /// It is listed now.
    Joined(Arc<Member<T>>),
    /// It is listed no more; this is how it was.
    Left(Arc<Member<T>>),
    /// It says something else of itself. That it says the same once more is no change, nor that it is held back, or back.
    #[non_exhaustive]
    Changed {
        /// How it was.
        old: Arc<Member<T>>,
        /// How it is.
        new: Arc<Member<T>>,
    },
}

impl<T> MemberChange<T> {
    /// The member as it is, or as it was when it left.
    #[must_use]
    pub fn member(&self) -> &Arc<Member<T>> {
        match self {
            MemberChange::Joined(member) | MemberChange::Left(member) => member,
            MemberChange::Changed { new, .. } => new,
        }
    }
}

impl<T> Clone for MemberChange<T> {
    fn clone(&self) -> MemberChange<T> {
        match self {
            MemberChange::Joined(member) => MemberChange::Joined(Arc::clone(member)),
            MemberChange::Left(member) => MemberChange::Left(Arc::clone(member)),
            MemberChange::Changed { old, new } => MemberChange::Changed {
                old: Arc::clone(old),
                new: Arc::clone(new),
            },
        }
    }
}

impl<T> fmt::Debug for MemberChange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberChange::Joined(member) => f.debug_tuple("Joined").field(member).finish(),
            MemberChange::Left(member) => f.debug_tuple("Left").field(member).finish(),
            MemberChange::Changed { old, new } => f
                .debug_struct("Changed")
                .field("old", old)
                .field("new", new)
                .finish(),
        }
    }
}

/// Follows the members of a service. Made by [`Registry::watch`](crate::Registry::watch).
///
/// It starts from who is listed when it is made; to begin with them, take [`MembersWatch::catch_up`] first. However slow it is,
/// it holds back nobody, keeps nothing but what it showed last, and misses no net change. It does not keep the registry
/// open: when the last handle of that is gone, it ends.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{MemoryLog, Registry, Session};
/// use globe::registry::{Member, MemberChange};
///
/// # let log = MemoryLog::new();
/// # let registry: Registry<u16> = Registry::open(log.clone(), "services").await?;
/// # let session = Session::open(log).await?;
/// let mut watch = registry.watch("billing");
/// let _mine = registry.register(&session, "billing", Member::new("web-7", 80)).await?;
/// let changes = watch.next().await.expect("the registry is open");
/// assert!(matches!(&changes[..], [MemberChange::Joined(member)] if member.id == "web-7"));
/// # Ok(()) }
/// ```
pub struct MembersWatch<T> {
    hub: Weak<Hub<T>>,
    ear: Ear,
    service: String,
    shown: Option<Arc<Roster<T>>>,
}

impl<T: Send + Sync + 'static> MembersWatch<T> {
    pub(crate) fn new(hub: &Arc<Hub<T>>, service: &str) -> MembersWatch<T> {
        // Heard before looking: what is listed in between is not missed.
        let ear = hub.ear();
        MembersWatch {
            hub: Arc::downgrade(hub),
            ear,
            service: service.to_owned(),
            shown: hub.listing().roster(service).cloned(),
        }
    }

    /// Waits for the next changes: those of one step together, or of several that came meanwhile, in the order of the ids,
    /// never none. `None` when the registry has ended and all was shown. Cancel safe.
    pub async fn next(&mut self) -> Option<Vec<MemberChange<T>>> {
        loop {
            if let Some(changes) = self.try_next() {
                return Some(changes);
            }
            // What was listed since the last look is heard at once.
            if !self.ear.next().await {
                return self.try_next();
            }
        }
    }

    /// The next changes, if there are any now.
    pub fn try_next(&mut self) -> Option<Vec<MemberChange<T>>> {
        let hub = self.hub.upgrade()?;
        let now = hub.listing().roster(&self.service).cloned();
        let changes = difference(self.shown.as_deref(), now.as_deref());
        self.shown = now;
        (!changes.is_empty()).then_some(changes)
    }

    /// The members as they are listed now. What leads to them counts as shown: the next changes are those after it. `None`
    /// when the registry has ended.
    pub fn catch_up(&mut self) -> Option<Members<T>> {
        let members = Members::of(&*self.hub.upgrade()?, &self.service);
        self.shown = members.roster().cloned();
        Some(members)
    }
}

fn difference<T>(old: Option<&Roster<T>>, new: Option<&Roster<T>>) -> Vec<MemberChange<T>> {
    let none = Roster::default();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let changes = old.members().diff(new.members()).map(|item| match item {
        DiffItem::Add(_, new) => MemberChange::Joined(Arc::clone(&new.member)),
        DiffItem::Remove(_, old) => MemberChange::Left(Arc::clone(&old.member)),
        DiffItem::Update { old, new } => MemberChange::Changed {
            old: Arc::clone(&old.1.member),
            new: Arc::clone(&new.1.member),
        },
    });
    changes.collect()
}

impl<T> fmt::Debug for MembersWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembersWatch")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
