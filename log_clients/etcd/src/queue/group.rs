//! Commits of several callers that can be one transaction: none touches what another writes, and all fit into what the log takes.
//!
//! Never sends anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Bytes, Capabilities, Conflict, Error, Keyspace, Precondition, Transaction, Write,
};

use crate::fence::joint::Joint;
use crate::queue::footprint::Footprint;
use crate::queue::waiting::{Answer, Waiting};

/// How far from each other the deadlines may be of what is combined: it is all sent with the first of them.
const NEAR: Duration = Duration::from_millis(250);

/// What a transaction may take up to be sent with others, in bytes: a large one would hold them up.
const SMALL: usize = 16 * 1024;

/// How many writes it may have for that, and how many guards.
const FEW: usize = 16;

/// Whether it may be sent together with others: it is small, has no lease, and no key is guarded twice. So what is counted
/// in revisions, such as who of several came first, is never written by two callers at once.
pub(crate) fn is_plain(transaction: &Transaction) -> bool {
    let mut writes = transaction.writes().iter();
    let guards = transaction.preconditions();
    let is_leased = |write: &Write| matches!(write, Write::Put { lease: Some(_), .. });
    (1..=FEW).contains(&transaction.writes().len())
        && guards.len() <= FEW
        && !writes.any(|(_, _, write)| is_leased(write))
        && !guards_twice(guards)
        && transaction.bytes() <= SMALL
}

/// Whether a key is among them twice. They are few, and every put is looked at: nothing is allocated for that.
fn guards_twice(guards: &[(Keyspace, Bytes, Precondition)]) -> bool {
    let mut rest = guards;
    while let [first, others @ ..] = rest {
        if others
            .iter()
            .any(|other| (&other.0, &other.1) == (&first.0, &first.1))
        {
            return true;
        }
        rest = others;
    }
    false
}

/// What is to be sent together.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<Waiting>,
    footprint: Footprint,
}

impl Group {
    /// Adds one, unless it cannot be one transaction with those that are there: then it is given back.
    pub(crate) fn add(&mut self, waiting: Waiting, capabilities: &Capabilities) -> Option<Waiting> {
        let transaction = &waiting.transaction;
        let is_near = |first: &Waiting| {
            let (one, other) = (waiting.deadline, first.deadline);
            let is_near = one.max(other).duration_since(one.min(other)) <= NEAR;
            is_near && transaction.epoch() == first.transaction.epoch()
        };
        let joins = |first: &Waiting| {
            is_near(first)
                && self.footprint.is_apart_from(transaction)
                && self.footprint.fits_with(transaction, capabilities)
        };
        if !self.members.first().is_none_or(joins) {
            return Some(waiting);
        }
        self.footprint.add(transaction);
        self.members.push(waiting);
        None
    }

    pub(crate) fn into_members(self) -> Vec<Waiting> {
        self.members
    }
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
    let mut guarded = HashSet::new();
    for Waiting { transaction, .. } in group {
        for (keyspace, key, precondition) in transaction.preconditions() {
            // What guards several does so in the same way.
            if guarded.insert((keyspace, key)) {
                all = all.when(keyspace, key.clone(), *precondition);
            }
        }
        for (keyspace, key, write) in transaction.writes() {
            all = all.write(keyspace, key.clone(), write.clone());
        }
    }
    all
}

/// Tells those whose guards a conflict names, each only its own; how many they are.
pub(crate) fn answer_refused(group: &mut Vec<Waiting>, conflict: &Conflict) -> usize {
    let before = group.len();
    for waiting in std::mem::take(group) {
        let is_its_own = |keyspace: &Keyspace, key: &[u8]| {
            let mut guards = waiting.transaction.preconditions().iter();
            guards.any(|(guarded, name, _)| guarded == keyspace && *name == key)
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
    use globe_log_client::{Epoch, LeaseId};
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
    fn only_what_is_small_and_without_a_lease_is_sent_with_others() {
        let flags = flags();
        let leased = put("b").put_leased(&flags, "a", "1", LeaseId::new(7));
        let guarded = |transaction: Transaction, key: usize| {
            transaction.when(&flags, key.to_string(), Precondition::Absent)
        };
        let written =
            |transaction: Transaction, key: usize| transaction.put(&flags, key.to_string(), "1");
        let many = |writes, guards| {
            let all = (0..writes).fold(Transaction::new(), written);
            (0..guards).fold(all, guarded)
        };
        let twice = |guard| guarded(put("a"), 1).when(&flags, "1", guard);
        let table = [
            (put("a"), true),
            (put("a").when(&flags, "a", Precondition::Absent), true),
            (put("a").when(&flags, "b", Precondition::Absent), true),
            (put("a").put(&flags, "b", "1"), true),
            (twice(Precondition::Present), false),
            (Transaction::new().delete(&flags, "a"), true),
            (leased, false),
            (many(FEW, 1), true),
            (many(FEW + 1, 1), false),
            (many(1, FEW), true),
            (many(1, FEW + 1), false),
            (put(&"x".repeat(SMALL)), false),
            (Transaction::new(), false),
        ];
        for (transaction, expected) in table {
            assert_eq!(is_plain(&transaction), expected, "{transaction:?}");
        }
    }
}
