//! A tail with what can go wrong on its way.
//!
//! Never invents a change: it delays, cuts, falls silent, and, when it is told to break the contract, leaves out,
//! repeats or reorders what the log delivered.

use std::collections::VecDeque;
use std::time::Duration;

use globe_log_client::{Batch, Error, ErrorKind, Result, Revision, Tail};

use crate::dice::Dice;
use crate::fault::Fault;

struct Tailing {
    inner: Tail,
    dice: Dice,
    /// How much later each batch comes on this tail than the one before.
    lag: Duration,
    /// Everything up to here was received.
    cursor: Revision,
    /// What was received and not yet handed out.
    ready: VecDeque<Batch>,
}

pub(crate) fn disturb(inner: Tail, after: Revision, mut dice: Dice) -> Tail {
    let lags = dice.hits(Fault::LagTail);
    let lag = if lags {
        dice.delay_time() * 4
    } else {
        Duration::ZERO
    };
    let tailing = Tailing {
        inner,
        dice,
        lag,
        cursor: after,
        ready: VecDeque::new(),
    };
    let batches = futures::stream::unfold(tailing, |mut tailing| async move {
        Some((tailing.next().await, tailing))
    });
    Tail::new(batches)
}

impl Tailing {
    async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            let batch = self.inner.next().await?;
            self.carry().await?;
            self.deliver(batch).await?;
        }
    }

    /// What can happen to the connection while a batch is on its way.
    async fn carry(&mut self) -> Result<()> {
        // A log that was healed has no member that lags.
        if !self.lag.is_zero() && self.dice.is_on(Fault::LagTail) {
            tokio::time::sleep(self.lag).await;
        }
        self.dice.delay().await;
        if self.dice.hits(Fault::CutTail) {
            return Err(Error::new(ErrorKind::Unavailable, "the tail was cut"));
        }
        if self.dice.hits(Fault::SilenceTail) {
            self.dice.silence().await;
            let why = "the tail was silent for too long";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if self.dice.hits(Fault::MuteTail) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// What is handed out for a batch.
    async fn deliver(&mut self, mut batch: Batch) -> Result<()> {
        let revision = batch.revision;
        let before = Revision(revision.0.saturating_sub(1));
        if before > self.cursor && self.dice.hits(Fault::Progress) {
            self.ready.push_back(Batch::progress(before));
        }
        self.cursor = revision;
        if self.dice.hits(Fault::LieProgress) {
            let ahead = Revision(revision.0 + self.dice.below(20) as u64);
            self.ready.push_back(Batch::progress(ahead));
        }
        if !batch.is_progress() {
            if self.dice.hits(Fault::SkipBatch) {
                return Ok(());
            }
            if batch.changes.len() > 1 && self.dice.hits(Fault::HalveBatch) {
                let kept = 1 + self.dice.below(batch.changes.len() - 1);
                batch.changes.truncate(kept);
            }
            if self.dice.hits(Fault::RepeatBatch) {
                self.ready.push_back(batch.clone());
            }
            if self.dice.hits(Fault::SwapBatches) {
                let later = self.inner.next().await?;
                self.ready.push_back(later);
            }
        }
        self.ready.push_back(batch);
        Ok(())
    }
}
