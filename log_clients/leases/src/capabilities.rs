//! What a log can do once it has leases, by what it can do without.
//!
//! Never promises more than the log inside keeps, but for the leases.

use globe_log_client::Capabilities;

use crate::lease_record::ROOM;

/// Whose leases a log around a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leased {
    /// Those of this crate.
    Ours,
    /// Those of the log inside.
    ItsOwn,
    /// None: the log inside cannot write a lease and what hangs on it in one commit.
    Nobodys,
}

impl Leased {
    pub(crate) fn of(inner: &Capabilities) -> Leased {
        // The end of a lease is two writes.
        let has_room = inner.max_operations >= 2 && inner.max_transaction_bytes > 2 * ROOM;
        match (inner.leases, inner.spans_keyspaces && has_room) {
            (true, _) => Leased::ItsOwn,
            (false, true) => Leased::Ours,
            (false, false) => Leased::Nobodys,
        }
    }
}

/// The log inside, with leases if it can be given any. Room is kept for what guards a put under one lease.
pub(crate) fn with_leases(mut inner: Capabilities) -> Capabilities {
    if Leased::of(&inner) != Leased::Ours {
        return inner;
    }
    inner.leases = true;
    inner.atomic_leases = false;
    inner.records_per_lease = usize::MAX;
    inner.max_ttl = Capabilities::full(inner.name).max_ttl;
    inner.max_operations -= 1;
    inner.max_transaction_bytes -= ROOM;
    inner.max_value_bytes = inner.max_value_bytes.min(inner.max_transaction_bytes);
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without() -> Capabilities {
        let mut capabilities = Capabilities::full("test");
        capabilities.leases = false;
        capabilities
    }

    #[test]
    fn a_log_that_cannot_write_both_in_one_commit_gets_no_leases() {
        let mut one_keyspace = without();
        one_keyspace.spans_keyspaces = false;
        let mut one_operation = without();
        one_operation.max_operations = 1;
        let mut few_bytes = without();
        few_bytes.max_transaction_bytes = ROOM;
        for less in [one_keyspace, one_operation, few_bytes] {
            assert_eq!(Leased::of(&less), Leased::Nobodys);
            assert_eq!(with_leases(less.clone()), less);
        }
    }

    #[test]
    fn a_log_that_has_leases_keeps_its_own() {
        let full = Capabilities::full("test");
        assert_eq!(Leased::of(&full), Leased::ItsOwn);
        assert_eq!(with_leases(full.clone()), full);
    }
}
