//! What is under way to the log or to a resource, for however long.
//!
//! Never changes on its way: what a sender has learnt since does not reach it.

use crate::lock::client::Made;
use crate::lock::log::Lease;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Commit {
    /// If the key is absent and the lease alive, in that life of the log: the claim.
    Create {
        client: u8,
        attempt: u8,
        number: u8,
        reads: bool,
        lease: u8,
        epoch: u8,
        /// Its sender was answered before.
        is_copy: bool,
    },
    /// If the claim was created by that commit, in that life: nothing. Of a release.
    Delete {
        client: u8,
        number: u8,
        created: u8,
        epoch: u8,
    },
    /// If the claim was created by that commit, in that life: whatever is written under it.
    Required { client: u8, made: Made },
    /// To a resource elsewhere, with the token of a claim.
    Write { client: u8, made: Made },
}

impl Commit {
    pub(crate) fn client(&mut self) -> &mut u8 {
        match self {
            Commit::Create { client, .. }
            | Commit::Delete { client, .. }
            | Commit::Required { client, .. }
            | Commit::Write { client, .. } => client,
        }
    }

    /// What is created by it is under this lease.
    pub(crate) fn lease(&self) -> Option<Lease> {
        match *self {
            Commit::Create { client, lease, .. } => Some((client, lease)),
            _ => None,
        }
    }

    /// What is left of it on the way when it has arrived and comes again.
    pub(crate) fn again(self) -> Commit {
        match self {
            Commit::Create {
                client,
                attempt,
                number,
                reads,
                lease,
                epoch,
                ..
            } => Commit::Create {
                client,
                attempt,
                number,
                reads,
                lease,
                epoch,
                is_copy: true,
            },
            other => other,
        }
    }
}
