//! When each lease of a session is asked for again: one table.
//!
//! Never asks by itself, and never lets one lease wait for another.

use std::time::Duration;

use globe_log_client::{Lease, LeaseId};
use tokio::time::Instant;

use crate::ground::backoff::Backoff;
use crate::ground::clock::Moment;

/// How many renewals of one lease may wait for their answers at the same time.
const MOST: usize = 3;

/// Of the time of a lease, so much passes before another renewal is sent beside one that has no answer.
const HEDGE: u32 = 4;

/// How long a renewal is waited for: until a fourth one would be sent. What is answered later would prove next to nothing.
pub(crate) fn patience(ttl: Duration) -> Duration {
    hedge(ttl) * 3
}

fn hedge(ttl: Duration) -> Duration {
    ttl / HEDGE
}

/// When the next renewal of each lease is due.
pub(crate) struct Schedule {
    ttl: Duration,
    rows: Vec<Row>,
}

/// One lease.
struct Row {
    lease: LeaseId,
    next: Instant,
    /// When it was last asked for.
    sent: Instant,
    under_way: usize,
    /// It is to be asked for once more as soon as there is an answer, because something was heard of it meanwhile.
    is_called: bool,
    pauses: Backoff,
}

impl Schedule {
    pub(crate) fn new(ttl: Duration) -> Schedule {
        let rows = Vec::new();
        Schedule { ttl, rows }
    }

    /// Knows exactly these leases from now on, those that are new by when the answer was asked for that they are trusted by.
    pub(crate) fn follow(&mut self, held: &[(Lease, Moment)]) {
        let is_held = |row: &Row| held.iter().any(|(lease, _)| lease.id == row.lease);
        self.rows.retain(is_held);
        for (lease, sent) in held {
            if !self.rows.iter().any(|row| row.lease == lease.id) {
                self.rows.push(Row::new(lease.id, sent.steady(), self.ttl));
            }
        }
    }

    /// Those that are to be asked for now.
    pub(crate) fn due(&self, now: Instant) -> Vec<LeaseId> {
        let due = self.waiting().filter(|row| row.next <= now);
        due.map(|row| row.lease).collect()
    }

    /// When the next of them is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.waiting().map(|row| row.next).min()
    }

    /// Those that may be asked for once more.
    fn waiting(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.under_way < MOST)
    }

    /// A lease was asked for now: if there is no answer for a while, it is asked for beside that.
    pub(crate) fn sent(&mut self, lease: LeaseId, now: Instant) {
        let next = now + hedge(self.ttl);
        if let Some(row) = self.row(lease) {
            row.under_way += 1;
            (row.sent, row.next) = (now, next);
        }
    }

    /// A lease was not asked for, for a reason that may pass.
    pub(crate) fn put_off(&mut self, lease: LeaseId, now: Instant) {
        if let Some(row) = self.row(lease) {
            row.next = now + row.pauses.next();
        }
    }

    /// Renewed: the next is due a third of the time after the last one was sent. Where answers are so late that others are
    /// waited for, it stays due beside them.
    pub(crate) fn renewed(&mut self, lease: LeaseId, now: Instant) {
        let third = a_third(self.ttl);
        if let Some(row) = self.row(lease) {
            row.pauses.reset();
            if row.under_way == 1 {
                row.next = row.sent + third;
            }
            row.ended(now);
        }
    }

    /// Not renewed: it is asked for again soon.
    pub(crate) fn failed(&mut self, lease: LeaseId, now: Instant) {
        if let Some(row) = self.row(lease) {
            row.next = row.next.min(now + row.pauses.next());
            row.ended(now);
        }
    }

    /// Each lease is to be asked for by a renewal that is sent after this.
    pub(crate) fn call(&mut self, now: Instant) {
        for row in &mut self.rows {
            match row.under_way {
                0 => row.next = now,
                _ => row.is_called = true,
            }
        }
    }

    fn row(&mut self, lease: LeaseId) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.lease == lease)
    }
}

impl Row {
    fn new(lease: LeaseId, sent: Instant, ttl: Duration) -> Row {
        Row {
            lease,
            next: sent + a_third(ttl),
            sent,
            under_way: 0,
            is_called: false,
            pauses: Backoff::new(Duration::from_millis(50), ttl / 12),
        }
    }

    /// A renewal is under way no more.
    fn ended(&mut self, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        if std::mem::take(&mut self.is_called) {
            self.next = now;
        }
    }
}

/// A third of the time, more or less, so that many sessions of one moment do not stay together.
fn a_third(ttl: Duration) -> Duration {
    (ttl / 3).mul_f64(0.9 + fastrand::f64() / 5.0)
}

#[cfg(test)]
mod tests {
    use globe_log_client::Epoch;

    use super::*;

    const TTL: Duration = Duration::from_secs(12);
    const ONE: LeaseId = LeaseId::new(1);
    const TWO: LeaseId = LeaseId::new(2);

    /// Of two leases, granted now.
    fn schedule() -> (Schedule, Instant) {
        let now = Moment::now();
        let mut schedule = Schedule::new(TTL);
        let lease = |id| (Lease::new(id, TTL, Epoch::new(1)), now);
        schedule.follow(&[lease(ONE), lease(TWO)]);
        (schedule, now.steady())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_due_a_third_of_its_time_after_it_was_last_asked_for() {
        let (mut schedule, now) = schedule();
        assert!(schedule.due(now + TTL * 29 / 100).is_empty());
        assert_eq!(schedule.due(now + TTL * 37 / 100), [ONE, TWO]);
        schedule.sent(ONE, now + seconds(4));
        schedule.renewed(ONE, now + seconds(5));
        assert_eq!(schedule.due(now + seconds(7)), [TWO]);
        assert_eq!(schedule.due(now + seconds(9)), [ONE, TWO]);
    }

    #[tokio::test(start_paused = true)]
    async fn three_renewals_may_wait_for_an_answer_and_no_more() {
        let (mut schedule, now) = schedule();
        for turn in 0..3 {
            let sent = now + seconds(5 + 3 * turn);
            assert!(schedule.due(sent).contains(&ONE), "{turn}");
            schedule.sent(ONE, sent);
            assert!(!schedule.due(sent + seconds(2)).contains(&ONE), "{turn}");
        }
        assert_eq!(schedule.due(now + TTL), [TWO]);
        // The first is given up when the fourth is due.
        assert_eq!(patience(TTL), seconds(9));
        schedule.failed(ONE, now + seconds(13));
        assert!(schedule.due(now + seconds(13) + TTL / 12).contains(&ONE));
    }

    #[tokio::test(start_paused = true)]
    async fn where_answers_are_late_they_are_asked_for_at_the_same_pace() {
        let (mut schedule, now) = schedule();
        schedule.sent(ONE, now + seconds(4));
        schedule.sent(ONE, now + seconds(7));
        schedule.renewed(ONE, now + seconds(9));
        assert!(!schedule.due(now + seconds(9)).contains(&ONE));
        assert!(schedule.due(now + seconds(10)).contains(&ONE));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_heard_while_an_answer_is_waited_for_is_asked_about_after_it() {
        let (mut schedule, now) = schedule();
        schedule.sent(ONE, now + seconds(4));
        schedule.call(now + seconds(5));
        assert_eq!(schedule.due(now + seconds(5)), [TWO]);
        schedule.renewed(ONE, now + seconds(6));
        assert_eq!(schedule.due(now + seconds(6)), [ONE, TWO]);
        schedule.sent(ONE, now + seconds(6));
        schedule.renewed(ONE, now + seconds(6));
        assert_eq!(schedule.due(now + seconds(6)), [TWO]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_given_back_is_asked_for_no_more() {
        let (mut schedule, now) = schedule();
        schedule.sent(ONE, now);
        schedule.follow(&[]);
        schedule.renewed(ONE, now);
        schedule.failed(TWO, now);
        assert_eq!((schedule.next(), schedule.due(now + TTL)), (None, vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_alive_asks_himself_again_soon() {
        let (mut schedule, now) = schedule();
        schedule.put_off(ONE, now + TTL);
        assert_eq!(schedule.due(now + TTL), [TWO]);
        assert_eq!(schedule.due(now + TTL + TTL / 12), [ONE, TWO]);
    }
}
