//! Many writes, each of which is made only if exactly what its guard says still stands: those that are refused are left
//! out, and the others go on.
//!
//! Never takes a newer guard: who wants to go on with what was refused looks again.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use globe_log_client::{Conflict, Epoch, Error, ErrorKind, Result};

use crate::entry::key::Key;
use crate::write::attempt::Basis;
use crate::write::bulk::{Gathered, PIPELINE, chunks};
use crate::write::write_set::WriteSet;
use crate::write::writer::Writer;
use crate::write::writes::Writes;

/// What became of guarded writes.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) committed: BTreeSet<Bytes>,
    /// Something else stands there.
    pub(crate) refused: BTreeSet<Bytes>,
    /// Nobody knows, or it could not be tried.
    pub(crate) left: BTreeSet<Bytes>,
    /// Why some are left.
    pub(crate) error: Option<Error>,
}

impl Sorted {
    fn add(&mut self, other: Sorted) {
        self.committed.extend(other.committed);
        self.refused.extend(other.refused);
        self.left.extend(other.left);
        self.error = self.error.take().or(other.error);
    }
}

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Commits each of the writes if its guard holds, in as few transactions as the log's limits allow, several at a time.
    /// The time is for each of them.
    pub(crate) async fn commit_guarded(
        &self,
        bound: Duration,
        life: Epoch,
        writes: Gathered,
    ) -> Sorted {
        let keyspace = self.replica.keyspace();
        let chunks = chunks(keyspace, writes, &self.log.capabilities()).await;
        let commits = chunks
            .into_iter()
            .map(|writes| self.commit_part(bound, life, writes));
        let parts = stream::iter(commits).buffer_unordered(PIPELINE);
        let sorted = Sorted::default();
        parts
            .fold(sorted, |mut sorted, part| {
                sorted.add(part);
                std::future::ready(sorted)
            })
            .await
    }

    /// Commits a part. One that is refused for good is halved, until only what is refused by itself is left.
    async fn commit_part(&self, bound: Duration, life: Epoch, writes: Writes) -> Sorted {
        let mut sorted = Sorted::default();
        let mut parts = vec![writes];
        while let Some(part) = parts.pop() {
            let tried = self.try_part(bound, life, part.clone()).await;
            let is_refused = tried.error.as_ref().is_some_and(is_refusal);
            if part.len() > 1 && is_refused && tried.left.len() == part.len() {
                let mut first = part;
                parts.push(first.split_off_half());
                parts.push(first);
            } else {
                sorted.add(tried);
            }
        }
        sorted
    }

    async fn try_part(&self, bound: Duration, life: Epoch, mut writes: Writes) -> Sorted {
        let mut committer = self.committer(bound);
        let mut sorted = Sorted::default();
        while !writes.is_empty() {
            let life = Some(life);
            let set = WriteSet { life, writes };
            let outcome: Result<_> = self.send(&mut committer, &set, Basis::Exactly).await;
            let error = outcome.err();
            writes = set.writes;
            let keys = || writes.keys().cloned();
            match error.as_ref().map(Error::kind) {
                None | Some(ErrorKind::Behind(_)) => {
                    sorted.committed.extend(keys());
                    break;
                }
                Some(ErrorKind::Conflict(conflict)) if is_of_life(conflict, life) => {
                    let failed = conflict.failed.iter();
                    let before = writes.len();
                    for failed in failed {
                        sorted.refused.extend(writes.remove(failed.key()));
                    }
                    if writes.len() == before {
                        sorted.left.extend(writes.keys().cloned());
                        sorted.error = error;
                        break;
                    }
                }
                Some(_) => {
                    sorted.left.extend(keys());
                    sorted.error = error;
                    break;
                }
            }
        }
        sorted
    }
}

fn is_of_life(conflict: &Conflict, life: Option<Epoch>) -> bool {
    life == Some(conflict.position.epoch)
}

/// Whether it will be refused again, as long as nobody changes something at the log.
pub(crate) fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied
            | ErrorKind::TooLarge { .. }
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
    )
}
