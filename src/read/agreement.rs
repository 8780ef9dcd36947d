//! Several maps of one log, each as it was at one and the same position of it.
//!
//! It holds no map up, and never guesses: where that position was passed unseen, it begins again with a newer one.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{select_all, try_join_all};
use globe_log_client::{Error, ErrorKind, LogClient, Position, Result};
use tokio::sync::oneshot;

use crate::entry::key::Key;
use crate::ground::careful::carefully;
use crate::read::view::View;
use crate::replica::Replica;
use crate::replica::state::State;

/// One of the maps, and the state of it that may be shown together with those of the others.
pub(crate) struct Part<K, V> {
    log: Arc<dyn LogClient>,
    replica: Arc<Replica<K, V>>,
    state: Arc<State<K, V>>,
    /// The state that is waited for, if this one is too old.
    awaited: Option<oneshot::Receiver<Arc<State<K, V>>>>,
}

impl<K: Key, V> Part<K, V> {
    pub(crate) fn new(log: &Arc<dyn LogClient>, replica: &Arc<Replica<K, V>>) -> Part<K, V> {
        Part {
            log: Arc::clone(log),
            replica: Arc::clone(replica),
            state: replica.state(),
            awaited: None,
        }
    }

    pub(crate) fn into_view(self) -> View<K, V> {
        View::new(self.state)
    }
}

/// What is asked of a map, whatever its types.
#[async_trait]
pub(crate) trait Aligned: Send + Sync {
    fn log(&self) -> &Arc<dyn LogClient>;

    /// Waits until the first snapshot is there, and nothing is known to be missing.
    async fn is_whole(&self) -> Result<()>;

    fn publications(&self) -> u64;

    async fn published_since(&self, count: u64) -> Result<()>;

    /// Takes what is shown now; the commit since which that is so.
    fn look(&mut self) -> Position;

    /// Wants the state at a position no older than what was taken; false when that was passed already.
    fn want(&mut self, at: Position) -> bool;

    /// Waits for it, if it is not there yet; false when it was passed unseen.
    async fn take(&mut self) -> Result<bool>;
}

#[async_trait]
impl<K: Key, V: Send + Sync + 'static> Aligned for Part<K, V> {
    fn log(&self) -> &Arc<dyn LogClient> {
        &self.log
    }

    async fn is_whole(&self) -> Result<()> {
        self.replica.hydrated().await?;
        self.replica.undoubted().await
    }

    fn publications(&self) -> u64 {
        self.replica.publications()
    }

    async fn published_since(&self, count: u64) -> Result<()> {
        self.replica.published_since(count).await
    }

    fn look(&mut self) -> Position {
        self.awaited = None;
        self.state = self.replica.state();
        Position::new(self.state.position.epoch, self.state.since)
    }

    fn want(&mut self, at: Position) -> bool {
        if self.state.stood_at(at) {
            return true;
        }
        // Before looking again: what is published in between is handed over.
        let awaited = self.replica.moments().at(at);
        self.state = self.replica.state();
        if self.state.stood_at(at) {
            return true;
        }
        self.awaited = Some(awaited);
        let here = self.state.position;
        here.epoch == at.epoch && here.revision < at.revision
    }

    async fn take(&mut self) -> Result<bool> {
        let Some(awaited) = self.awaited.take() else {
            return Ok(true);
        };
        if let Some(end) = self.replica.ended() {
            return Err(end);
        }
        // A quiet map hears how far the log is when the log is asked.
        let ask = async {
            let _ = self.log.head(self.replica.keyspace()).await;
            pending::<()>().await;
        };
        let found = tokio::select! {
            found = carefully(awaited) => found.ok(),
            () = ask => None,
        };
        match (found, self.replica.ended()) {
            (Some(state), _) => self.state = state,
            (None, Some(end)) => return Err(end),
            (None, None) => return Ok(false),
        }
        Ok(true)
    }
}

/// Leaves each of the maps with a state, all of them true at one position of their log.
///
/// That position is the newest commit any of them shows at first. The others need not stand still there: what each showed
/// when it passed is handed over. So however busy they are, it takes no longer than the slowest needs to come that far.
pub(crate) async fn agree(maps: &mut [&mut dyn Aligned]) -> Result<()> {
    are_comparable(maps)?;
    for map in maps.iter() {
        map.is_whole().await?;
    }
    loop {
        // Asked before looking: what is published in between ends the wait.
        let publications: Vec<u64> = maps.iter().map(|map| map.publications()).collect();
        let since: Vec<Position> = maps.iter_mut().map(|map| map.look()).collect();
        let Some(at) = newest(&since) else {
            // One of them does not know yet that the log is in another life.
            let waits = maps.iter().zip(publications);
            let waits = waits.map(|(map, count)| map.published_since(count));
            select_all(waits).await.0?;
            continue;
        };
        let are_ahead = maps.iter_mut().map(|map| map.want(at));
        if !are_ahead.fold(true, |all, is_ahead| all & is_ahead) {
            continue;
        }
        let taken = try_join_all(maps.iter_mut().map(|map| map.take())).await?;
        if taken.into_iter().all(|is_taken| is_taken) {
            return Ok(());
        }
    }
}

/// Positions are compared only inside one log, and only where no commit is skipped.
fn are_comparable(maps: &[&mut dyn Aligned]) -> Result<()> {
    let mut logs = maps.iter().map(|map| map.log());
    let Some(first) = logs.next() else {
        return Ok(());
    };
    if logs.any(|log| log.id() != first.id()) {
        let why = "the maps are in different logs, whose positions say nothing of each other";
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    let capabilities = first.capabilities();
    if !capabilities.every_commit {
        let name = capabilities.name;
        let why = format!("the {name} log may skip commits: what stood at one is not known");
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(())
}

/// The newest of these, if they are of one life of the log.
fn newest(positions: &[Position]) -> Option<Position> {
    let first = positions.first()?;
    let is_one_life = positions.iter().all(|here| here.epoch == first.epoch);
    let newest = positions.iter().max_by_key(|here| here.revision);
    newest.copied().filter(|_| is_one_life)
}
