//! The one who follows the map of a registry, and says what is listed.
//!
//! Never keeps the registry open: it ends with the last handle.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use crate::recipes::registry::book::Book;
use crate::recipes::registry::hub::{Asks, Hub};
use crate::recipes::registry::record::Record;
use crate::{Changes, Phase, PhaseWatch, View, Watch};

/// So many steps are kept while it is busy; what is more is seen as one.
pub(crate) const STEPS: usize = 1 << 12;

/// So many steps are taken before others see them.
const AT_ONCE: usize = 64;

pub(crate) struct Follower<T> {
    pub(crate) hub: Weak<Hub<T>>,
    pub(crate) asks: Arc<Asks>,
    pub(crate) book: Book<T>,
    pub(crate) watch: Watch<String, Record<T>>,
    pub(crate) phase: PhaseWatch<String, Record<T>>,
    /// What the book is made of.
    pub(crate) view: View<String, Record<T>>,
}

enum Event<T> {
    Changed(Option<Changes<String, Record<T>>>),
    Phase(Option<Phase>),
    Asked,
    Passed,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Follower<T> {
    /// Follows until the map ends.
    pub(crate) async fn follow(mut self) {
        let phase = self.phase.catch_up();
        self.note(phase);
        // Nobody can have vanished before: it is no step.
        let view = self.view.clone();
        carefree(self.book.fill(&view)).await;
        let mut has_phase = true;
        loop {
            let Some(hub) = self.hub.upgrade() else {
                return;
            };
            carefree(async { self.publish(&hub) }).await;
            carefree(hub.settle()).await;
            drop(hub);
            match self.next(has_phase).await {
                Event::Changed(Some(changes)) => carefree(self.take(changes)).await,
                Event::Changed(None) => break,
                Event::Phase(phase) => {
                    has_phase = phase.is_some();
                    self.note(phase.unwrap_or(Phase::Closed));
                }
                Event::Asked => carefree(async { self.accept() }).await,
                Event::Passed => {}
            }
        }
        if let Some(hub) = self.hub.upgrade() {
            hub.end();
        }
    }

    fn accept(&mut self) {
        let accepted = self.asks.take_accepted();
        accepted
            .iter()
            .for_each(|service| self.book.accept(service));
    }

    async fn next(&mut self, has_phase: bool) -> Event<T> {
        let deadline = self.book.deadline();
        let passed = sleep_until(deadline.unwrap_or_else(Instant::now));
        tokio::select! {
            changes = self.watch.next() => Event::Changed(changes),
            phase = self.phase.next(), if has_phase => Event::Phase(phase),
            () = self.asks.bell.notified() => Event::Asked,
            () = passed, if deadline.is_some() => Event::Passed,
        }
    }

    /// This step, and those that have come meanwhile, each by itself.
    async fn take(&mut self, changes: Changes<String, Record<T>>) {
        let now = Instant::now();
        let mut next = Some(changes);
        for _ in 0..AT_ONCE {
            let Some(changes) = next else {
                return;
            };
            self.view = changes.after();
            self.book.step(changes.as_slice(), now).await;
            next = self.watch.try_next();
        }
        if let Some(changes) = next {
            self.view = changes.after();
            self.book.step(changes.as_slice(), now).await;
        }
    }

    fn note(&mut self, phase: Phase) {
        let live = (phase == Phase::Live).then(Instant::now);
        self.book.set_live(live);
    }

    fn publish(&mut self, hub: &Hub<T>) {
        self.book.pass(Instant::now());
        if !self.book.has_news(&self.view) {
            return;
        }
        let listing = self.book.listing(self.view.clone(), hub.proved());
        hub.publish(listing);
    }
}

/// Whoever panics here is a `Drop` or `Serialize` of the caller's: that costs what it was about.
async fn carefree(work: impl Future<Output = ()>) {
    let _ = AssertUnwindSafe(work).catch_unwind().await;
}
