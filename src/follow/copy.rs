//! Beginning with the copy that is kept on disk, before the log was heard of.
//!
//! It never takes the copy for a proof of anything, and never begins with one that may not be begun with.

use globe_log_client::{Error, ErrorKind, Result};
use globe_offline::OfflineCopy;
use tokio::time::Instant;

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::door::Refusal;
use crate::follow::fetching::puts;
use crate::follow::kept::Kept;
use crate::follow::tailer::Tailer;
use crate::follow::witness::{Newest, Testimony, Witnesses};

/// Records that are decoded before others have their turn.
const PAGE: usize = 1_000;

impl<K: Key, V: Send + Sync + 'static> Tailer<K, V> {
    /// Shows the copy on disk, if there is one that may be begun with. Whether it can be followed from there; else a snapshot
    /// is needed, be it to know what is not in the copy.
    pub(crate) async fn begin_with_copy(&mut self) -> bool {
        let Some(offline) = self.offline.take() else {
            return false;
        };
        // Why one is refused has been told.
        let Ok(Some(copy)) = offline.read(self.replica().keyspace()).await else {
            return false;
        };
        if offline.allows(&copy) {
            match self.show_copy(&copy).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(why) => {
                    let keyspace = self.replica().keyspace();
                    tracing::warn!(%keyspace, ?why, "the copy is not shown");
                }
            }
        }
        self.kept = Kept::of(copy).await;
        false
    }

    /// Whether it can be followed from there. Of a bad record the copy does not say what was good before; and by one without
    /// records no log is known again, and to read all costs no more than to follow.
    async fn show_copy(&mut self, copy: &OfflineCopy) -> Result<bool, Refusal> {
        let (position, age) = (copy.position, copy.age);
        let known = age.and_then(|age| Instant::now().checked_sub(age));
        let mut install = self
            .applier
            .begin(position, ResyncReason::Hydration, false)?;
        let mut newest = Newest::default();
        for page in copy.records.chunks(PAGE) {
            newest.see(page);
            self.applier.page(&mut install, puts(page.to_vec())).await?;
            tokio::task::yield_now().await;
        }
        self.applier.settle_rivals(&mut install).await?;
        let is_whole = install.take_lost(usize::MAX).is_empty();
        // Before it is shown: nobody may take it for what the log says.
        self.replica().health().begun_with_copy(known);
        self.replica().doubt();
        self.unproved = Some(Witnesses::of(copy, newest, self.replica().doubts()));
        self.applier.finish(install).await;
        tracing::info!(revision = %position.revision, ?age, "began with the copy on disk");
        Ok(is_whole && !copy.records.is_empty())
    }

    /// Whether the log is the one of the copy that is shown, if that has to be asked yet. One that was restored while nobody
    /// followed it may have kept its name and be further on: then it is in another life all the same.
    pub(crate) async fn recognize(&mut self) -> Result<()> {
        let Some(copy) = &self.unproved else {
            return Ok(());
        };
        let testimony = copy.testify(&*self.log, self.replica().keyspace()).await?;
        if testimony == Testimony::OtherHistory {
            let why = "what the copy on disk holds is not in its history";
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        self.replica().settle(copy.doubt);
        self.unproved = None;
        Ok(())
    }
}
