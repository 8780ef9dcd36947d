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
use crate::fragments::Whole;
use crate::life::Seen;
use crate::link::Link;
use crate::proof::Opening;
use crate::tail::{Course, Progress, Question, Start, Step};
use crate::watching::{Watching, Wish};

/// How many bytes may lie unread before a tail is left behind, to catch up later.
const ROOM: usize = 4 * 1024 * 1024;

/// A sign of life that is younger than this is not asked for again.
const RECENT: Duration = Duration::from_millis(100);

struct Tailing {
    cluster: Arc<Cluster>,
    course: Course,
    watching: Watching,
    /// Of the next watch.
    wish: Wish,
    after: Position,
    /// As of the last batch that was given out.
    seen: Seen,
    target: watch::Receiver<Position>,
    moved: watch::Receiver<usize>,
    question: Option<Task<Answer>>,
}

/// Work under way in a task of its own: it holds what others wait for, and must go on if nobody reads the tail. Given up
/// when dropped.
struct Task<T>(JoinHandle<T>);

enum Answer {
    Lives(bool),
    Compared(u64, Result<bool, Fault>, Duration),
    History(Result<(), Fault>),
    Opened(Result<(Watching, Opening), Fault>),
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
        let wish = Wish {
            keyspace: keyspace.clone(),
            first: after.revision.0 + 1,
            is_behind: false,
            room: ROOM,
        };
        let (watching, opening) = self.open_watch(&wish, after).result().await??;
        let start = self.start(after, &watching, &opening);
        let limit = self.endpoints.settings.tail_timeout;
        Ok(Tailing {
            cluster: Arc::clone(self),
            course: Course::new(start, limit, Instant::now()),
            watching,
            wish,
            after,
            seen: opening.seen,
            target,
            moved: self.endpoints.moved(),
            question: None,
        })
    }

    fn open_watch(
        self: &Arc<Self>,
        wish: &Wish,
        after: Position,
    ) -> Task<Result<(Watching, Opening), Fault>> {
        let (cluster, wish) = (Arc::clone(self), wish.clone());
        Task::spawn(async move { cluster.opened(&wish, after).await })
    }

    async fn opened(&self, wish: &Wish, after: Position) -> Result<(Watching, Opening), Fault> {
        let deadline = self.endpoints.deadline();
        let watching = self.watch(wish, deadline).await?;
        // Only now: whatever life of the log begins later ends the watch.
        let opening = self.check_start(&wish.keyspace, after, deadline).await?;
        self.life.aim(&wish.keyspace, opening.head);
        tracing::debug!(
            keyspace = %wish.keyspace,
            revision = after.revision.0,
            endpoint = %watching.chosen().endpoint.address,
            "tail opened"
        );
        Ok((watching, opening))
    }

    fn start(&self, after: Position, watching: &Watching, opening: &Opening) -> Start {
        let version = watching.version();
        let progress = if !version.orders_progress() {
            Progress::Unordered
        } else if self.streams.is_mute(&watching.chosen().endpoint.address) {
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
    async fn answers(&self, link: &Link) -> bool {
        let asked = Instant::now();
        let limit = self.endpoints.settings.request_timeout;
        let is_in_time = timeout(limit, link.pulse_every(RECENT)).await.is_ok();
        is_in_time && link.heard().is_some_and(|heard| heard + RECENT >= asked)
    }

    async fn compare(&self, keyspace: &Keyspace, from: Position, to: u64) -> Answer {
        let _turn = self.streams.comparing.lock().await;
        let began = Instant::now();
        let deadline = self.endpoints.deadline();
        let quiet = self.is_quiet(keyspace, from, to, deadline).await;
        Answer::Compared(to, quiet, began.elapsed())
    }
}

impl Tailing {
    async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            let now = Instant::now();
            let target = *self.target.borrow_and_update();
            self.course.aim(target, now);
            let step = self.course.step(now);
            if self.course.has_arrived() {
                self.watching.has_caught_up();
            }
            match step {
                Step::Give(whole) => return Ok(self.give_out(whole)),
                Step::Want(revision) => self.watching.want(revision),
                Step::Ask(question) => self.question = Some(self.ask(question)),
                Step::Break(fault) => return Err(self.broken(fault)),
                Step::Fail(fault) => return Err(self.failed(fault)),
                Step::Wait(until) => self.wait(until).await,
            }
        }
    }

    fn give_out(&mut self, whole: Whole) -> Batch {
        let Cluster { keys, life, .. } = &*self.cluster;
        let keyspace = &self.wish.keyspace;
        whole.add_to(keys, keyspace, &mut self.seen);
        life.saw(keyspace, self.after.epoch, self.seen.clone());
        whole.batch
    }

    async fn wait(&mut self, until: Option<Instant>) {
        let progress = self.course.progress_is();
        tokio::select! {
            biased;
            answer = answer(&mut self.question) => {
                self.question = None;
                self.hear(answer);
            }
            delivery = self.watching.next(), if self.course.is_hungry() => {
                let (keys, keyspace) = (&self.cluster.keys, &self.wish.keyspace);
                self.course.take(delivery, keys, keyspace, Instant::now());
            }
            // The sender lives in the cluster this tail holds.
            _ = self.target.changed() => {}
            _ = self.moved.changed() => {
                if *self.moved.borrow_and_update() != self.watching.chosen().endpoint.index {
                    self.course.move_over();
                }
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
        }
        if self.course.progress_is() != progress {
            let is_mute = self.course.progress_is() == Progress::Mute;
            let address = &self.watching.chosen().endpoint.address;
            self.cluster.streams.set_mute(address, is_mute);
        }
    }

    fn ask(&mut self, question: Question) -> Task<Answer> {
        let cluster = Arc::clone(&self.cluster);
        let keyspace = self.wish.keyspace.clone();
        let epoch = self.after.epoch;
        let position = move |revision| Position::new(epoch, Revision(revision));
        match question {
            Question::Life => {
                let link = Arc::clone(self.watching.link());
                Task::spawn(async move { Answer::Lives(cluster.answers(&link).await) })
            }
            Question::Quiet(from, to) => Task::spawn(async move {
                let from = position(from);
                cluster.compare(&keyspace, from, to).await
            }),
            Question::History(after) => Task::spawn(async move {
                let deadline = cluster.endpoints.deadline();
                let there = cluster.check_not_compacted(&keyspace, position(after), deadline);
                Answer::History(there.await)
            }),
            Question::Watch(after, alone) => self.reopen(position(after), alone),
        }
    }

    /// Goes on with another watch.
    fn reopen(&mut self, after: Position, alone: bool) -> Task<Answer> {
        if alone && self.course.stands_still() {
            // One commit needs more room than there was.
            self.wish.room = self.wish.room.saturating_mul(2);
        }
        self.after = after;
        self.wish.first = after.revision.0 + 1;
        self.wish.is_behind = alone;
        let mut opening = self.cluster.open_watch(&self.wish, after);
        Task::spawn(async move { Answer::Opened(opening.result().await.and_then(|opened| opened)) })
    }

    fn hear(&mut self, answer: Result<Answer, Fault>) {
        let now = Instant::now();
        match answer {
            Ok(Answer::Lives(lives)) => self.course.lives(lives),
            Ok(Answer::Compared(to, quiet, took)) => {
                if matches!(quiet, Ok(true)) {
                    // Nobody has to be asked for it any more.
                    self.watching.want(0);
                }
                self.course.compared(to, quiet, took, now);
            }
            Ok(Answer::History(there)) => self.course.history(there),
            Ok(Answer::Opened(opened)) => {
                let opened = opened.map(|(watching, opening)| {
                    let start = self.cluster.start(self.after, &watching, &opening);
                    self.watching = watching;
                    self.seen = opening.seen;
                    start
                });
                self.course.opened(opened, now);
            }
            Err(fault) => self.course.opened(Err(fault), now),
        }
    }

    /// The stream broke: whoever opens the next one shall use another member.
    fn broken(&self, mut fault: Fault) -> Error {
        let chosen = self.watching.chosen();
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
        failed(&self.wish.keyspace, self.course.cursor(), fault)
    }
}

/// What came of a question, if there is one.
async fn answer(question: &mut Option<Task<Answer>>) -> Result<Answer, Fault> {
    match question {
        Some(question) => question.result().await,
        None => std::future::pending().await,
    }
}

fn failed(keyspace: &Keyspace, after: u64, fault: Fault) -> Error {
    let doing = format!("tailing keyspace {keyspace} after revision {after}");
    fault.into_error().while_doing(doing)
}
