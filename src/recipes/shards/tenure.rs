//! A tenure: one row, owned by this process in one term.
//!
//! Never begins again: what is owned anew, be it in the same term, is another.

use std::sync::Arc;

use tokio::sync::watch;

use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::record::{Record, RowId, row_key};
use crate::recipes::shards::row::Mode;
use crate::{Error, ErrorKind, Globe, Loss, Result, SessionState, Token, Txn};

/// How far a tenure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Owned,
    Draining,
    Over(Loss),
}

/// One row, owned in one term.
#[derive(Debug)]
pub(crate) struct Tenure {
    map: Globe<String, Record>,
    membership: Arc<Membership>,
    row: RowId,
    token: Token,
    mode: Mode,
    is_warm: bool,
    stage: watch::Sender<Stage>,
}

impl Tenure {
    pub(crate) fn new(
        map: &Globe<String, Record>,
        membership: &Arc<Membership>,
        row: RowId,
        token: Token,
        mode: Mode,
        is_warm: bool,
    ) -> Arc<Tenure> {
        let stage = watch::Sender::new(Stage::Owned);
        Arc::new(Tenure {
            map: map.clone(),
            membership: Arc::clone(membership),
            row,
            token,
            mode,
            is_warm,
            stage,
        })
    }

    pub(crate) fn row(&self) -> RowId {
        self.row
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.is_warm
    }

    /// Whether its owner may act on it now: in strict mode by the clocks of its session, which are asked now.
    pub(crate) fn may_serve(&self) -> bool {
        match self.mode {
            Mode::Strict => self.membership.session().state() == SessionState::Live,
            Mode::Available => true,
        }
    }

    /// Whether it is owned at this moment, without a break since it began.
    pub(crate) fn is_held(&self) -> bool {
        let is_over = matches!(*self.stage.borrow(), Stage::Over(_));
        !is_over && self.may_serve() && !self.membership.is_lost()
    }

    pub(crate) fn drain(&self) {
        let is_owned = |stage: &mut Stage| match stage {
            Stage::Owned => {
                *stage = Stage::Draining;
                true
            }
            _ => false,
        };
        self.stage.send_if_modified(is_owned);
    }

    pub(crate) fn end(&self, loss: Loss) {
        self.stage.send_if_modified(|stage| {
            let is_over = matches!(stage, Stage::Over(_));
            if !is_over {
                *stage = Stage::Over(loss);
            }
            !is_over
        });
    }

    /// Waits until its owner is to stop, or has lost it.
    pub(crate) async fn draining(&self) {
        let mut stage = self.stage.subscribe();
        // It lives as long as this.
        let _ = stage.wait_for(|stage| *stage != Stage::Owned).await;
    }

    /// Waits until it is over.
    pub(crate) async fn over(&self) -> Loss {
        let mut stage = self.stage.subscribe();
        let over = stage
            .wait_for(|stage| matches!(stage, Stage::Over(_)))
            .await;
        match over.as_deref() {
            Ok(Stage::Over(loss)) => *loss,
            _ => Loss::Closed,
        }
    }

    /// Commits a transaction only while the row says what it said: this owner, in this term.
    pub(crate) fn require_in(&self, txn: &mut Txn<'_>) -> Result<()> {
        let row = txn.get(&self.map, row_key(self.row))?;
        let is_his = match row.as_deref() {
            Some(Record::Row(row)) => {
                row.owner == *self.membership.incarnation() && row.term == self.token.number
            }
            _ => false,
        };
        let is_here = self
            .map
            .position()
            .is_some_and(|position| position.epoch == self.token.epoch);
        if is_his && is_here && self.is_held() {
            return Ok(());
        }
        let why = format!(
            "the shard {} is not owned in term {} any more",
            self.row.shard, self.token
        );
        Err(Error::new(ErrorKind::NotHeld, why))
    }
}
