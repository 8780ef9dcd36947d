//! The planner of a table, as far as this process is it: elected among the members, it makes of each table the next.
//!
//! Never remembers a plan: what of one was not committed is planned anew, by whoever plans then.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::ground::backoff::Backoff;
use crate::recipes::shards::change::Change;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::deciding::{decide, rebalanced};
use crate::recipes::shards::due::{becomes, due};
use crate::recipes::shards::record::{CANDIDATES, Record, RowId};
use crate::recipes::shards::row::Stage;
use crate::recipes::shards::table::Table;
use crate::session::claims::Claimed;
use crate::{Position, Result, Session, SessionState};

/// How long a table must stand before it is planned for: what comes at the same time is planned for at once.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Stands for planner, and plans whenever this process is it.
pub(crate) struct Planning {
    office: Office,
    stop: CancellationToken,
    candidate: Option<Claimed>,
    standing: Option<Pin<Box<dyn Future<Output = Result<Claimed>> + Send>>>,
    backoff: Backoff,
}

impl Planning {
    pub(crate) fn new(
        common: &Arc<Common>,
        session: &Session,
        stop: CancellationToken,
    ) -> Planning {
        let office = Office {
            common: Arc::clone(common),
            session: session.clone(),
        };
        Planning {
            office,
            stop,
            candidate: None,
            standing: None,
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(2)),
        }
    }

    /// Plans until it is told to stop, or its session has ended.
    pub(crate) async fn run(mut self) {
        let (stop, mut news) = (self.stop.clone(), self.office.common.news());
        while !stop.is_cancelled() {
            let state = self.office.session.state();
            news.mark_unchanged();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                is_alive = self.turn() => if !is_alive {
                    break;
                },
            }
            let wake = self.office.common.wake();
            let session = self.office.session.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                _ = session.changed(state) => {}
                () = stood(&mut self.standing, &mut self.candidate, &mut self.backoff) => {}
                () = async { sleep_until(wake.unwrap_or_else(Instant::now)).await }, if wake.is_some() => {}
                changed = news.changed() => match changed {
                    // What comes together is planned for together.
                    Ok(()) => sleep(DEBOUNCE).await,
                    Err(_) => break,
                },
            }
        }
        if let Some(candidate) = self.candidate.take() {
            // The next one need not wait for it; else the session goes on to delete it.
            if let Ok(bound) = self.office.common.map.deadline() {
                let _ = candidate.release(bound).await;
            }
        }
    }

    /// Stands for planner, or plans if it is it; false when neither will ever be.
    async fn turn(&mut self) -> bool {
        let lost = |claimed: &mut Claimed| matches!(claimed.state(), SessionState::Lost(_));
        drop(self.candidate.take_if(lost));
        if matches!(
            self.office.session.state(),
            SessionState::Lost(crate::Loss::Closed)
        ) {
            return false;
        }
        if self.candidate.is_none() && self.standing.is_none() {
            let (common, session) = (Arc::clone(&self.office.common), self.office.session.clone());
            self.standing = Some(Box::pin(async move { stand(&common, &session).await }));
        }
        let Some(planner) = &self.candidate else {
            return true;
        };
        let table = (**self.office.common.table()).clone();
        if !self.office.is_elected(planner, &table) {
            return true;
        }
        match self.office.plan(planner, &table).await {
            Ok(None) => self.backoff.reset(),
            Ok(Some(position)) => {
                self.backoff.reset();
                self.office.common.shows(position).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a plan could not be committed");
                let pause = self.backoff.next();
                sleep(pause).await;
                self.office.common.stir();
            }
        }
        true
    }
}

/// What a planner decides by.
struct Office {
    common: Arc<Common>,
    session: Session,
}

impl Office {
    /// Whether this process plans, by a table and the clocks of this moment.
    fn is_elected(&self, planner: &Claimed, table: &Table) -> bool {
        let first = table.candidates.first_key_value();
        let created = planner.created();
        let is_first = first.is_some_and(|((revision, key), _)| {
            *revision == created.revision && *key == planner.key()
        });
        let is_now = table.epoch() == created.epoch && planner.state() == SessionState::Live;
        is_first && is_now && self.session.grants(&self.common.map)
    }

    /// Plans for a table, and commits that; where it landed, if anything was to be done.
    async fn plan(&self, planner: &Claimed, table: &Table) -> Result<Option<Position>> {
        let changes = self.changes(table);
        if !changes.is_empty() {
            return decide(&self.common, planner, table, changes).await;
        }
        let is_moving = || {
            table
                .rows()
                .any(|(_, _, row)| row.stage() != Stage::Settled)
        };
        if table.is_to_be_rebalanced && !is_moving() {
            return rebalanced(&self.common, planner).await.map(Some);
        }
        Ok(None)
    }

    /// What is to become of which rows.
    fn changes(&self, table: &Table) -> Vec<(RowId, Change)> {
        let mut changes = due(table, |id, row| self.common.is_overdue(id, row));
        let situation = self.common.situation(table);
        let planner = &self.common.settings.planner;
        let moves = catch_unwind(AssertUnwindSafe(|| planner.plan(&situation)));
        let moves = moves.unwrap_or_else(|_| {
            tracing::error!("the planner of a shard table panicked, and plans nothing");
            Vec::new()
        });
        let mut rows: HashSet<RowId> = changes.iter().map(|(row, _)| *row).collect();
        let moves = moves.iter().filter_map(|wanted| becomes(table, wanted));
        changes.extend(moves.filter(|(row, _)| rows.insert(*row)));
        changes
    }
}

/// Becomes one of those who want to plan.
async fn stand(common: &Common, session: &Session) -> Result<Claimed> {
    session.may_grant(&common.map).await?;
    let key = format!("{CANDIDATES}{}", session.next_claim());
    let by = session.name().to_owned();
    session
        .claim(&common.map, key, Record::Candidate { by })
        .await
}

/// Waits until it is one of them, or has failed to be; for ever, where it does not try.
async fn stood(
    standing: &mut Option<Pin<Box<dyn Future<Output = Result<Claimed>> + Send>>>,
    candidate: &mut Option<Claimed>,
    backoff: &mut Backoff,
) {
    let Some(trying) = standing else {
        return std::future::pending().await;
    };
    let outcome = trying.await;
    *standing = None;
    match outcome {
        Ok(claimed) => *candidate = Some(claimed),
        Err(error) => {
            tracing::debug!(%error, "nobody could stand for planner here");
            sleep(backoff.next()).await;
        }
    }
}
