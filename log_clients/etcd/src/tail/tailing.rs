//! Drives tails: opens their watches, and asks the log what they need to know.
//!
//! Never decides anything itself, and never lets a question wait for whoever reads the tail.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Batch, Error, Keyspace, Position, Revision, Tail};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::members::connection::Connection;
use crate::read::start::Opening;
use crate::tail::action::{Action, Progress, Query, Start};
use crate::tail::fragments::WholeCommit;
use crate::tail::state::TailState;
use crate::tail::watch_handle::{WatchHandle, WatchSpec};

/// How many bytes may lie unread before a tail is left behind, to catch up later.
const ROOM: usize = 4 * 1024 * 1024;

/// A sign of life that is younger than this is not asked for again.
const RECENT: Duration = Duration::from_millis(100);

/// One tail: its state, its watch, and the question under way.
struct Tailing {
    cluster: Arc<Cluster>,
    state: TailState,
    watch: WatchHandle,
    /// Of the next watch.
    spec: WatchSpec,
    after: Position,
    /// As of the last batch that was given out.
    seen: Seen,
    target: watch::Receiver<Position>,
    moved: watch::Receiver<usize>,
    query: Option<Task<QueryAnswer>>,
}

/// Work under way in a task of its own: it holds what others wait for, and must go on if nobody reads the tail. Given up
/// when dropped.
struct Task<T>(JoinHandle<T>);

/// What came of a question.
enum QueryAnswer {
    Alive(bool),
    Compared(u64, Result<bool, Fault>, Duration),
    History(Result<(), Fault>),
    Opened(Result<(WatchHandle, Opening), Fault>),
}

impl<T: Send + 'static> Task<T> {
    fn spawn(work: impl Future<Output = T> + Send + 'static) -> Task<T> {
        Task(tokio::spawn(work))
    }

    /// What came of it. Cancel safe.
    async fn result(&mut self) -> Result<T, Fault> {
        let result = (&mut self.0).await;
        result.map_err(|error| Fault::new(Class::NeverSent, format!("it was given up: {error}")))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Cluster {
    /// A tail that is proved to start in the known life of the log, with nothing missing before its first batch.
    pub(crate) async fn tail(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        after: Position,
    ) -> Result<Tail, Error> {
        let opened = self.begin_tail(keyspace, after).await;
        let tailing = opened.map_err(|fault| failed(keyspace, after.revision.0, fault))?;
        let batches = futures::stream::unfold(tailing, |mut tailing| async move {
            Some((tailing.next().await, tailing))
        });
        Ok(Tail::new(batches))
    }

    async fn begin_tail(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        after: Position,
    ) -> Result<Tailing, Fault> {
        let target = self.life.target(keyspace);
        let spec = WatchSpec {
            keyspace: keyspace.clone(),
            first: after.revision.0 + 1,
            is_behind: false,
            room: ROOM,
        };
        let (watch, opening) = self.open_watch(&spec, after).result().await??;
        let start = self.start(after, &watch, &opening);
        let limit = self.endpoints.settings.tail_timeout;
        Ok(Tailing {
            cluster: Arc::clone(self),
            state: TailState::new(start, limit, Instant::now()),
            watch,
            spec,
            after,
            seen: opening.seen,
            target,
            moved: self.endpoints.moved(),
            query: None,
        })
    }

    /// In a task of its own: a stream that is opened is shared, and a caller that gives up must not end what others
    /// wait for.
    fn open_watch(
        self: &Arc<Self>,
        spec: &WatchSpec,
        after: Position,
    ) -> Task<Result<(WatchHandle, Opening), Fault>> {
        let (cluster, spec) = (Arc::clone(self), spec.clone());
        Task::spawn(async move { cluster.opened(&spec, after).await })
    }

    async fn opened(
        &self,
        spec: &WatchSpec,
        after: Position,
    ) -> Result<(WatchHandle, Opening), Fault> {
        let deadline = self.endpoints.deadline();
        let watch = self.watch(spec, deadline).await?;
        // Only now: whatever life of the log begins later ends the watch.
        let opening = self.check_start(&spec.keyspace, after, deadline).await?;
        self.life.aim(&spec.keyspace, opening.head);
        tracing::debug!(
            keyspace = %spec.keyspace,
            revision = after.revision.0,
            endpoint = %watch.chosen().endpoint.address,
            "tail opened"
        );
        Ok((watch, opening))
    }

    /// What the member the watch is on can be relied on for.
    fn start(&self, after: Position, watch: &WatchHandle, opening: &Opening) -> Start {
        let version = watch.version();
        let progress = if !version.orders_progress() {
            Progress::Unordered
        } else if self.streams.is_mute(&watch.chosen().endpoint.address) {
            Progress::Mute
        } else {
            Progress::Ordered
        };
        Start {
            after,
            head: opening.head,
            progress,
            keeps_deletes: version.keeps_deletes_at_compaction(),
        }
    }

    /// Whether the watch's own connection still carries answers. All tails on it ask at once.
    async fn answers(&self, connection: &Connection) -> bool {
        let asked = Instant::now();
        let limit = self.endpoints.settings.request_timeout;
        let is_in_time = timeout(limit, connection.liveness_every(RECENT))
            .await
            .is_ok();
        is_in_time
            && connection
                .last_alive()
                .is_some_and(|last_alive| last_alive + RECENT >= asked)
    }

    /// One comparison at a time, since each is much work for the server; timed, so that the pause after it fits.
    async fn compare(&self, keyspace: &Keyspace, from: Position, to: u64) -> QueryAnswer {
        let _turn = self.streams.comparing.lock().await;
        let began = Instant::now();
        let deadline = self.endpoints.deadline();
        let quiet = self.is_quiet(keyspace, from, to, deadline).await;
        QueryAnswer::Compared(to, quiet, began.elapsed())
    }
}

impl Tailing {
    /// The next batch. Cancel safe: what was received and not given out stays in the state.
    async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            let now = Instant::now();
            let target = *self.target.borrow_and_update();
            self.state.aim(target, now);
            let action = self.state.next_action(now);
            if self.state.has_arrived() {
                self.watch.has_caught_up();
            }
            match action {
                Action::Give(whole) => return Ok(self.give_out(whole)),
                Action::Want(revision) => self.watch.want(revision),
                Action::Ask(query) => self.query = Some(self.ask(query)),
                Action::Break(fault) => return Err(self.broken(fault)),
                Action::Fail(fault) => return Err(self.failed(fault)),
                Action::Wait(until) => self.wait(until).await,
            }
        }
    }

    /// Remembers what is seen of the keyspace with each batch: by that the next tail proves where it starts.
    fn give_out(&mut self, whole: WholeCommit) -> Batch {
        let Cluster { keys, life, .. } = &*self.cluster;
        let keyspace = &self.spec.keyspace;
        whole.add_to(keys, keyspace, &mut self.seen);
        life.saw(keyspace, self.after.epoch, self.seen.clone());
        whole.batch
    }

    /// Waits for whatever comes first, and hands it to the state.
    async fn wait(&mut self, until: Option<Instant>) {
        let progress = self.state.progress_is();
        tokio::select! {
            biased;
            answer = answer(&mut self.query) => {
                self.query = None;
                self.on_answer(answer);
            }
            delivery = self.watch.next(), if self.state.is_hungry() => {
                let (keys, keyspace) = (&self.cluster.keys, &self.spec.keyspace);
                self.state.take(delivery, keys, keyspace, Instant::now());
            }
            // The sender lives in the cluster this tail holds.
            _ = self.target.changed() => {}
            _ = self.moved.changed() => {
                if *self.moved.borrow_and_update() != self.watch.chosen().endpoint.index {
                    self.state.move_over();
                }
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
        }
        if self.state.progress_is() != progress {
            let is_mute = self.state.progress_is() == Progress::Mute;
            let address = &self.watch.chosen().endpoint.address;
            self.cluster.streams.set_mute(address, is_mute);
        }
    }

    fn ask(&mut self, query: Query) -> Task<QueryAnswer> {
        let cluster = Arc::clone(&self.cluster);
        let keyspace = self.spec.keyspace.clone();
        let epoch = self.after.epoch;
        let position = move |revision| Position::new(epoch, Revision(revision));
        match query {
            Query::Alive => {
                let connection = Arc::clone(self.watch.connection());
                Task::spawn(async move { QueryAnswer::Alive(cluster.answers(&connection).await) })
            }
            Query::Quiet(from, to) => Task::spawn(async move {
                let from = position(from);
                cluster.compare(&keyspace, from, to).await
            }),
            Query::History(after) => Task::spawn(async move {
                let deadline = cluster.endpoints.deadline();
                let there = cluster.check_not_compacted(&keyspace, position(after), deadline);
                QueryAnswer::History(there.await)
            }),
            Query::Watch(after, alone) => self.reopen(position(after), alone),
        }
    }

    /// Goes on with another watch.
    fn reopen(&mut self, after: Position, alone: bool) -> Task<QueryAnswer> {
        if alone && self.state.stands_still() {
            // One commit needs more room than there was.
            self.spec.room = self.spec.room.saturating_mul(2);
        }
        self.after = after;
        self.spec.first = after.revision.0 + 1;
        self.spec.is_behind = alone;
        let mut opening = self.cluster.open_watch(&self.spec, after);
        Task::spawn(
            async move { QueryAnswer::Opened(opening.result().await.and_then(|opened| opened)) },
        )
    }

    fn on_answer(&mut self, answer: Result<QueryAnswer, Fault>) {
        let now = Instant::now();
        match answer {
            Ok(QueryAnswer::Alive(is_alive)) => self.state.set_alive(is_alive),
            Ok(QueryAnswer::Compared(to, quiet, took)) => {
                if self.state.compared(to, quiet, took, now) {
                    // Nobody has to be asked for it any more.
                    self.watch.want(0);
                }
            }
            Ok(QueryAnswer::History(there)) => self.state.history(there),
            Ok(QueryAnswer::Opened(opened)) => {
                let opened = opened.map(|(watch, opening)| {
                    let start = self.cluster.start(self.after, &watch, &opening);
                    self.watch = watch;
                    self.seen = opening.seen;
                    start
                });
                self.state.opened(opened, now);
            }
            Err(fault) => self.state.opened(Err(fault), now),
        }
    }

    /// The stream broke: whoever opens the next one shall use another member.
    fn broken(&self, mut fault: Fault) -> Error {
        let chosen = self.watch.chosen();
        if matches!(
            fault.class,
            Class::StaleToken | Class::NotEtcd | Class::Untrusted
        ) {
            // The next one logs in again, or says why it cannot.
            fault.class = Class::NotExecuted;
        }
        if fault.class != Class::Denied {
            self.cluster.endpoints.put_aside(chosen, &fault);
        }
        self.failed(fault.at(&chosen.endpoint.address))
    }

    fn failed(&self, fault: Fault) -> Error {
        failed(&self.spec.keyspace, self.state.cursor(), fault)
    }
}

/// What came of a question, if there is one.
async fn answer(query: &mut Option<Task<QueryAnswer>>) -> Result<QueryAnswer, Fault> {
    match query {
        Some(query) => query.result().await,
        None => std::future::pending().await,
    }
}

fn failed(keyspace: &Keyspace, after: u64, fault: Fault) -> Error {
    let doing = format!("tailing keyspace {keyspace} after revision {after}");
    fault.into_error().while_doing(doing)
}
