//! What all handles of a registry share: the map, what is listed, and the tables of the pickers.
//!
//! Never changes what is listed: only the one who follows the map does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::Globe;
use crate::ground::careful::carefully;
use crate::recipes::registry::listing::Listing;
use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::record::Record;
use crate::recipes::registry::slot::Slot;
use crate::recipes::registry::turn::Turns;

pub(crate) struct Hub<T> {
    pub(crate) map: Globe<String, Record<T>>,
    zone: Option<String>,
    listing: ArcSwap<Listing<T>>,
    slots: Mutex<Vec<Weak<Slot<T>>>>,
    news: watch::Sender<News>,
    pub(crate) asks: Arc<Asks>,
    pub(crate) turns: Turns,
}

/// What is told to those who wait.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    number: u64,
    has_ended: bool,
}

/// What is asked of the one who follows the map.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    accepted: Mutex<Vec<String>>,
    pub(crate) bell: Notify,
}

impl Asks {
    fn accepted(&self) -> MutexGuard<'_, Vec<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accept(&self, service: &str) {
        self.accepted().push(service.to_owned());
        self.bell.notify_one();
    }

    /// The services whose members are not to be held back any more.
    pub(crate) fn take_accepted(&self) -> Vec<String> {
        std::mem::take(&mut *self.accepted())
    }
}

/// Waits for what is listed next. Does not keep the registry.
#[derive(Clone)]
pub(crate) struct Ear(watch::Receiver<News>);

impl Ear {
    /// Waits until something else is listed than when it was called last; false when nothing ever will be. Cancel safe.
    pub(crate) async fn next(&mut self) -> bool {
        let Ear(news) = self;
        let has_ended = news.borrow().has_ended;
        !has_ended && carefully(news.changed()).await.is_ok()
    }
}

impl<T> Hub<T> {
    pub(crate) fn new(map: Globe<String, Record<T>>, zone: Option<String>) -> Hub<T> {
        Hub {
            map,
            zone,
            listing: ArcSwap::from_pointee(Listing::none()),
            slots: Mutex::default(),
            news: watch::Sender::default(),
            asks: Arc::default(),
            turns: Turns::default(),
        }
    }

    pub(crate) fn listing(&self) -> Arc<Listing<T>> {
        self.listing.load_full()
    }

    pub(crate) fn ear(&self) -> Ear {
        Ear(self.news.subscribe())
    }

    /// Shows what is listed from now on, and lays the tables of all pickers anew.
    pub(crate) fn publish(&self, listing: Listing<T>) {
        let listing = Arc::new(listing);
        let before = self.listing.swap(Arc::clone(&listing));
        // Only now: a picker that was made before is laid here, one that is made later looks at this listing.
        let slots = self.slots();
        let tables: Vec<_> = slots.iter().map(|slot| slot.lay(&listing)).collect();
        self.tell(|news| news.number = listing.number);
        // At the end: it may be the last of something of the caller's that panics.
        drop((before, tables));
    }

    /// Nothing is listed any more but what is.
    pub(crate) fn end(&self) {
        self.tell(|news| news.has_ended = true);
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        self.news.send_modify(change);
    }

    /// Finds the buckets of the tables that want some.
    pub(crate) async fn settle(&self) {
        let listing = self.listing();
        for slot in self.slots() {
            slot.settle(&listing).await;
        }
    }

    /// Those that are still used. None is let go under the lock: it holds what is the caller's.
    fn slots(&self) -> Vec<Arc<Slot<T>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn slot(&self, service: &str, pick: Pick) -> Arc<Slot<T>> {
        let mut slots = self.slots().into_iter();
        if let Some(slot) = slots.find(|slot| slot.service == service && slot.pick == pick) {
            return slot;
        }
        let slot = Arc::new(Slot::new(service, pick, self.zone.as_deref()));
        let weak = Arc::downgrade(&slot);
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(weak);
        slot.lay(&self.listing());
        self.asks.bell.notify_one();
        slot
    }
}

impl<T: Send + Sync + 'static> Hub<T> {
    /// Waits until all that the map shows now is listed. Cancel safe.
    pub(crate) async fn catch_up(&self) {
        let (mut ear, view) = (self.ear(), self.map.view());
        let is_listed = || {
            let listing = self.listing();
            listing.position().covers(view.position()) || listing.is_of(&self.map.view())
        };
        while !is_listed() && ear.next().await {}
    }

    /// When the map was proved current last.
    pub(crate) fn proved(&self) -> Option<Instant> {
        let staleness = self.map.status().staleness?;
        Instant::now().checked_sub(staleness)
    }
}
