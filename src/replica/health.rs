//! How it goes with following the log: what was proved, what failed and since when, and that an outage is told of once.
//!
//! It only keeps and tells: nothing is decided here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Keyspace};
use tokio::time::Instant;

/// What happened so far, as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// When the question was asked whose answer last proved that what is applied is current.
    proved: Option<Instant>,
    /// What is applied is the copy on disk, or follows on it: the log has proved nothing yet.
    pub(crate) from_copy: bool,
    /// When that copy was last known to be current, if any clock can tell.
    copied: Option<Instant>,
    pub(crate) reopens: u64,
    pub(crate) violations: u64,
    /// Attempts that failed since following last held for a while.
    pub(crate) failures: u32,
    /// Attempts at which the log failed since it was last followed: the first is the beginning of an outage.
    outage: u32,
    /// Why following broke.
    broke: Option<Error>,
    /// Why the last question after the head was not answered.
    unanswered: Option<Error>,
    /// Since when one or the other is so.
    failing_since: Option<Instant>,
    /// When the log first and last refused what only a person can mend, with nothing else in between.
    refused: Option<(Instant, Instant)>,
}

impl Course {
    /// How old what is shown can be at most.
    pub(crate) fn staleness(&self, now: Instant) -> Option<Duration> {
        let known = self.proved.or(self.copied);
        known.map(|asked| now.duration_since(asked))
    }

    /// How long before `now` the last proof was asked for.
    pub(crate) fn proved_for(&self, now: Instant) -> Option<Duration> {
        self.proved.map(|asked| now.duration_since(asked))
    }

    /// How long there has been a [`last_error`](Course::last_error).
    pub(crate) fn failing_for(&self, now: Instant) -> Option<Duration> {
        self.failing_since.map(|since| now.duration_since(since))
    }

    /// What went wrong last, if it is not well again.
    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.broke.as_ref().or(self.unanswered.as_ref())
    }

    fn failed(&mut self, error: &Error, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.refused = is_refusal(error).then(|| {
            let first = self.refused.map_or(now, |(first, _)| first);
            (first, now)
        });
        self.broke = Some(error.clone());
        self.failing_since.get_or_insert(now);
    }

    fn unanswered(&mut self, error: &Error, now: Instant) {
        self.unanswered = Some(error.clone());
        self.failing_since.get_or_insert(now);
    }

    fn proved(&mut self, asked: Instant) {
        self.proved = self.proved.max(Some(asked));
        self.from_copy = false;
        self.unanswered = None;
        self.forget_trouble();
    }

    fn settled(&mut self) {
        self.failures = 0;
        (self.broke, self.refused) = (None, None);
        self.forget_trouble();
    }

    fn forget_trouble(&mut self) {
        if self.last_error().is_none() {
            self.failing_since = None;
        }
    }

    fn refusal(&self, standing: Duration) -> Option<Error> {
        let (first, last) = self.refused?;
        let has_stood = last.duration_since(first) >= standing;
        self.broke.clone().filter(|_| has_stood)
    }
}

/// Whether a person has to mend something, as far as can be told.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported
    )
}

/// The health of one replica, written by its tasks and read by anybody.
#[derive(Debug)]
pub(crate) struct Health {
    keyspace: Keyspace,
    course: Mutex<Course>,
}

impl Health {
    pub(crate) fn new(keyspace: Keyspace) -> Health {
        Health {
            keyspace,
            course: Mutex::default(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Course) -> T) -> T {
        act(&mut self.course.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it went until now. To be asked before the replica is: what is proved now holds for every later state of it, but
    /// not the other way round.
    pub(crate) fn course(&self) -> Course {
        self.with(|course| course.clone())
    }

    /// How old what is shown can be at most.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        self.with(|course| course.staleness(Instant::now()))
    }

    /// How long ago the last proof was asked for, if the log has given one.
    pub(crate) fn proved_for(&self) -> Option<Duration> {
        self.with(|course| course.proved_for(Instant::now()))
    }

    /// What is about to be shown was kept on disk, and was current when that was known last. That is no proof: the clocks of
    /// another process told it.
    pub(crate) fn begun_with_copy(&self, known: Option<Instant>) {
        self.with(|course| (course.from_copy, course.copied) = (true, known));
    }

    /// What went wrong last, if it is not well again.
    pub(crate) fn last_error(&self) -> Option<Error> {
        self.with(|course| course.last_error().cloned())
    }

    /// The refusal that was repeated for so long, if there is one.
    pub(crate) fn refusal(&self, standing: Duration) -> Option<Error> {
        self.with(|course| course.refusal(standing))
    }

    /// What is applied now covers a linearizable answer to a question asked at `asked`.
    pub(crate) fn prove(&self, asked: Instant) {
        self.with(|course| course.proved(asked));
    }

    /// A broken or silent tail is replaced.
    pub(crate) fn reopened(&self) {
        self.with(|course| course.reopens += 1);
    }

    /// An attempt to follow the log failed.
    pub(crate) fn failed(&self, error: &Error) {
        self.with(|course| course.failed(error, Instant::now()));
    }

    /// An attempt to follow the log failed at the log. Told loudly at the beginning of an outage only.
    pub(crate) fn broke(&self, error: &Error) {
        self.failed(error);
        let attempt = self.with(|course| {
            course.outage = course.outage.saturating_add(1);
            course.outage
        });
        let keyspace = &self.keyspace;
        if attempt == 1 {
            tracing::warn!(%keyspace, %error, "following the log broke; serving the last state and trying again");
        } else {
            tracing::debug!(%keyspace, attempt, %error, "the log is still out of reach");
        }
    }

    /// The log is followed again, or still. Told if that ends an outage.
    pub(crate) fn followed(&self) {
        let attempts = self.with(|course| std::mem::take(&mut course.outage));
        if attempts > 0 {
            tracing::info!(keyspace = %self.keyspace, attempts, "following the log again");
        }
    }

    /// The log delivered what its contract forbids. Only the first time is told of.
    pub(crate) fn violated(&self, what: &str) {
        let count = self.with(|course| {
            course.violations += 1;
            course.violations
        });
        if count == 1 {
            tracing::warn!(keyspace = %self.keyspace, what, "the log broke its contract; healing by a resync");
        }
    }

    /// The log was asked how far it is, and did not answer.
    pub(crate) fn unanswered(&self, error: &Error) {
        self.with(|course| course.unanswered(error, Instant::now()));
    }

    /// The log let itself be read: it refuses nothing.
    pub(crate) fn admitted(&self) {
        self.with(|course| course.refused = None);
    }

    /// The map is given up, for a reason that is told.
    pub(crate) fn gave_up(&self, why: &Error) {
        self.failed(why);
        tracing::error!(keyspace = %self.keyspace, error = %why, "the map ends: this needs a person");
    }

    /// Following has held for a while.
    pub(crate) fn settled(&self) {
        self.with(Course::settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "it went wrong")
    }

    #[test]
    fn trouble_lasts_from_the_first_failure_until_all_is_well() {
        let begin = Instant::now();
        let at = |seconds| begin + seconds * SECOND;
        let mut course = Course::default();
        assert_eq!(course.failing_for(at(0)), None);
        course.unanswered(&error(ErrorKind::Unavailable), at(1));
        course.failed(&error(ErrorKind::Stale), at(2));
        assert_eq!(course.failing_for(at(4)), Some(3 * SECOND));
        course.proved(at(4));
        assert_eq!(course.failing_for(at(5)), Some(4 * SECOND), "it broke");
        course.unanswered(&error(ErrorKind::Unavailable), at(5));
        course.settled();
        assert_eq!(
            (course.failures, course.failing_for(at(6))),
            (0, Some(5 * SECOND))
        );
        course.proved(at(7));
        assert_eq!(course.failing_for(at(7)), None);
        assert!(course.last_error().is_none());
        course.failed(&error(ErrorKind::Unavailable), at(9));
        assert_eq!(course.failing_for(at(10)), Some(SECOND), "another one");
    }

    #[test]
    fn only_a_refusal_that_was_repeated_with_nothing_in_between_has_stood() {
        let begin = Instant::now();
        let denied = |course: &mut Course, at| course.failed(&error(ErrorKind::Denied), begin + at);
        let mut course = Course::default();
        denied(&mut course, Duration::ZERO);
        assert!(course.refusal(SECOND).is_none(), "it may pass");
        course.failed(&error(ErrorKind::Unavailable), begin + SECOND);
        denied(&mut course, SECOND);
        assert!(course.refusal(SECOND).is_none(), "another one");
        denied(&mut course, 2 * SECOND);
        assert!(course.refusal(SECOND).is_some());
    }

    #[test]
    fn a_copy_has_an_age_and_proves_nothing() {
        let (begin, mut course) = (Instant::now(), Course::default());
        (course.from_copy, course.copied) = (true, Some(begin));
        let now = begin + SECOND;
        assert_eq!(course.staleness(now), Some(SECOND));
        assert_eq!(course.proved_for(now), None);
        course.proved(begin + SECOND);
        assert_eq!(course.staleness(now), Some(Duration::ZERO));
        assert_eq!(course.proved_for(now), Some(Duration::ZERO));
        assert!(!course.from_copy);
    }

    #[test]
    fn an_older_proof_makes_nothing_older() {
        let (begin, mut course) = (Instant::now(), Course::default());
        course.proved(begin + SECOND);
        course.proved(begin);
        assert_eq!(course.staleness(begin + SECOND), Some(Duration::ZERO));
    }
}
