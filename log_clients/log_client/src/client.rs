//! The trait every backend implements.
//!
//! It holds no policy: no retries of a caller's decision, no caching, no types of the user's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::capabilities::Capabilities;
use crate::difference::Difference;
use crate::error::{Error, ErrorKind, Result};
use crate::keyspace::Keyspace;
use crate::known_keys::KnownKeys;
use crate::lease::{Lease, LeaseId};
use crate::position::{Position, RecentHead};
use crate::record::Record;
use crate::snapshot::Snapshot;
use crate::status::LogStatus;
use crate::tail::Tail;
use crate::transaction::Transaction;

/// A client of a replicated log.
///
/// To ensure correctness, a backend keeps every MUST below. What it cannot keep, its [`Capabilities`] say.
///
/// For every method:
/// - Every call MUST end in bounded time, whatever the log does: with an answer, or with `Unavailable` (or
///   `Indeterminate`, for a write).
/// - Every future MUST be cancel safe: dropping it at any await leaves the client usable; a dropped `commit` may or may
///   not have been committed, but is never committed in part.
/// - A log that was restored, wiped, replaced or rolled back MUST be noticed at the first answer after a (re)connect,
///   and MUST be reported as a new [`Epoch`](crate::Epoch) from then on, never silently followed.
/// - A waker MUST be called outside every lock of the log's own: it may use the log before it returns. What a library
///   below holds while it wakes, the backend's documentation says.
/// - Errors that only a person can mend (credentials, certificates, permission) MUST be `Denied`, not `Unavailable`.
/// - No secret MUST ever appear in an error, a log line or a `Debug`.
#[async_trait]
pub trait LogClient: fmt::Debug + Send + Sync + 'static {
    /// Which log this is: clones of one client say the same, so that a transaction over several maps can tell whether
    /// they live in one log.
    fn id(&self) -> LogId;

    /// What this log can do. Never talks to the log; may become more exact once it was reached.
    fn capabilities(&self) -> Capabilities;

    /// Every live record of `keyspace`, delivered as a stream of pages.
    ///
    /// - All pages MUST be true at one position, the snapshot's.
    /// - It MUST reflect every commit acknowledged before the call (linearizable).
    /// - Records MUST come in key order, each key once, and only those of this keyspace.
    /// - A log that forgets the position while pages are read MUST end the stream with `Compacted`, never with a hole.
    /// - Every page as well MUST end in bounded time: one that does not come, and a log that goes away between pages, MUST
    ///   end the stream with `Unavailable`, never short.
    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot>;

    /// What `keyspace` holds now that is not known to who stands at `since`, where it held the keys `known`: as a stream of
    /// pages of changes. It leads from there to a snapshot without reading again what has not changed, however much of the
    /// history in between is forgotten.
    ///
    /// - Its position, and how its pages are true, MUST be as a snapshot's: linearizable, all at that position, `Compacted`
    ///   where it is forgotten while pages are read, each page in bounded time, and never short.
    /// - Changes MUST come in key order, each key once: a put of every record that was modified after `since`, and a delete of
    ///   every known key at which nothing stands. Applied to what the keyspace held at `since` they MUST make exactly the
    ///   snapshot at its position.
    /// - It MUST answer wherever `since` is, also long before what is compacted. In another life of the log, or beyond its
    ///   head, it MUST be `EpochChanged`.
    /// - `known` is to be exact: a log may count records rather than look at each. A key at which nothing stood MUST at worst be
    ///   deleted once more, and a record older than `since` that is not known SHOULD be put where the log notices it.
    /// - A log that cannot tell without reading everything, as a snapshot does, ([`Capabilities::differences`]) says
    ///   `Unsupported`, as this does: take a snapshot.
    async fn difference(
        &self,
        _keyspace: &Keyspace,
        _since: Position,
        _known: KnownKeys,
    ) -> Result<Difference> {
        let name = self.capabilities().name;
        let why = format!("the {name} log tells no differences: take a snapshot");
        Err(Error::new(ErrorKind::Unsupported, why))
    }

    /// The batches committed in `keyspace` after `after`.
    ///
    /// - Batches MUST come in order, whole, without gaps and without repeats: a batch holds everything committed at its
    ///   revision in that keyspace, and revisions grow strictly.
    /// - From a snapshot's position it MUST miss nothing and repeat nothing.
    /// - From forgotten history it MUST fail with `Compacted`, here or at the first `next`, never by silence. A tail that
    ///   is overtaken by compaction while open MUST do the same.
    /// - If `after` belongs to another epoch it MUST fail with `EpochChanged`.
    /// - After [`head`](LogClient::head) returned R, every open tail of that keyspace MUST reach R soon (with a batch or
    ///   with progress) without another write; one that cannot MUST break.
    /// - When the log goes away it MUST break with `Unavailable`, or go on without a gap once the log is back; it MUST NOT
    ///   stay silent for ever.
    /// - Dropping it MUST free everything it used at the log.
    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail>;

    /// The newest committed position.
    ///
    /// - It MUST be linearizable: it covers every commit acknowledged anywhere before the call.
    async fn head(&self, keyspace: &Keyspace) -> Result<Position>;

    /// The head as it was at most `age` before the call, for who wants to know again and again how far the log is: a log
    /// for which every question is a request can answer all who ask at about the same time with one.
    ///
    /// - It MUST be linearizable, as [`head`](LogClient::head), for the moment the log was asked: it covers every commit
    ///   acknowledged anywhere before that.
    /// - That moment MUST NOT be longer before the call than `age`, nor than what [`RecentHead::age`] says. With an `age` of
    ///   zero it MUST be after the call began.
    /// - It MUST be of the life of the log that is known when it returns.
    /// - Every open tail of the keyspace MUST reach it soon, as after `head`.
    /// - A refusal MUST be one of this very keyspace.
    ///
    /// A log for which a question costs little asks each time, as this does.
    async fn recent_head(&self, keyspace: &Keyspace, _age: Duration) -> Result<RecentHead> {
        let position = self.head(keyspace).await?;
        let age = Duration::ZERO;
        Ok(RecentHead::new(position, age))
    }

    /// What stood at a key when the log stood at `at`: how a node that comes late finds the last good value of a record
    /// that cannot be decoded any more.
    ///
    /// - It MUST be exact: the record a snapshot at that position would have held, or `None`. Where a lease had ended, its
    ///   records are gone.
    /// - It MUST answer for every position a tail can start after: the one that is compacted up to included. For those
    ///   before, it MUST be `Compacted`; in another life of the log, or beyond its head, `EpochChanged`.
    /// - A log that keeps no history ([`Capabilities::history`]) says `Unsupported`, as this does.
    async fn record_at(
        &self,
        _keyspace: &Keyspace,
        _key: &[u8],
        _at: Position,
    ) -> Result<Option<Record>> {
        let name = self.capabilities().name;
        let why = format!("the {name} log cannot tell what stood at a key in the past");
        Err(Error::new(ErrorKind::Unsupported, why))
    }

    /// Why the log could not be reached when it was last tried, if it has not been reached since. Never talks to the log:
    /// it is for a status, while a call is still trying.
    ///
    /// - Once a call was answered, by whatever answer, it MUST be `None` until another one is not.
    /// - A log whose calls try again inside MUST say it while they do. One whose calls fail at once need not, as this does.
    fn last_failure(&self) -> Option<Error> {
        None
    }

    /// How the log is doing, as far as this client knows. Never talks to the log, and answers at once: it may be asked as
    /// often as somebody looks.
    ///
    /// - It MUST have the name of the [`capabilities`](LogClient::capabilities), and the reason of the
    ///   [`last_failure`](LogClient::last_failure).
    /// - An address in it MUST be shown without credentials.
    ///
    /// A log that has nothing else to say leaves it as it is here.
    fn status(&self) -> LogStatus {
        LogStatus::new(self.capabilities().name).failing(self.last_failure().as_ref())
    }

    /// Commits the writes if every precondition holds, and returns the position of this very commit.
    ///
    /// - All writes MUST be seen together, or none; in every keyspace they touch.
    /// - In another life than [`Transaction::epoch`] it MUST write nothing, and MUST be `EpochChanged`.
    /// - A failed precondition MUST write nothing and MUST be a `Conflict` that says what stood there.
    /// - Limits MUST be refused before sending ([`Transaction::check`]). A put of a key that is no text MUST be `Invalid`; a
    ///   delete of one, which another program has put, MUST be carried out.
    /// - A commit whose reply was lost MUST be settled by proof or reported as `Indeterminate`: never as a plain failure,
    ///   never by a blind retry. Once an outcome was reported, a late copy MUST NOT land; one reported as `Indeterminate`
    ///   MUST NOT land after a later commit of this client was acknowledged ([`Capabilities::fenced`]).
    /// - Within [`Transaction::timeout`] it MUST answer: with `Unavailable` when it is certain that no server was given it,
    ///   or that none will carry it out, and with `Indeterminate` only when neither is.
    /// - The position MUST be of the life the commit is in, even if the log was restored before the reply came.
    /// - A transaction that changes nothing MUST NOT be an error; it returns a position at which its preconditions held.
    /// - A put under a lease that is gone MUST fail with `LeaseLost` and write nothing. A log without
    ///   [leases](Capabilities::leases) MUST store the id of a leased put and give it back in [`Record::lease`]; it neither
    ///   knows nor ends leases.
    async fn commit(&self, transaction: Transaction) -> Result<Position>;

    /// Grants a lease of at least `ttl`, and says what was granted.
    ///
    /// - The granted time MUST NOT be shorter than asked; a `ttl` of zero, or over [`Capabilities::max_ttl`], MUST be
    ///   refused with `Invalid`.
    /// - A lease that is not renewed MUST NOT end before its time, and the deletion of its records MUST appear in tails.
    /// - No id MUST ever be granted twice, in whatever life of the log: who once held it could end, or renew, another's.
    /// - Its [`epoch`](Lease::epoch) MUST be the life of the log that granted it.
    async fn grant(&self, ttl: Duration) -> Result<Lease>;

    /// Makes a lease live for its full time again, and says how long that is.
    ///
    /// - The time MUST be what the log granted now, counted from no later than the answer: it may differ from what was
    ///   granted before.
    /// - A lease that is gone MUST be `LeaseLost`, and so MUST one of another life of the log than that which answers, even if
    ///   a restore brought it back.
    /// - A log that cannot be reached MUST be `Unavailable`: an outage is not the end of a lease.
    async fn renew(&self, lease: Lease) -> Result<Lease>;

    /// Ends a lease and deletes its records, in one commit where [`Capabilities::atomic_leases`] says so; elsewhere in
    /// parts, all of which are gone when it returns. A lease that is gone already is no error; one of a former life that a
    /// restore brought back is ended as well.
    async fn revoke(&self, lease: LeaseId) -> Result<()>;
}

#[async_trait]
impl<L: LogClient + ?Sized> LogClient for Arc<L> {
    fn id(&self) -> LogId {
        (**self).id()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        (**self).snapshot(keyspace).await
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        (**self).difference(keyspace, since, known).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        (**self).tail(keyspace, after).await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        (**self).head(keyspace).await
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        (**self).recent_head(keyspace, age).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        (**self).record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        (**self).last_failure()
    }

    fn status(&self) -> LogStatus {
        (**self).status()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        (**self).commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        (**self).grant(ttl).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        (**self).renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        (**self).revoke(lease).await
    }
}

/// The identity of a client: equal for clones of one client, different for any two others.
#[derive(Clone)]
pub struct LogId(Arc<u8>);

impl LogId {
    /// An identity like no other.
    #[must_use]
    pub fn unique() -> LogId {
        LogId(Arc::new(0))
    }
}

impl PartialEq for LogId {
    fn eq(&self, other: &LogId) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LogId {}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({:p})", self.0)
    }
}
