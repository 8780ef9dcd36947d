//! What is done with the fence: a slot is taken, what was left open is closed, the lease is kept and given back.
//!
//! Never runs a task: the lease is renewed on the way of a commit, and ends by itself when there are none.

use std::sync::Arc;

use futures::future::join_all;
use globe_log_client::Epoch;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::commit::settling::Settled;
use crate::fault::{Class, Fault};
use crate::fence::Fence;
use crate::fence::commit_outcome::Asked;
use crate::fence::writer::{Held, Writer};

impl Fence {
    /// A slot for one commit, once nothing of the past may land any more; nothing when the role does not allow any.
    pub(crate) async fn take(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Option<Held>, Fault> {
        if self.is_forbidden() {
            return Ok(None);
        }
        let taking = async {
            loop {
                let writer = match self.ready(epoch) {
                    Some(writer) => writer,
                    None => self.prepare(cluster, epoch, deadline).await?,
                };
                tokio::select! {
                    biased;
                    held = writer.hold(&cluster.keys) => return held.map(Some),
                    // What is waited for may be a slot that has to be closed.
                    () = writer.opened() => {}
                }
            }
        };
        timeout_at(deadline, taking).await.map_err(late)?
    }

    /// Sees to it that nothing this client left without an answer can land any more.
    pub(crate) async fn close(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<(), Fault> {
        if self.is_forbidden() || !self.is_open() {
            return Ok(());
        }
        let closing = async {
            let _turn = self.turn.lock().await;
            self.close_all(cluster, epoch, deadline).await
        };
        timeout_at(deadline, closing).await.map_err(late)?
    }

    /// The writer of this epoch, with a lease that is not about to end, and no commit of its past that may yet land.
    async fn prepare(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Arc<Writer>, Fault> {
        let _turn = self.turn.lock().await;
        self.close_all(cluster, epoch, deadline).await?;
        if let Some(writer) = self.current()
            && keep(cluster, &writer, deadline).await?
        {
            return Ok(writer);
        }
        let granted = Instant::now();
        let settings = self.settings;
        let lease = cluster.grant_by(settings.ttl, deadline).await?;
        // If another life has begun meanwhile it is of that, and no commit of this one is sent by it.
        let writer = Arc::new(Writer::new(lease.id, lease.epoch, granted, settings));
        *self.writer() = Some(Arc::clone(&writer));
        Ok(writer)
    }

    /// Rewrites what was left open. The writer stays only if it can be used in this epoch; otherwise its lease is ended, and
    /// with that everything sent by it. In another life of the log its slots may be as they were when a backup was taken,
    /// and hold nothing off.
    async fn close_all(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let Some(writer) = self.current() else {
            return Ok(());
        };
        let is_usable = writer.epoch == epoch && writer.is_usable();
        if is_usable && !writer.is_open() {
            return Ok(());
        }
        // What stands in the slots may be of another life, and will not show that once they are rewritten.
        self.require_epoch_check();
        if is_usable && close_slots(cluster, &writer, deadline).await? {
            return Ok(());
        }
        cluster.revoke_by(writer.lease, deadline).await?;
        *self.writer() = None;
        Ok(())
    }

    /// Gives the writer's lease back, and with it everything that was left open. The next commit takes another.
    pub(crate) async fn give_back(
        &self,
        cluster: &Cluster,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let giving = async {
            let _turn = self.turn.lock().await;
            let Some(writer) = self.current() else {
                return Ok(());
            };
            cluster.revoke_by(writer.lease, deadline).await?;
            *self.writer() = None;
            Ok(())
        };
        let late = |_| Fault::new(Class::NeverSent, "it was not ended in time");
        timeout_at(deadline, giving).await.map_err(late)?
    }
}

/// Renews a writer's lease when it is time for that. False when it has ended.
///
/// What is left open by it ends with its lease at the latest, so everything is closed before.
async fn keep(cluster: &Cluster, writer: &Writer, deadline: Instant) -> Result<bool, Fault> {
    if writer.is_fresh() {
        return Ok(true);
    }
    let sent = Instant::now();
    match cluster.renew_by(None, writer.lease, deadline).await {
        Ok(_) => {
            writer.set_renewed(sent);
            Ok(true)
        }
        Err(fault) if fault.class == Class::LeaseGone => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Sees to it that nothing which was left without an answer can land any more. False when the lease has ended, or must.
///
/// A commit that was given up by one of several is settled by whoever sent it, who needs nothing that is held here.
async fn close_slots(
    cluster: &Cluster,
    writer: &Arc<Writer>,
    deadline: Instant,
) -> Result<bool, Fault> {
    while rewrite_slots(cluster, writer, deadline).await? {
        if writer.is_settled() {
            return Ok(true);
        }
        // It may leave its slot unsure.
        writer.all_settled().await;
    }
    Ok(false)
}

/// Rewrites the slots that were left without an answer. False when the lease has ended, or must.
///
/// All at once: one that is slow holds up no other, and the time limit is that of one request.
async fn rewrite_slots(
    cluster: &Cluster,
    writer: &Arc<Writer>,
    deadline: Instant,
) -> Result<bool, Fault> {
    let open = writer.hold_unsure(&cluster.keys);
    let closing = open.into_iter().map(async |mut held| {
        cluster
            .settle(&mut held, &[], Asked::Rewrite, deadline)
            .await
    });
    let closed = join_all(closing).await;
    if !writer.is_usable() {
        return Ok(false);
    }
    for settled in closed {
        if let Settled::Unknowable(fault) = settled {
            return Err(fault);
        }
    }
    Ok(true)
}

/// The commit itself was not sent.
pub(crate) fn late<E>(_: E) -> Fault {
    let text = "no slot was free in time: too many commits are under way, or what became of one is not known yet";
    Fault::new(Class::NeverSent, text)
}

impl Cluster {
    /// Closes what was left open, now that a member has answered: for as long as that may take for one request. Never
    /// fails, and never waits for another that does the same: the next call tries again.
    pub(crate) async fn close_open_slots(&self) {
        let fence = &self.fence;
        if fence.is_forbidden() || !fence.is_open() {
            return;
        }
        let (Ok(_turn), Some(known)) = (fence.turn.try_lock(), self.life.known()) else {
            return;
        };
        let deadline = Instant::now() + self.endpoints.settings.request_timeout;
        let closing = fence.close_all(self, known.epoch, deadline);
        if let Ok(Err(fault)) = timeout_at(deadline, closing).await {
            tracing::debug!(reason = %fault, "what was left without an answer may still land");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::poll;
    use globe_log_client::Keyspace;
    use globe_test_support::{EtcdServer, EtcdVersion};

    use super::*;
    use crate::fence::joint::Joint;
    use crate::settings::builder::EtcdBuilder;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_passes_before_what_one_of_several_gave_up_is_settled() {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let builder = EtcdBuilder::new().endpoint(server.endpoint());
        let cluster = Cluster::new(builder.settings);
        let deadline = Instant::now() + Duration::from_secs(60);
        let keyspace = Keyspace::new("flags").unwrap();
        let epoch = cluster.now(&keyspace, deadline).await.unwrap().epoch;
        let take = || cluster.fence.take(&cluster, epoch, deadline);
        let held = take().await.unwrap().unwrap();
        let joint = Joint::of(&held.writer);
        joint.give_up();
        let mut passing = Box::pin(take());
        assert!(poll!(&mut passing).is_pending());
        drop(held);
        joint.end();
        assert!(passing.await.unwrap().is_some());
    }
}
