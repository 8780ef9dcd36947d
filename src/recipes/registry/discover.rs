//! The members of a service as services of tower: what its balancers take.
//!
//! Never connects by itself: the caller makes a service of a member.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::discover::Change;

use crate::recipes::registry::handle::Registry;
use crate::recipes::registry::hub::{Ear, Hub};
use crate::recipes::registry::member::Member;
use crate::recipes::registry::record::is_same;
use crate::{Error, Result};

/// The members of a service, each as a service of tower, by its id: made by [`Registry::discover`]. It is a
/// [`Discover`](tower::discover::Discover).
pub struct Discovery<S> {
    changes: BoxStream<'static, Result<Change<String, S>, Error>>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Registry<T> {
    /// The members of a service for a balancer of tower, such as `tower::balance::p2c::Balance`, or of tonic: `connect` makes
    /// a service of each. In it are those that a [`Picker`](crate::registry::Picker) would pick of, in any zone: who is
    /// draining leaves, unless nobody else is up. A member whose data, weight or zone has changed gets a new service in the
    /// place of the old one; one that only registered again keeps its own.
    ///
    /// It ends with the registry, and does not keep it open. `connect` is called where the stream is polled: it should not
    /// wait. The stream never fails.
    #[must_use]
    pub fn discover<S: Send + 'static>(
        &self,
        service: &str,
        connect: impl Fn(&Member<T>) -> S + Send + 'static,
    ) -> Discovery<S> {
        let discovering = Discovering {
            ear: self.hub.ear(),
            hub: Arc::downgrade(&self.hub),
            service: service.to_owned(),
            shown: BTreeMap::new(),
        };
        let members = stream::unfold(discovering, |mut discovering| async move {
            let changes = discovering.next().await?;
            Some((stream::iter(changes), discovering))
        });
        let changes = members.flatten().map(move |(id, member)| {
            Ok(match member {
                Some(member) => Change::Insert(id, connect(&member)),
                None => Change::Remove(id),
            })
        });
        Discovery {
            changes: changes.fuse().boxed(),
        }
    }
}

struct Discovering<T> {
    hub: std::sync::Weak<Hub<T>>,
    ear: Ear,
    service: String,
    /// Who has a service now.
    shown: BTreeMap<String, Arc<Member<T>>>,
}

/// Who gets a service, or has one no more.
type Changes<T> = Vec<(String, Option<Arc<Member<T>>>)>;

impl<T: Serialize> Discovering<T> {
    async fn next(&mut self) -> Option<Changes<T>> {
        loop {
            let changes = self.look()?;
            if !changes.is_empty() {
                return Some(changes);
            }
            // What was listed since the last look is heard at once.
            if !self.ear.next().await {
                return self.look().filter(|changes| !changes.is_empty());
            }
        }
    }

    fn look(&mut self) -> Option<Changes<T>> {
        let listing = self.hub.upgrade()?.listing();
        let roster = listing.roster(&self.service);
        let candidates = roster.map_or_else(Vec::new, |roster| roster.candidates());
        let now = candidates.iter().map(|listed| {
            let member = Arc::clone(&listed.member);
            (member.id.clone(), member)
        });
        let now: BTreeMap<String, Arc<Member<T>>> = now.collect();
        let gone = self.shown.keys().filter(|id| !now.contains_key(*id));
        let mut changes: Changes<T> = gone.map(|id| (id.clone(), None)).collect();
        for (id, member) in &now {
            let known = self.shown.get(id);
            if !known.is_some_and(|known| is_served_alike(known, member)) {
                changes.push((id.clone(), Some(Arc::clone(member))));
            }
        }
        self.shown = now;
        Some(changes)
    }
}

/// Whether what serves the one serves the other.
fn is_served_alike<T: Serialize>(one: &Arc<Member<T>>, other: &Arc<Member<T>>) -> bool {
    let is_alike =
        || one.weight == other.weight && one.zone == other.zone && is_same(&one.data, &other.data);
    Arc::ptr_eq(one, other) || is_alike()
}

impl<S> Stream for Discovery<S> {
    type Item = Result<Change<String, S>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.changes.poll_next_unpin(context)
    }
}

impl<S> fmt::Debug for Discovery<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}
