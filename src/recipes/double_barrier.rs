//! A barrier that so many enter together and leave together.
//!
//! Never tells one that it is in and another of the same round that it is not: who is in is one record, written once.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::recipes::claim::{Claim, Claims, Mode};
use crate::recipes::name::escaped;
use crate::recipes::order::queue;
use crate::session::claims::{Claimed, not_held};
use crate::{Error, ErrorKind, Result, Session, SessionState, View};

/// The most that can enter together: their claims, and the list of them, are compared in one transaction.
const MOST: usize = 126;

/// How long it waits before it tries to leave once more.
const AGAIN: Duration = Duration::from_millis(20);

/// A barrier of a name, which so many enter together, and leave together. Those who come are claims `double/{name}/…`; as
/// soon as there are enough, the first of them are written down in the record `double/{name}`: they are in, and who came
/// later waits for the next round. One who dies has left.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// # use globe::{Claims, DoubleBarrier, Globe, MemoryLog, Session};
/// # let log = MemoryLog::new();
/// # let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// # let session = Session::open(log).await?;
/// let training = DoubleBarrier::new(&claims, &session, "training", 2)?;
/// let bound = Duration::from_secs(30);
/// let (one, two) = tokio::join!(training.enter(bound), training.enter(bound));
/// let (one, two) = (one?, two?);
/// // Both are in, and work.
/// let (one, two) = tokio::join!(one.leave(bound), two.leave(bound));
/// # one?; two?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DoubleBarrier {
    claims: Claims,
    session: Session,
    /// `double/training`: where those who are in are written down.
    root: String,
    count: usize,
}

/// One who is in. Dropping it leaves, without waiting for the others.
#[derive(Debug)]
#[must_use = "dropping it leaves"]
pub struct Entered {
    barrier: DoubleBarrier,
    claimed: Claimed,
}

impl DoubleBarrier {
    /// The barrier of a name, which so many enter together: 1 to 126. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key; for none, or too many; and for claims and
    /// a session that are not on one log.
    pub fn new(
        claims: &Claims,
        session: &Session,
        name: &str,
        count: usize,
    ) -> Result<DoubleBarrier> {
        let root = format!("double/{}", escaped("double barrier", name)?);
        if !(1..=MOST).contains(&count) {
            let why = format!("{root}: {count} enter together; from 1 to {MOST} can");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        if claims.log().id() != session.log().id() {
            let why = format!("{root} and its session are on different logs");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        Ok(DoubleBarrier {
            claims: claims.clone(),
            session: session.clone(),
            root,
            count,
        })
    }

    /// Waits until so many have come that it is in, and for so long at most. Who is told that it is not in is in no list, so
    /// all of a round agree: for that it may take longer than the bound while the log is away.
    ///
    /// Cancel safe: one that was dropped does not come, or leaves.
    ///
    /// # Errors
    /// `Busy` when not enough came in time; `Unavailable` when there was no live session until then; `NotHeld` when it was in,
    /// or may have been, and lost its session before it could be told; otherwise as every write.
    pub async fn enter(&self, wait: Duration) -> Result<Entered> {
        let deadline = Instant::now() + wait;
        loop {
            let claimed = timeout_at(deadline, self.come()).await;
            let claimed = claimed.unwrap_or_else(|_| Err(self.unavailable()))?;
            let entered = timeout_at(deadline, self.entered(&claimed)).await;
            match entered {
                Ok(Ok(true)) => {
                    let barrier = self.clone();
                    return Ok(Entered { barrier, claimed });
                }
                // Its claim was lost, and it is in no list: it comes anew.
                Ok(Ok(false)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) if self.gives_up(&claimed).await? => {
                    let why = format!("{}: fewer than {} came in time", self.root, self.count);
                    return Err(Error::new(ErrorKind::Busy, why));
                }
                // It was in, and is not any more.
                Err(_) if matches!(claimed.state(), SessionState::Lost(_)) => {
                    return Err(not_held(claimed.text()));
                }
                Err(_) => {
                    let barrier = self.clone();
                    return Ok(Entered { barrier, claimed });
                }
            }
        }
    }

    async fn come(&self) -> Result<Claimed> {
        self.session.may_grant(&self.claims).await?;
        let key = format!("{}/{}", self.root, self.session.next_claim());
        let name = self.session.name();
        let claim = Claim::new(name, Mode::Write, 1, serde_json::Value::Null);
        self.session.claim(&self.claims, key, claim).await
    }

    /// Waits until it is in; false when its claim is lost, and it never was.
    async fn entered(&self, claimed: &Claimed) -> Result<bool> {
        let mut watch = self.claims.watch_prefix(self.root.as_str());
        let key = claimed.key();
        loop {
            let session = self.session.state();
            let view = self.claims.view();
            let is_lost = matches!(claimed.state(), SessionState::Lost(_));
            match (inside(&view, &self.root), is_lost) {
                (_, true) if self.was_in(&key).await? => return Err(not_held(key.as_bytes())),
                (_, true) => return Ok(false),
                (Some(list), false) if list.contains(&key) => return Ok(true),
                (Some(list), false) => self.clear(&view, &list).await?,
                (None, false) => self.begin(&view).await?,
            }
            tokio::select! {
                changes = watch.next() => if changes.is_none() {
                    self.claims.sync().await?;
                },
                _ = self.session.changed(session) => {}
            }
        }
    }

    /// Whether a key of a session that was lost is in the list. The session may know of its loss before the map shows what
    /// others have done since, so the log is asked.
    async fn was_in(&self, key: &String) -> Result<bool> {
        loop {
            match self.claims.sync().await {
                Ok(_) => {
                    let list = inside(&self.claims.view(), &self.root);
                    return Ok(list.is_some_and(|list| list.contains(key)));
                }
                Err(error) if is_passing(&error) => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes down who is in, if enough have come: all of them stand, and nobody else has.
    async fn begin(&self, view: &View<String, Claim>) -> Result<()> {
        let prefix = format!("{}/", self.root);
        let Some(places) = queue(view, &prefix) else {
            return Ok(());
        };
        if places.len() < self.count || !self.session.grants(&self.claims) {
            return Ok(());
        }
        let first = places.iter().take(self.count);
        let first: Vec<&str> = first.map(|place| place.key.as_str()).collect();
        let begun = self.claims.transact(|txn| {
            if txn.contains_key(&self.claims, self.root.as_str())? {
                return Ok(());
            }
            for key in &first {
                if !txn.contains_key(&self.claims, *key)? {
                    return Ok(());
                }
            }
            let list = Claim::note(self.session.name(), json!({ "inside": &first }));
            txn.put(&self.claims, self.root.as_str(), list)
        });
        passing(begun.await)
    }

    /// Ends a round whose last one has left.
    async fn clear(&self, view: &View<String, Claim>, list: &[String]) -> Result<()> {
        if list.iter().any(|key| view.contains_key(key.as_str())) {
            return Ok(());
        }
        let cleared = self.claims.transact(|txn| {
            let stands = txn.get(&self.claims, self.root.as_str())?;
            if stands.is_some_and(|record| listed(&record).as_deref() == Some(list)) {
                txn.delete(&self.claims, self.root.as_str())?;
            }
            Ok(())
        });
        passing(cleared.await)
    }

    /// Takes its claim back, unless it is in a list: whether it did. Tries until one of the two is certain. Of a claim that
    /// does not stand any more it never is: it may have been in a list that is gone as well.
    async fn gives_up(&self, claimed: &Claimed) -> Result<bool> {
        let key = claimed.key();
        loop {
            let given_up = self.claims.transact(|txn| {
                let record = txn.get(&self.claims, self.root.as_str())?;
                let list = record.and_then(|record| listed(&record));
                if list.is_some_and(|list| list.contains(&key)) {
                    return Ok(false);
                }
                if !txn.contains_key(&self.claims, key.as_str())? {
                    return Err(not_held(key.as_bytes()));
                }
                txn.delete(&self.claims, key.as_str())?;
                Ok(true)
            });
            match given_up.await {
                Ok(given_up) => return Ok(given_up.into_value()),
                Err(error) if is_passing(&error) => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }

    fn unavailable(&self) -> Error {
        let why = format!(
            "{} was not entered in time: its session is not live",
            self.root
        );
        Error::new(ErrorKind::Unavailable, why)
    }
}

impl Entered {
    /// Leaves, and waits until all of the round have, for so long at most.
    ///
    /// # Errors
    /// `Busy` when others are still inside then: this one has left. Otherwise as every write.
    pub async fn leave(self, wait: Duration) -> Result<()> {
        let (barrier, key) = (&self.barrier, self.claimed.key());
        let left = self.claimed.release(barrier.claims.deadline()?).await;
        if let Err(error) = left
            && *error.kind() != ErrorKind::NotHeld
        {
            return Err(error);
        }
        let over = timeout_at(Instant::now() + wait, barrier.over(&key)).await;
        over.unwrap_or_else(|_| {
            let why = format!("{}: others are still inside", barrier.root);
            Err(Error::new(ErrorKind::Busy, why))
        })
    }
}

impl DoubleBarrier {
    /// Waits until the round of a key is over.
    async fn over(&self, key: &String) -> Result<()> {
        let mut watch = self.claims.watch_prefix(self.root.as_str());
        loop {
            let view = self.claims.view();
            match inside(&view, &self.root) {
                Some(list) if list.contains(key) => self.clear(&view, &list).await?,
                _ => return Ok(()),
            }
            if watch.next().await.is_none() {
                return Err(Error::new(
                    ErrorKind::Closed,
                    "the map of the barrier has ended",
                ));
            }
        }
    }
}

/// Who is in, if anybody is.
fn inside(view: &View<String, Claim>, root: &str) -> Option<Vec<String>> {
    listed(&*view.get(root)?)
}

fn listed(record: &Claim) -> Option<Vec<String>> {
    let list = record.value.get("inside")?.as_array()?;
    let keys = list.iter().filter_map(|key| key.as_str());
    Some(keys.map(str::to_owned).collect())
}

/// Whether somebody else, or a later look, may do better.
fn is_passing(error: &Error) -> bool {
    error.can_retry_now()
        || error.can_retry_later()
        || matches!(
            error.kind(),
            ErrorKind::Indeterminate | ErrorKind::Behind(_) | ErrorKind::EpochChanged
        )
}

/// What one could not do the next change, or another, will bring about.
fn passing<T>(outcome: Result<T>) -> Result<()> {
    match outcome {
        Err(error) if !is_passing(&error) => Err(error),
        _ => Ok(()),
    }
}
