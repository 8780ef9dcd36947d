//! What all have in common who use one opened shard table in this process.
//!
//! Never writes anything: it is read, and it is where the newest table is put.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::recipes::shards::damping::Damping;
use crate::recipes::shards::planner::Situation;
use crate::recipes::shards::post::Post;
use crate::recipes::shards::record::{Record, RowId};
use crate::recipes::shards::row::Row;
use crate::recipes::shards::seats::Seats;
use crate::recipes::shards::settings::TableSettings;
use crate::recipes::shards::table::Table;
use crate::{Globe, Position};

/// After how long who waits for a table asks again.
const AGAIN: Duration = Duration::from_millis(50);

/// One opened table.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) map: Globe<String, Record>,
    pub(crate) settings: TableSettings,
    table: ArcSwap<Table>,
    /// What of the past matters to whoever plans.
    damping: Mutex<Damping>,
    /// The newest table was put there.
    news: watch::Sender<()>,
    /// Where work comes in, of whichever member this process is.
    pub(crate) seats: Arc<Seats>,
    /// Somebody waits for it to show what the map shows.
    asked: Notify,
    /// Of the member that this process is, while it is one.
    pub(crate) post: ArcSwapOption<Post>,
}

impl Common {
    pub(crate) fn new(map: Globe<String, Record>, settings: TableSettings, table: Table) -> Common {
        let mut damping = Damping::new(settings.settle, settings.prepare_timeout);
        damping.see(&table, Instant::now());
        Common {
            damping: Mutex::new(damping),
            map,
            settings,
            table: ArcSwap::from_pointee(table),
            news: watch::Sender::new(()),
            seats: Arc::new(Seats::new()),
            asked: Notify::new(),
            post: ArcSwapOption::empty(),
        }
    }

    #[inline]
    pub(crate) fn table(&self) -> arc_swap::Guard<Arc<Table>> {
        self.table.load()
    }

    pub(crate) fn put(&self, table: Table) {
        self.damping().see(&table, Instant::now());
        self.table.store(Arc::new(table));
        self.news.send_replace(());
    }

    fn damping(&self) -> MutexGuard<'_, Damping> {
        self.damping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a planner looks at.
    pub(crate) fn situation<'a>(&self, table: &'a Table) -> Situation<'a> {
        let now = Instant::now();
        let situation = self.damping().situation(table, now);
        match table.is_to_be_rebalanced {
            true => situation.settled(true),
            false => situation,
        }
    }

    /// Whether a row takes too long.
    pub(crate) fn is_overdue(&self, id: RowId, row: &Row) -> bool {
        self.damping().is_overdue(id, row, Instant::now())
    }

    /// How many rows take too long.
    pub(crate) fn stuck(&self) -> usize {
        self.damping().stuck(Instant::now())
    }

    /// When something will be due though nothing changes.
    pub(crate) fn wake(&self) -> Option<Instant> {
        self.damping().wake(Instant::now())
    }

    /// Wakes all who hear of tables, to look again.
    pub(crate) fn stir(&self) {
        self.news.send_replace(());
    }

    /// Hears of each table from now on.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Waits until the table stands elsewhere than at a position.
    pub(crate) async fn moves_on(&self, seen: Position) {
        // Heard before looking: what is put there in between is not missed.
        let mut news = self.news();
        while self.table().position() == seen {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until the table shows a position, or one of another life of the log.
    pub(crate) async fn shows(&self, position: Position) {
        let mut news = self.news();
        while !self.table().shows(position) {
            let is_there = |here: Position| here.covers(position) || here.epoch != position.epoch;
            let there = self.map.wait_for(|view| is_there(view.position()));
            if there.await.is_err() {
                return;
            }
            // What is no change of the table does not bring it there.
            self.asked.notify_one();
            let _ = timeout(AGAIN, news.changed()).await;
        }
    }

    /// Waits until somebody waits for the table to show what the map shows.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }
}
