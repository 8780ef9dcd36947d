//! Tails: what a watch delivers, made whole, ordered and proved to reach the head.
//!
//! Never runs a task, and never reconnects: it ends with the error that says what its owner can do next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::proto::PbWatchResponse;
use futures::StreamExt;
use globe_log_client::{
    Batch, Epoch, Error, ErrorKind, Keyspace, Position, Result, Revision, Tail,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::fragments::{Fragments, Whole, group};
use crate::life::Seen;
use crate::watching::Watching;

/// How long events may take on their own before progress is asked for.
const FIRST_ASK: Duration = Duration::from_millis(10);
/// Servers drop the request while a watch catches up, so it is repeated.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Comparing a keyspace at two revisions costs the server a look at all of it, so events get more time first.
const FIRST_COMPARISON: Duration = Duration::from_millis(100);
const COMPARE_AGAIN: Duration = Duration::from_millis(250);
/// How many times its usual limit a tail may take for its first catch-up, while its member is known to be alive.
const CATCH_UP_FACTOR: u32 = 60;

struct Tailing {
    cluster: Arc<Cluster>,
    keyspace: Keyspace,
    epoch: Epoch,
    /// Where it began.
    start: u64,
    /// Everything up to here was received.
    cursor: u64,
    watching: Watching,
    fragments: Fragments,
    ready: VecDeque<Whole>,
    /// As of the last batch that was given out.
    seen: Seen,
    target: watch::Receiver<Position>,
    /// What must be reached: a revision that was proved to be committed.
    goal: u64,
    next_ask: Instant,
    /// When it last came closer to the goal, or was given one.
    advanced: Instant,
    opened: Instant,
    /// It has been at a goal once: from then on silence means that it is broken.
    has_arrived: bool,
}

impl Cluster {
    pub(crate) async fn tail(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        after: Position,
    ) -> Result<Tail> {
        let mut opened = self.open_tail(keyspace, after).await;
        if mutant!("resume_where_history_begins")
            && let Err(Fault {
                class: Class::Compacted,
                ..
            }) = opened
        {
            let now = self.now(keyspace, self.endpoints.deadline()).await;
            opened = self.open_tail(keyspace, now.unwrap_or(after)).await;
        }
        let tailing = opened.map_err(|fault| {
            let doing = format!(
                "tailing keyspace {keyspace} after revision {}",
                after.revision
            );
            fault.into_error().while_doing(doing)
        })?;
        let batches = futures::stream::unfold(tailing, |mut tailing| async move {
            Some((tailing.next().await, tailing))
        });
        Ok(Tail::new(batches.boxed()))
    }

    async fn open_tail(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        after: Position,
    ) -> Result<Tailing, Fault> {
        let deadline = self.endpoints.deadline();
        let start = after.revision.0;
        let target = self.life.target(keyspace);
        let watching = self
            .watch(
                keyspace,
                start + u64::from(!mutant!("resume_at_what_is_known")),
                deadline,
            )
            .await?;
        let opening = self.check_start(keyspace, after, deadline).await?;
        self.life.aim(keyspace, opening.head);
        tracing::debug!(
            %keyspace,
            revision = start,
            endpoint = %watching.chosen.endpoint.address,
            "tail opened"
        );
        let now = Instant::now();
        Ok(Tailing {
            cluster: Arc::clone(self),
            keyspace: keyspace.clone(),
            epoch: after.epoch,
            start,
            cursor: start,
            watching,
            fragments: Fragments::default(),
            ready: VecDeque::new(),
            seen: opening.seen,
            target,
            goal: opening.head.revision.0,
            next_ask: now,
            advanced: now,
            opened: now,
            has_arrived: false,
        })
    }
}

impl Tailing {
    async fn next(&mut self) -> Result<Batch> {
        loop {
            self.raise_goal()?;
            if !self.has_arrived && self.cursor >= self.goal {
                self.arrive().await?;
            }
            if let Some(whole) = self.ready.pop_front() {
                return Ok(self.give_out(whole));
            }
            let is_behind = self.cursor < self.goal;
            let wake = self.next_ask.min(self.advanced + self.limit());
            tokio::select! {
                biased;
                message = self.watching.responses.message() => {
                    let message = message.map_err(Fault::from).map_err(|fault| self.broken(fault))?;
                    self.receive(message.map(|message| message.0))?;
                }
                // The sender lives in the cluster this tail holds.
                _ = self.target.changed() => {}
                () = sleep_until(wake), if is_behind => self.hurry().await?,
            }
        }
    }

    /// Takes over what was proved to be committed meanwhile.
    fn raise_goal(&mut self) -> Result<()> {
        let target = *self.target.borrow_and_update();
        if target.epoch != self.epoch {
            return Err(Error::new(
                ErrorKind::EpochChanged,
                format!("keyspace {}: the log is in another epoch", self.keyspace),
            ));
        }
        let was_behind = self.cursor < self.goal;
        self.goal = self.goal.max(target.revision.0);
        if !was_behind && self.cursor < self.goal {
            let now = Instant::now();
            self.advanced = now;
            self.next_ask = now + FIRST_ASK;
        }
        Ok(())
    }

    /// It has caught up. Servers with a known fault may have lost a delete to a compaction on the way: if there was one,
    /// nobody can tell.
    async fn arrive(&mut self) -> Result<()> {
        if !self.watching.version.keeps_deletes_at_compaction() {
            let after = Position::new(self.epoch, Revision(self.start));
            let deadline = self.cluster.endpoints.deadline();
            self.cluster
                .check_not_compacted(&self.keyspace, after, deadline)
                .await
                .map_err(|fault| self.failed(fault))?;
        }
        self.has_arrived = true;
        Ok(())
    }

    fn give_out(&mut self, whole: Whole) -> Batch {
        let Cluster { keys, life, .. } = &*self.cluster;
        whole.add_to(keys, &self.keyspace, &mut self.seen);
        life.saw(&self.keyspace, self.epoch, self.seen.clone());
        whole.batch
    }

    fn receive(&mut self, message: Option<PbWatchResponse>) -> Result<()> {
        let ended = || Fault::new(Class::Unknown, "the server ended the watch");
        let Some(message) = message else {
            return Err(self.broken(ended()));
        };
        if message.compact_revision > 0 {
            let fault = Fault::new(Class::Compacted, "the log was compacted past this tail");
            return Err(self.failed(fault));
        }
        if message.canceled {
            return Err(self.broken(Fault::of_cancelled_watch(&message.cancel_reason)));
        }
        if !message.events.is_empty() || message.fragment {
            let events = self.fragments.join(message.events, message.fragment);
            for whole in group(&self.cluster.keys, &self.keyspace, events) {
                self.queue(whole)?;
            }
            // A part of a commit is a sign of life as well.
            self.advanced = Instant::now();
        } else if !message.created && self.watching.version.orders_progress() {
            let revision = message.header.map_or(0, |header| header.revision);
            self.progress(u64::try_from(revision).unwrap_or(0))?;
        }
        Ok(())
    }

    fn queue(&mut self, whole: Whole) -> Result<()> {
        let revision = whole.batch.revision.0;
        if revision <= self.cursor {
            // It may be a repetition, but it may also have been missing: only a snapshot can tell.
            let text = format!(
                "revision {revision} came after everything up to {} was delivered",
                self.cursor
            );
            return Err(self.failed(Fault::new(Class::Compacted, text)));
        }
        self.cursor = revision;
        self.advanced = Instant::now();
        self.ready.push_back(whole);
        Ok(())
    }

    /// Everything up to `revision` was delivered.
    fn progress(&mut self, revision: u64) -> Result<()> {
        if revision <= self.cursor {
            return Ok(());
        }
        self.queue(Whole::empty(Revision(revision)))
    }

    /// It is behind: asks for progress, and gives up when it does not come.
    async fn hurry(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.advanced + self.limit() {
            return self.endure_silence().await;
        }
        if !self.watching.version.orders_progress() {
            return self.compare().await;
        }
        self.next_ask = now + ASK_AGAIN;
        let asked = timeout(self.limit(), self.watching.requests.request_progress()).await;
        match asked {
            Ok(Err(error)) => Err(self.broken(Fault::from(error))),
            _ => Ok(()),
        }
    }

    /// Proves by the log itself that nothing is missing, where progress replies prove nothing.
    async fn compare(&mut self) -> Result<()> {
        let quiet_since = self.advanced + FIRST_COMPARISON;
        if Instant::now() < quiet_since {
            self.next_ask = quiet_since;
            return Ok(());
        }
        let from = Position::new(self.epoch, Revision(self.cursor));
        let goal = self.goal;
        let deadline = Instant::now() + self.limit();
        let proof = self
            .cluster
            .is_quiet(&self.keyspace, from, goal, deadline)
            .await;
        self.next_ask = Instant::now() + COMPARE_AGAIN;
        let is_final = |class| matches!(class, Class::Compacted | Class::Future | Class::Denied);
        match proof {
            Ok(true) => self.progress(goal),
            Err(fault) if is_final(fault.class) => Err(self.failed(fault)),
            // It differs, so events must come; or nobody could be asked.
            Ok(false) | Err(_) => Ok(()),
        }
    }

    /// Nothing came for too long. A long first catch-up is forgiven, if the member lives.
    async fn endure_silence(&mut self) -> Result<()> {
        let may_take = self.limit() * CATCH_UP_FACTOR;
        if !self.has_arrived && self.opened.elapsed() < may_take && self.member_lives().await {
            self.advanced = Instant::now();
            return Ok(());
        }
        let text = format!(
            "nothing new came for {:?} although revision {} is committed",
            self.limit(),
            self.goal
        );
        Err(self.broken(Fault::new(Class::Unknown, text)))
    }

    /// Whether the watch's own connection still carries answers.
    async fn member_lives(&self) -> bool {
        let limit = self.cluster.endpoints.settings.request_timeout;
        let answer = timeout(limit, self.watching.link.pulse()).await;
        answer.is_ok_and(|answer| answer.is_ok())
    }

    fn limit(&self) -> Duration {
        self.cluster.endpoints.settings.tail_timeout
    }

    /// The stream broke: whoever opens the next one shall use another member.
    fn broken(&self, mut fault: Fault) -> Error {
        let chosen = &self.watching.chosen;
        if matches!(fault.class, Class::StaleToken | Class::NotEtcd) {
            // The next one logs in again, or says why it cannot.
            fault.class = Class::NotExecuted;
        }
        if fault.class != Class::Denied {
            self.cluster.endpoints.put_aside(chosen, &fault);
        }
        self.failed(fault.at(&chosen.endpoint.address))
    }

    fn failed(&self, fault: Fault) -> Error {
        let doing = format!(
            "tailing keyspace {} after revision {}",
            self.keyspace, self.cursor
        );
        fault.into_error().while_doing(doing)
    }
}
