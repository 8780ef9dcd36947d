//! A read of the head, shared with all who ask for it at about the same time.
//!
//! Never lets a log that is slow be asked by each who waits for it.

use globe_log_client::Keyspace;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::heads::{Head, HeadAnswer, Turn};

/// How often a caller relies on the read of another, before it asks for itself.
const SHARES: u32 = 3;

impl Cluster {
    /// The head of the log, which was asked for after `earliest`: a read of somebody else's if one began late
    /// enough, else its own. However many ask a log that is slow, few reads of theirs are on their way.
    pub(crate) async fn head_since(
        &self,
        keyspace: &Keyspace,
        earliest: Instant,
        deadline: Instant,
    ) -> HeadAnswer {
        let asking = self.shared_or_own_head(keyspace, earliest, deadline);
        timeout_at(deadline, asking).await.unwrap_or_else(|_| {
            let why = "others have asked for the head of the log, and there was no answer in time";
            Err(Fault::new(Class::NeverSent, why))
        })
    }

    /// A caller shares only so often, and then asks for itself, so that none waits for ever for others who give up.
    async fn shared_or_own_head(
        &self,
        keyspace: &Keyspace,
        earliest: Instant,
        deadline: Instant,
    ) -> HeadAnswer {
        let epoch = || self.life.known().map(|known| known.epoch);
        for _ in 0..SHARES {
            match self.heads.turn(keyspace, earliest, epoch()) {
                Turn::Take(head) => return Ok(head),
                Turn::Share(read) => {
                    let limit = self.endpoints.settings.request_timeout;
                    let limit = limit.max(self.heads.patience());
                    let answer = self.heads.wait_for(&read, limit).await;
                    if let Some(answer) = answer.filter(|answer| read.is_for(keyspace, answer)) {
                        return answer;
                    }
                }
                Turn::Wait(read) => {
                    let patience = self.heads.patience();
                    self.heads.wait_for(&read, patience).await;
                }
                Turn::Ask(read) => {
                    let answer = self.own_head(keyspace, read.asked, deadline).await;
                    read.end(answer.clone());
                    return answer;
                }
            }
        }
        let _turn = self.heads.own_turn().await;
        if let Some(head) = self.heads.last_since(earliest, epoch()) {
            return Ok(head);
        }
        let answer = self.own_head(keyspace, Instant::now(), deadline).await;
        self.heads.keep(&answer);
        answer
    }

    async fn own_head(&self, keyspace: &Keyspace, asked: Instant, deadline: Instant) -> HeadAnswer {
        let position = self.now(keyspace, deadline).await?;
        Ok(Head { position, asked })
    }
}
