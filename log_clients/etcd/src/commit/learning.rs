//! How much a server takes in one transaction, when it takes less than this client was set to.
//!
//! Never guesses how much: the server is asked, by requests that cannot change anything.

use std::sync::atomic::Ordering;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use globe_log_client::{Capabilities, Error, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::lease::MAX_TTL;
use crate::members::call::Repeat;

/// How much is left of a request for what is not the caller's: one in so many parts.
const PARTS: usize = 6;

impl Cluster {
    /// What was set, or less where a server turned out to take less. Never asks.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::full("etcd");
        capabilities.max_operations = self.limits.operations.load(Ordering::Relaxed);
        let bytes = self.limits.bytes.load(Ordering::Relaxed);
        capabilities.max_transaction_bytes = bytes;
        capabilities.max_value_bytes = bytes / 5 * 4;
        capabilities.max_ttl = MAX_TTL;
        // A put looks through all records of its lease (etcd-io/etcd#15993).
        capabilities.records_per_lease = 512;
        capabilities.fenced = !self.fence.is_forbidden();
        capabilities
    }

    /// What is told of a commit of which nothing was written. If it was too much for the server, that takes less than this
    /// client was set to: how much is found out, remembered, and told.
    pub(crate) async fn refusal(
        &self,
        transaction: &Transaction,
        fault: Fault,
        deadline: Instant,
    ) -> Error {
        let counts = (
            transaction.writes().len(),
            transaction.preconditions().len(),
        );
        let (flag, given) = match fault.class {
            Class::TooManyOperations => ("--max-txn-ops", counts.0.max(counts.1)),
            Class::TooManyBytes => ("--max-request-bytes", transaction.bytes()),
            Class::TooLargeToDecode => {
                return unreadable(&fault, self.endpoints.settings.max_message_bytes);
            }
            _ => return fault.into_error(),
        };
        if let Ok(_turn) = timeout_at(deadline, self.limits.turn.lock()).await
            && transaction.check(&self.capabilities()).is_ok()
        {
            self.learn(transaction, fault.class, given, deadline).await;
        }
        let known = transaction.check(&self.capabilities()).err();
        let refused = || Error::too_large(given.saturating_sub(1), given, "the transaction");
        known
            .unwrap_or_else(refused)
            .while_doing(format_args!("the server's {flag} is exceeded"))
            .with_source(fault.into_error())
    }

    /// Finds out how much the server takes, and remembers it: by halving between what is taken for sure and what was
    /// refused.
    async fn learn(
        &self,
        transaction: &Transaction,
        class: Class,
        given: usize,
        deadline: Instant,
    ) {
        let written = transaction.writes().iter().map(|one| (&one.0, &one.1));
        let compared = transaction
            .preconditions()
            .iter()
            .map(|one| (&one.0, &one.1));
        let Some((keyspace, key)) = written.chain(compared).next() else {
            return;
        };
        let key = self.keys.record(keyspace, key);
        let (limit, learned) = if class == Class::TooManyOperations {
            let learned = self.most_operations(&key, given, deadline).await;
            (&self.limits.operations, learned)
        } else {
            let learned = self.most_bytes(&key, given, deadline).await;
            (&self.limits.bytes, learned)
        };
        // So many were refused, whatever else is taken.
        let learned = learned.min(given.saturating_sub(1)).max(1);
        if limit.fetch_min(learned, Ordering::Relaxed) > learned {
            tracing::info!(
                ?class,
                given,
                learned,
                "the etcd server takes less than that"
            );
        }
    }

    /// How many operations it takes beside the fence's.
    async fn most_operations(&self, key: &[u8], refused: usize, deadline: Instant) -> usize {
        let compares = |count| {
            let compare = Compare::version(key, CompareOp::Greater, -1);
            Txn::new().when(vec![compare; count])
        };
        let span = Span {
            taken: 1,
            refused: refused + 1,
            parts: usize::MAX,
        };
        let class = Class::TooManyOperations;
        let taken = self.most(span, class, compares, deadline).await;
        taken.saturating_sub(1)
    }

    /// How many bytes of the caller's it takes beside what is sent with them.
    async fn most_bytes(&self, key: &[u8], refused: usize, deadline: Instant) -> usize {
        // Only what may write is held to the limit. This would, if a key could have a version below zero.
        let put = |size| {
            let never = Compare::version(key, CompareOp::Less, 0);
            let put = TxnOp::put(key, vec![0; size], None);
            Txn::new().when([never]).and_then([put])
        };
        let span = Span {
            taken: 0,
            refused: refused + refused / (PARTS - 1),
            parts: 16,
        };
        let class = Class::TooManyBytes;
        let taken = self.most(span, class, put, deadline).await;
        taken / PARTS * (PARTS - 1)
    }

    /// The most the server takes of something, as far as it can be found out in time.
    async fn most(
        &self,
        mut span: Span,
        class: Class,
        question: impl Fn(usize) -> Txn,
        deadline: Instant,
    ) -> usize {
        while let Some(middle) = span.middle() {
            match self
                .send(Repeat::Harmless, question(middle), deadline)
                .await
            {
                Ok(_) => span.taken = middle,
                Err(fault) if fault.class == class => span.refused = middle,
                // As good a guess as any.
                Err(_) => return span.taken.max(span.refused / 2),
            }
        }
        span.taken
    }
}

/// What stands where its preconditions fail is more than this client accepts, even without the values.
fn unreadable(fault: &Fault, limit: usize) -> Error {
    let text = fault.to_string();
    let told = text.split_once("found ").map(|(_, rest)| rest);
    let told = told.and_then(|rest| rest.split(' ').next()?.parse().ok());
    let actual = told.unwrap_or(limit + 1);
    Error::too_large(limit, actual, format!("the answer to a commit: {text}"))
}

/// Between what is taken and what is refused.
#[derive(Clone, Copy, Debug)]
struct Span {
    taken: usize,
    refused: usize,
    /// It is known well enough to one in so many parts of what is taken.
    parts: usize,
}

impl Span {
    /// What to ask for next; nothing once it is known well enough.
    fn middle(&self) -> Option<usize> {
        let gap = self.refused.saturating_sub(self.taken);
        let enough = (self.taken / self.parts).max(1);
        (gap > enough).then(|| self.taken + gap / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mut span: Span, limit: usize) -> (usize, u32) {
        let mut asked = 0;
        while let Some(middle) = span.middle() {
            asked += 1;
            if middle <= limit {
                span.taken = middle;
            } else {
                span.refused = middle;
            }
        }
        (span.taken, asked)
    }

    #[test]
    fn a_number_is_found_exactly_and_a_size_closely_by_few_questions() {
        for limit in [1, 2, 16, 63, 64, 100, 127] {
            let span = Span {
                taken: 1,
                refused: 128,
                parts: usize::MAX,
            };
            let (taken, asked) = found(span, limit);
            assert_eq!(taken, limit);
            assert!(asked <= 7, "{asked} questions");
        }
        for limit in [1000, 100_000, 524_288, 1_572_000] {
            let span = Span {
                taken: 0,
                refused: 1_572_864,
                parts: 16,
            };
            let (taken, asked) = found(span, limit);
            assert!(taken <= limit && taken >= limit - limit / 16, "{taken}");
            assert!(asked <= 16, "{asked} questions");
        }
    }
}
