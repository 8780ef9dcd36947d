//! The head of the log. It is the same for all keyspaces, so that one read answers all who ask at about the same time.
//!
//! Never answers with what the log was asked before a caller allows, and never passes a refusal on to another keyspace.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globe_log_client::{Epoch, Keyspace, Position};
use tokio::sync::{Mutex as Turns, MutexGuard as OwnTurn, watch};
use tokio::time::{Instant, timeout};

use crate::fault::{Class, Fault};

/// How long a read of the head that began too early is waited for, before the next one is begun beside it.
const NEXT_AFTER: Duration = Duration::from_millis(100);

/// So much longer each time that there was no answer meanwhile: a log that is slow is not asked by all who wait for it.
const LONGER: u32 = 10;

/// The last answer, and the read under way.
///
/// A map asks for the head twice a second; this makes a process with many maps ask as often as with one.
#[derive(Default)]
pub(crate) struct Heads {
    reads: Mutex<Reads>,
    /// Of those who ask for themselves.
    own: Turns<()>,
}

/// The last answer, and who reads now.
#[derive(Default)]
struct Reads {
    last: Option<Head>,
    under_way: Option<PendingRead>,
    /// How many were begun beside another since there was an answer.
    beside: u32,
}

/// Where the log was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) position: Position,
    /// Everything acknowledged before this is covered.
    pub(crate) asked: Instant,
}

pub(crate) type HeadAnswer = Result<Head, Fault>;

/// A read that somebody else waits for as well.
#[derive(Clone)]
pub(crate) struct PendingRead {
    asked: Instant,
    /// In which keyspace it asks.
    keyspace: Keyspace,
    answer: watch::Receiver<Option<HeadAnswer>>,
}

/// What a caller has to do.
pub(crate) enum Turn<'a> {
    Take(Head),
    Share(PendingRead),
    /// This read began too early.
    Wait(PendingRead),
    Ask(HeadRead<'a>),
}

/// The read under way, in the hands of who does it. Dropped without an answer, it leaves its turn to another.
pub(crate) struct HeadRead<'a> {
    heads: &'a Heads,
    pub(crate) asked: Instant,
    answer: watch::Sender<Option<HeadAnswer>>,
}

impl Heads {
    fn reads(&self) -> MutexGuard<'_, Reads> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do for an answer that was asked for after `earliest`, in the life called `epoch`.
    pub(crate) fn turn(
        &self,
        keyspace: &Keyspace,
        earliest: Instant,
        epoch: Option<Epoch>,
    ) -> Turn<'_> {
        let is_late_enough = |asked| asked > earliest;
        let mut reads = self.reads();
        if let Some(last) = reads.last_since(earliest, epoch) {
            return Turn::Take(last);
        }
        match &reads.under_way {
            Some(read) if is_late_enough(read.asked) => Turn::Share(read.clone()),
            Some(read) => Turn::Wait(read.clone()),
            None => {
                let (sender, answer) = watch::channel(None);
                let asked = Instant::now();
                reads.under_way = Some(PendingRead {
                    asked,
                    keyspace: keyspace.clone(),
                    answer,
                });
                Turn::Ask(HeadRead {
                    heads: self,
                    asked,
                    answer: sender,
                })
            }
        }
    }

    /// How long one is waited for, before another is begun beside it.
    pub(crate) fn patience(&self) -> Duration {
        NEXT_AFTER.saturating_mul(LONGER.saturating_pow(self.reads().beside))
    }

    /// A turn to ask for oneself: one at a time does.
    pub(crate) async fn own_turn(&self) -> OwnTurn<'_, ()> {
        self.own.lock().await
    }

    /// The last answer, if it is one to what was asked after `earliest`.
    pub(crate) fn last_since(&self, earliest: Instant, epoch: Option<Epoch>) -> Option<Head> {
        self.reads().last_since(earliest, epoch)
    }

    /// It is the last answer, if it is one, and none is newer.
    pub(crate) fn keep(&self, answer: &HeadAnswer) {
        self.reads().keep(answer);
    }

    /// The answer to a read; nothing if whoever does it gave up, or is not done within `limit`.
    pub(crate) async fn wait_for(&self, read: &PendingRead, limit: Duration) -> Option<HeadAnswer> {
        let mut answer = read.answer.clone();
        let answered = timeout(limit, answer.wait_for(Option::is_some)).await;
        match answered {
            Ok(Ok(answer)) => return answer.clone(),
            // It gave up.
            Ok(Err(_)) => {}
            // It may hang, or nobody polls it: the next one does not wait for it.
            Err(_) => {
                let mut reads = self.reads();
                let is_left = reads.leave(&read.answer);
                reads.beside += u32::from(is_left);
            }
        }
        None
    }
}

impl Reads {
    fn last_since(&self, earliest: Instant, epoch: Option<Epoch>) -> Option<Head> {
        let is_it = |last: &Head| last.asked > earliest && Some(last.position.epoch) == epoch;
        self.last.filter(is_it)
    }

    fn keep(&mut self, answer: &HeadAnswer) {
        self.beside = 0;
        if let Ok(head) = answer
            && self.last.is_none_or(|last| last.asked < head.asked)
        {
            self.last = Some(*head);
        }
    }

    /// The read under way is another from now on, if it is this one; whether it was.
    fn leave(&mut self, answer: &watch::Receiver<Option<HeadAnswer>>) -> bool {
        let is_it = |read: &PendingRead| read.answer.same_channel(answer);
        let is_left = self.under_way.as_ref().is_some_and(is_it);
        if is_left {
            self.under_way = None;
        }
        is_left
    }
}

impl PendingRead {
    /// Whether its answer is one for this keyspace as well: what a role allows in one it may not in another.
    pub(crate) fn is_for(&self, keyspace: &Keyspace, answer: &HeadAnswer) -> bool {
        let is_denied = answer
            .as_ref()
            .is_err_and(|fault| fault.class == Class::Denied);
        !is_denied || self.keyspace == *keyspace
    }
}

impl HeadRead<'_> {
    /// Hands the answer to all who wait. A failure is handed on, but not kept.
    pub(crate) fn end(self, answer: HeadAnswer) {
        {
            let mut reads = self.heads.reads();
            reads.keep(&answer);
            // Before anybody is woken, who would find it there still.
            reads.leave(&self.answer.subscribe());
        }
        self.answer.send_replace(Some(answer));
    }
}

impl Drop for HeadRead<'_> {
    fn drop(&mut self) {
        self.heads.reads().leave(&self.answer.subscribe());
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::Revision;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keyspace(name: &str) -> Keyspace {
        Keyspace::new(name).unwrap()
    }

    fn asks<'a>(heads: &'a Heads, name: &str, earliest: Instant) -> Turn<'a> {
        heads.turn(&keyspace(name), earliest, Some(Epoch::new(1)))
    }

    fn begun(turn: Turn<'_>) -> HeadRead<'_> {
        match turn {
            Turn::Ask(read) => read,
            _ => panic!("it had to ask"),
        }
    }

    fn head(asked: Instant, epoch: u64) -> Head {
        let position = Position::new(Epoch::new(epoch), Revision(7));
        Head { position, asked }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_read_that_began_late_enough_is_shared() {
        let heads = Heads::default();
        let before = Instant::now() - SECOND;
        let read = begun(asks(&heads, "a", before));
        assert!(matches!(asks(&heads, "b", before), Turn::Share(_)));
        assert!(matches!(asks(&heads, "b", Instant::now()), Turn::Wait(_)));
        let answer = head(read.asked, 1);
        read.end(Ok(answer));
        assert!(matches!(asks(&heads, "b", before), Turn::Take(found) if found == answer));
        let now = Instant::now();
        assert!(matches!(asks(&heads, "b", now), Turn::Ask(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_another_life_is_never_taken() {
        let heads = Heads::default();
        let before = Instant::now() - SECOND;
        let read = begun(asks(&heads, "a", before));
        let answer = head(read.asked, 2);
        read.end(Ok(answer));
        assert!(matches!(asks(&heads, "a", before), Turn::Ask(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_or_hangs_leaves_the_turn_to_another() {
        let heads = Heads::default();
        let before = Instant::now() - SECOND;
        let asking = begun(asks(&heads, "a", before));
        let Turn::Share(read) = asks(&heads, "b", before) else {
            panic!("it had to share");
        };
        drop(asking);
        assert!(heads.wait_for(&read, SECOND).await.is_none());
        let hangs = begun(asks(&heads, "b", before));
        let Turn::Share(read) = asks(&heads, "c", before) else {
            panic!("it had to share");
        };
        assert!(heads.wait_for(&read, SECOND).await.is_none());
        let next = begun(asks(&heads, "c", before));
        drop(hangs);
        assert!(matches!(asks(&heads, "b", before), Turn::Share(_)));
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_slow_is_asked_ever_more_seldom_until_it_answers() {
        let heads = Heads::default();
        let mut asking = vec![begun(asks(&heads, "a", Instant::now() - SECOND))];
        for patience in [NEXT_AFTER, NEXT_AFTER * 10, NEXT_AFTER * 100] {
            assert_eq!(heads.patience(), patience);
            let waiting = (0..100).map(|_| async {
                let earliest = Instant::now();
                let Turn::Wait(read) = asks(&heads, "b", earliest) else {
                    panic!("it had to wait");
                };
                assert!(heads.wait_for(&read, heads.patience()).await.is_none());
                asks(&heads, "b", earliest)
            });
            let turns = futures::future::join_all(waiting).await;
            let own = turns.into_iter().filter_map(|turn| match turn {
                Turn::Ask(read) => Some(read),
                _ => None,
            });
            let before = asking.len();
            asking.extend(own);
            assert_eq!(asking.len(), before + 1, "one of a hundred asks anew");
        }
        let last = asking.pop().unwrap();
        let answer = head(last.asked, 1);
        last.end(Ok(answer));
        assert_eq!(heads.patience(), NEXT_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_for_its_own_keyspace_only() {
        let heads = Heads::default();
        let before = Instant::now() - SECOND;
        let asking = begun(asks(&heads, "a", before));
        let Turn::Share(read) = asks(&heads, "b", before) else {
            panic!("it had to share");
        };
        asking.end(Err(Fault::new(Class::Denied, "permission denied")));
        let answer = heads.wait_for(&read, SECOND).await.unwrap();
        assert!(read.is_for(&keyspace("a"), &answer));
        assert!(!read.is_for(&keyspace("b"), &answer));
        let away: HeadAnswer = Err(Fault::new(Class::NeverSent, "nobody answers"));
        assert!(read.is_for(&keyspace("b"), &away));
    }
}
