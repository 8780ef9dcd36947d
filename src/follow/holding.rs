//! Holding back: whether the next state is shown, or withheld until it is accepted, put right, or its time is over.
//!
//! It never shows a part of what is withheld, and never what was passed meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use globe_log_client::Position;
use tokio::time::{Instant, sleep_until};

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::held::{Held, Wait, at_once, step};
use crate::follow::staged::Staged;
use crate::ground::pace::Pace;
use crate::replica::guard::{Guard, Step};
use crate::replica::state::State;

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    /// Up to where the log was followed, shown or not.
    pub(crate) fn newest(&self) -> Arc<State<K, V>> {
        match &self.held {
            Some(held) => Arc::clone(&held.state),
            None => self.replica().state(),
        }
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Publishes what follows on the newest state, unless the guard withholds it. Says how many records are kept out there.
    pub(crate) async fn show(&mut self, staged: Staged<K, V>) -> usize {
        let kept_out = staged.state.quarantine.len();
        match self.taken_by(&staged).await {
            Some(gone) => self.hold(staged.state, gone),
            None if self.is_holding() => {
                let state = Arc::new(staged.state);
                self.let_go(state, "it takes away no more than it may")
                    .await;
            }
            None => self.publish(staged).await,
        }
        kept_out
    }

    /// As [`Applier::show`], of what follows on the published state, whatever is withheld: that gives way.
    pub(crate) async fn show_anew(&mut self, staged: Staged<K, V>) -> usize {
        if let Some(held) = &mut self.held {
            held.gone.clear();
        }
        self.show(staged).await
    }

    /// The keys that it takes away, if it is to be withheld.
    async fn taken_by(&mut self, staged: &Staged<K, V>) -> Option<HashSet<Arc<K>>> {
        let (published, guard) = (self.replica().state(), *self.replica().guard());
        let most = step(&published, &staged.state, staged.removed());
        if !guard.is_set() {
            self.tell(most, staged.state.position);
            return None;
        }
        if !self.is_holding() && !guard.withholds(most) {
            // Whoever has taken them away, it is not enough.
            return None;
        }
        let gone = self.gone(&published, staged).await;
        let step = step(&published, &staged.state, gone.len());
        guard.withholds(step).then_some(gone)
    }

    /// Also without a guard nothing is lost silently.
    fn tell(&self, step: Step, position: Position) {
        if Guard::hold().withholds(step) {
            let (keyspace, gone, of) = (self.replica().keyspace(), step.gone, step.before);
            tracing::info!(%keyspace, %position, gone, of, "nearly all entries are gone in one step, which is followed");
        }
    }

    /// The keys that are shown and would be gone, but for those that were deleted here.
    async fn gone(&mut self, published: &State<K, V>, staged: &Staged<K, V>) -> HashSet<Arc<K>> {
        let held = self.held.as_mut();
        let mut gone = held.map_or_else(HashSet::new, |held| std::mem::take(&mut held.gone));
        let deletes = self.replica().deletes();
        let mut pace = Pace::new();
        for (key, is_there) in staged.changed() {
            if is_there {
                gone.remove(key);
            } else if published.entries.contains_key(key) && !deletes.include(&**key) {
                gone.insert(Arc::clone(key));
            }
            pace.step().await;
        }
        gone
    }

    fn hold(&mut self, state: State<K, V>, gone: HashSet<Arc<K>>) {
        let (time, published) = (self.replica().guard().time(), self.replica().state());
        let earlier = self.held.take().map(|held| (held.wait, held.doubts));
        let is_new = earlier.is_none();
        let (wait, doubts) = earlier.unwrap_or_else(|| (Wait::begin(Instant::now(), time), 0));
        let state = Arc::new(state);
        let held = self.held.insert(Held {
            state,
            gone,
            wait,
            doubts,
        });
        if self.follows {
            held.wait.run(Instant::now());
        }
        let told = held.told(&published);
        self.replica().withholding().hold(told);
        if is_new && let Some(withheld) = self.replica().withholding().told() {
            let keyspace = self.replica().keyspace();
            tracing::warn!(%keyspace, "{withheld}: the map goes on showing what was there before");
        }
    }

    /// The log is followed no more: what is withheld waits on when it is again.
    pub(crate) fn pause(&mut self) {
        self.follows = false;
        if let Some(held) = &mut self.held {
            held.wait.pause(Instant::now());
        }
    }

    /// So many doubts are settled: now, or when what is withheld is shown. Whether it is now.
    pub(crate) fn settle(&mut self, doubts: u64) -> bool {
        match &mut self.held {
            Some(held) => held.doubts = doubts,
            None => self.replica().settle(doubts),
        }
        self.held.is_none()
    }

    /// Waits until what is withheld is to be shown: for ever, where nothing is.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + use<K, V> {
        let due = self.held.as_ref().map(|held| held.wait.due());
        let replica = Arc::clone(self.replica());
        async move {
            match due {
                None => std::future::pending().await,
                Some(None) => replica.withholding().accepted().await,
                Some(Some(due)) => tokio::select! {
                    () = replica.withholding().accepted() => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }

    /// Shows what is withheld, if it is to be.
    pub(crate) async fn let_go_if_due(&mut self) {
        let Some(held) = &self.held else {
            return;
        };
        let is_due = held.wait.due().is_some_and(|due| due <= Instant::now());
        let why = match self.replica().withholding().is_accepted() {
            true => "it was accepted",
            false if is_due => "its time is over",
            false => return,
        };
        let state = Arc::clone(&held.state);
        self.let_go(state, why).await;
    }

    /// Shows this state as one step after what is published.
    async fn let_go(&mut self, state: Arc<State<K, V>>, why: &str) {
        let doubts = self.held.take().map_or(0, |held| held.doubts);
        let published = self.replica().state();
        let mut staged = at_once(&published, &state).await;
        if staged.state.resyncs == published.resyncs {
            // It may be many commits: nobody may take it for the next one.
            staged.state.resyncs += 1;
            staged.state.resync_reason = ResyncReason::Withheld;
        }
        drop(published);
        self.publish(staged).await;
        self.replica().settle(doubts);
        self.replica().withholding().end();
        let keyspace = self.replica().keyspace();
        tracing::info!(%keyspace, why, "what was withheld is shown");
    }

    async fn publish(&mut self, staged: Staged<K, V>) {
        let position = staged.state.position;
        self.publish_deletes(staged).await;
        if let Some(copy) = &self.copy {
            copy.confirm(position);
        }
    }

    /// Publishes, and forgets the deletes that are shown by it.
    async fn publish_deletes(&mut self, staged: Staged<K, V>) {
        let replica = Arc::clone(self.replica());
        let deletes = replica.deletes();
        if deletes.is_empty() {
            return staged.publish(&replica).await;
        }
        let is_snapshot = staged.state.resyncs != replica.state().resyncs;
        let (mut shown, mut pace) = (Vec::new(), Pace::new());
        for (key, is_there) in staged.changed() {
            if !is_there && deletes.include(&**key) {
                shown.push(Arc::clone(key));
            }
            pace.step().await;
        }
        staged.publish(&replica).await;
        shown.iter().for_each(|key| deletes.shown(&**key));
        if is_snapshot {
            deletes.forget_unknown();
        }
    }
}
