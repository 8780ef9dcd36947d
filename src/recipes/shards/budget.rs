//! How much goes into one transaction of a table: what the log takes, and not so much that others wait for it.
//!
//! Never splits one row: what is too large alone is tried alone.

use crate::Capabilities;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::row::Row;

/// The most that is written at once, far below what logs take: whoever writes beside it waits for no more.
const BYTES: usize = 30 * 1024;
/// About what a row takes beside its value: its key, twice, and the names of what stands there.
const ROW: usize = 96;
/// About what a guard takes beside the name it is about.
const GUARD: usize = 48;

/// What may still go into one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    operations: usize,
    bytes: usize,
}

impl Budget {
    /// What a log takes in one, but for so many guards.
    pub(crate) fn of(log: &Capabilities, guards: usize) -> Budget {
        Budget {
            operations: log.max_operations.saturating_sub(guards),
            bytes: log.max_transaction_bytes.min(BYTES),
        }
    }

    /// Takes as much of it, if there is as much.
    pub(crate) fn take(&mut self, operations: usize, bytes: usize) -> bool {
        let left = self.operations.checked_sub(operations);
        let Some((operations, bytes)) = left.zip(self.bytes.checked_sub(bytes)) else {
            return false;
        };
        (self.operations, self.bytes) = (operations, bytes);
        true
    }
}

/// How much a write of a row takes, where somebody else comes to stand in it.
pub(crate) fn bytes_of(row: Option<&Row>, besides: Option<&Incarnation>) -> usize {
    let row = row.and_then(|row| serde_json::to_vec(row).ok());
    let besides = besides.map_or(0, |besides| besides.to_string().len());
    // It may stand there twice for a while: in the place of the next one, and of the owner.
    ROW + row.map_or(0, |row| row.len()) + 2 * besides
}

/// How much a guard of a member's record takes.
pub(crate) fn bytes_of_guard(member: &str) -> usize {
    GUARD + member.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_not_there_any_more() {
        let log = Capabilities::full("a log");
        let mut budget = Budget::of(&log, log.max_operations - 2);
        assert!(budget.take(1, BYTES - 10));
        assert!(!budget.take(1, 11) && !budget.take(2, 1));
        assert!(budget.take(1, 10));
        assert!(!budget.take(1, 0) && !budget.take(0, 1));
    }
}
