//! What this process knows of a member by asking it: how many of its requests are under way, and whether they fail.
//!
//! Never sets more than half of the members of a service aside at a time: when all fail, it is not they who do.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a member is set aside at its first failure; doubled at each next one, up to the longest.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// For how long a member is set aside that has failed so often, without a success in between.
fn penalty(failures: u32) -> Duration {
    let doubled = failures.saturating_sub(1).min(16);
    SHORTEST.saturating_mul(1 << doubled).min(LONGEST)
}

/// The requests of this process to one member.
#[derive(Debug)]
pub(crate) struct Load {
    in_flight: AtomicU32,
    failures: AtomicU32,
    /// Until when it is set aside, by the clock of the ward; 0 while it is not.
    until: AtomicU64,
    ward: Arc<Ward>,
}

/// Those of one service that are set aside.
#[derive(Debug)]
pub(crate) struct Ward {
    begin: Instant,
    /// How many members can be picked.
    members: AtomicUsize,
    aside: Mutex<Vec<Arc<Load>>>,
}

impl Default for Ward {
    fn default() -> Ward {
        Ward {
            begin: Instant::now(),
            members: AtomicUsize::new(0),
            aside: Mutex::default(),
        }
    }
}

impl Ward {
    /// Milliseconds since it began, and one: 0 is no time.
    fn now(&self) -> u64 {
        let since = self.begin.elapsed().as_millis();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Nothing but numbers is looked at under this lock, and no picker takes it.
    fn aside(&self) -> MutexGuard<'_, Vec<Arc<Load>>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many can be picked from now on. Those that were set aside first are picked again, if there are too many.
    pub(crate) fn resize(&self, members: usize) {
        self.members.store(members, Ordering::Relaxed);
        let (now, mut aside) = (self.now(), self.aside());
        aside.retain(|load| load.is_aside_at(now));
        let most = aside.len().min(members / 2);
        let too_many = aside.len() - most;
        for load in aside.drain(..too_many) {
            load.until.store(0, Ordering::Relaxed);
        }
    }
}

impl Load {
    pub(crate) fn new(ward: &Arc<Ward>) -> Load {
        Load {
            in_flight: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            until: AtomicU64::new(0),
            ward: Arc::clone(ward),
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether it is set aside now. Asks the clock only if it was.
    pub(crate) fn is_aside(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until != 0 && until > self.ward.now()
    }

    fn is_aside_at(&self, now: u64) -> bool {
        self.until.load(Ordering::Relaxed) > now
    }

    /// A request to it failed. Those that were under way together when it began to fail count once.
    pub(crate) fn failed(self: &Arc<Self>) {
        let ward = &self.ward;
        let (now, mut aside) = (ward.now(), ward.aside());
        aside.retain(|load| load.is_aside_at(now));
        let is_room = aside.len() < ward.members.load(Ordering::Relaxed) / 2;
        if self.is_aside_at(now) || !is_room {
            return;
        }
        let failures = self.failures.load(Ordering::Relaxed).saturating_add(1);
        self.failures.store(failures, Ordering::Relaxed);
        let time = u64::try_from(penalty(failures).as_millis()).unwrap_or(u64::MAX);
        self.until
            .store(now.saturating_add(time), Ordering::Relaxed);
        aside.push(Arc::clone(self));
    }

    /// A request to it was done: whatever failed before is forgotten.
    pub(crate) fn succeeded(self: &Arc<Self>) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.forgive();
        }
    }

    /// As if it had never failed.
    pub(crate) fn forgive(self: &Arc<Self>) {
        let mut aside = self.ward.aside();
        self.failures.store(0, Ordering::Relaxed);
        self.until.store(0, Ordering::Relaxed);
        aside.retain(|load| !Arc::ptr_eq(load, self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ward(members: usize) -> (Arc<Ward>, Vec<Arc<Load>>) {
        let ward = Arc::new(Ward::default());
        ward.resize(members);
        let loads = (0..members).map(|_| Arc::new(Load::new(&ward)));
        let loads = loads.collect();
        (ward, loads)
    }

    fn aside(loads: &[Arc<Load>]) -> usize {
        loads.iter().filter(|load| load.is_aside()).count()
    }

    #[test]
    fn a_penalty_doubles_up_to_a_minute() {
        let seconds = (1..=9).map(|failures| penalty(failures).as_secs());
        let expected = [1, 2, 4, 8, 16, 32, 60, 60, 60];
        assert!(seconds.eq(expected));
        assert_eq!(penalty(u32::MAX), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_again_and_again_is_set_aside_for_longer_until_it_succeeds() {
        let (_ward, loads) = ward(2);
        let member = &loads[0];
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            // All that were under way count once.
            (0..100).for_each(|_| member.failed());
            tokio::time::advance(Duration::from_millis(seconds * 1000 - 2)).await;
            assert!(member.is_aside(), "{seconds}");
            tokio::time::advance(Duration::from_millis(4)).await;
            assert!(!member.is_aside(), "{seconds}");
        }
        member.failed();
        member.succeeded();
        assert!(!member.is_aside());
        member.failed();
        tokio::time::advance(Duration::from_millis(1002)).await;
        assert!(!member.is_aside());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_half_are_set_aside() {
        for members in 0..8 {
            let (ward, loads) = ward(members);
            loads.iter().for_each(Load::failed);
            assert_eq!(aside(&loads), members / 2);
            ward.resize(members / 2);
            assert_eq!(aside(&loads), members / 2 / 2);
        }
    }
}
