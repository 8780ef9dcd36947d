//! Commits of several callers that can be one transaction: they touch no key in common, and fit into what the log takes.
//!
//! Never sends anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Bytes, Capabilities, Conflict, Error, Keyspace, Transaction, Write};

use crate::fence::joint::Joint;
use crate::queue::waiting::{Answer, Waiting};

/// How far from each other the deadlines may be of what is combined: it is all sent with the first of them.
const NEAR: Duration = Duration::from_millis(250);

/// What a transaction may take up to be sent with others, in bytes: a large one would hold them up.
const SMALL: usize = 16 * 1024;

/// Whether it may be sent together with others: one write without a lease, guarded by its own key alone. So what is counted
/// in revisions, such as who of several came first, is never written by two callers at once.
pub(crate) fn is_plain(transaction: &Transaction) -> bool {
    let [(keyspace, key, write)] = transaction.writes() else {
        return false;
    };
    let mut guards = transaction.preconditions().iter();
    let is_leased = matches!(write, Write::Put { lease: Some(_), .. });
    !is_leased
        && guards.all(|(guarded, guard, _)| (guarded, guard) == (keyspace, key))
        && transaction.bytes() <= SMALL
}

/// What is to be sent together.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<Waiting>,
    keys: HashSet<(Keyspace, Bytes)>,
    bytes: usize,
}

impl Group {
    /// Adds one, unless it cannot be one transaction with those that are there: then it is given back.
    pub(crate) fn add(&mut self, waiting: Waiting, capabilities: &Capabilities) -> Option<Waiting> {
        let key = key(&waiting.transaction);
        let bytes = waiting.transaction.bytes();
        let is_full = self.members.len() >= capabilities.max_operations
            || self.bytes + bytes > capabilities.max_transaction_bytes;
        let is_near = |first: &Waiting| {
            let (one, other) = (waiting.deadline, first.deadline);
            let is_near = one.max(other).duration_since(one.min(other)) <= NEAR;
            is_near && waiting.transaction.epoch() == first.transaction.epoch()
        };
        let Some(key) = key.filter(|key| !is_full && !self.keys.contains(key)) else {
            return Some(waiting);
        };
        if !self.members.first().is_none_or(is_near) {
            return Some(waiting);
        }
        self.keys.insert(key);
        self.bytes += bytes;
        self.members.push(waiting);
        None
    }

    pub(crate) fn into_members(self) -> Vec<Waiting> {
        self.members
    }
}

fn key(transaction: &Transaction) -> Option<(Keyspace, Bytes)> {
    let (keyspace, key, _) = transaction.writes().first()?;
    Some((keyspace.clone(), key.clone()))
}

/// Leaves out who has gone, and says that the others are on their way.
pub(crate) fn send(group: &mut Vec<Waiting>, joint: &Arc<Joint>) {
    group.retain(|waiting| waiting.seat.send(joint));
}

/// All of it as one transaction.
pub(crate) fn together(group: &[Waiting]) -> Transaction {
    let epoch = group
        .first()
        .and_then(|waiting| waiting.transaction.epoch());
    let mut all = Transaction::with_capacity(group.len()).within(epoch);
    for Waiting { transaction, .. } in group {
        for (keyspace, key, precondition) in transaction.preconditions() {
            all = all.when(keyspace, key.clone(), *precondition);
        }
        for (keyspace, key, write) in transaction.writes() {
            all = all.write(keyspace, key.clone(), write.clone());
        }
    }
    all
}

/// Tells those whose keys a conflict names, each only its own; how many they are.
pub(crate) fn answer_refused(group: &mut Vec<Waiting>, conflict: &Conflict) -> usize {
    let before = group.len();
    for waiting in std::mem::take(group) {
        let is_its_own = |keyspace: &Keyspace, key: &[u8]| {
            let mut writes = waiting.transaction.writes().iter();
            writes.any(|(written, name, _)| written == keyspace && *name == key)
        };
        let failed = conflict.failed.iter();
        let own = failed.filter(|failed| is_its_own(failed.keyspace(), failed.key()));
        match own.cloned().collect::<Vec<_>>() {
            own if own.is_empty() => group.push(waiting),
            own => {
                let conflict = Conflict::new(conflict.position, own);
                waiting.answer(Answer::Told(Err(Error::conflict(conflict))));
            }
        }
    }
    before - group.len()
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, LeaseId, Precondition};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;
    use crate::queue::waiting::{Seat, Sender, Turn};

    struct Nobody;

    impl Sender for Nobody {
        fn capabilities(&self) -> Capabilities {
            Capabilities::full("nobody")
        }

        fn send(self: Arc<Self>, _: Vec<Waiting>, _: Turn) {}
    }

    fn flags() -> Keyspace {
        Keyspace::new("flags").unwrap()
    }

    fn put(key: &str) -> Transaction {
        Transaction::new().put(&flags(), key.to_owned(), "1")
    }

    fn waiting(transaction: Transaction, deadline: Instant) -> Waiting {
        Waiting {
            transaction,
            deadline,
            seat: Arc::new(Seat::new()),
            answer: oneshot::channel().0,
            sender: Arc::new(Nobody),
        }
    }

    #[test]
    fn what_cannot_be_one_transaction_with_the_others_is_given_back() {
        let now = Instant::now();
        let mut capabilities = Capabilities::full("etcd");
        capabilities.max_operations = 4;
        capabilities.max_transaction_bytes = 2_000;
        let mut group = Group::default();
        let elsewhere = Keyspace::new("elsewhere").unwrap();
        let table = [
            (put("a"), now, true),
            (put("a"), now, false),
            (Transaction::new().put(&elsewhere, "a", "1"), now, true),
            (Transaction::new().delete(&flags(), "a"), now, false),
            (put("late"), now + NEAR * 2, false),
            (put("early"), now - NEAR * 2, false),
            (put("near"), now + NEAR / 2, true),
            (put("another life").within(Epoch::new(1)), now, false),
            (put(&"x".repeat(2_000)), now, false),
            (put("the last"), now, true),
            (put("one more"), now, false),
        ];
        for (transaction, deadline, is_added) in table {
            let what = format!("{transaction:?}");
            let given_back = group.add(waiting(transaction, deadline), &capabilities);
            assert_eq!(given_back.is_none(), is_added, "{what}");
        }
        let members = group.into_members();
        assert_eq!(together(&members).writes().len(), 4);
    }

    #[test]
    fn only_one_write_that_its_own_key_guards_is_sent_with_others() {
        let flags = flags();
        let leased = Transaction::new().put_leased(&flags, "a", "1", LeaseId::new(7));
        let table = [
            (put("a"), true),
            (put("a").when(&flags, "a", Precondition::Absent), true),
            (put("a").when(&flags, "b", Precondition::Absent), false),
            (put("a").put(&flags, "b", "1"), false),
            (Transaction::new().delete(&flags, "a"), true),
            (leased, false),
            (put(&"x".repeat(SMALL)), false),
            (Transaction::new(), false),
        ];
        for (transaction, expected) in table {
            assert_eq!(is_plain(&transaction), expected, "{transaction:?}");
        }
    }
}
