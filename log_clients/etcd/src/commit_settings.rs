//! The settings of commits: how much one may hold, and how many may be under way.
//!
//! Never talks to a server.

use std::ops::RangeInclusive;
use std::time::Duration;

use globe_log_client::Result;

use crate::builder::{EtcdBuilder, invalid};
use crate::writer::Terms;

const OPERATIONS: RangeInclusive<usize> = 1..=100_000;
const BYTES: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;
const SLOTS: RangeInclusive<usize> = 1..=1024;
const TTL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60 * 60);

/// What commits are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitSettings {
    pub(crate) max_operations: usize,
    pub(crate) max_transaction_bytes: usize,
    pub(crate) fence: Terms,
}

impl Default for CommitSettings {
    fn default() -> CommitSettings {
        CommitSettings {
            // etcd takes 128 unless it is told otherwise. One of them is the fence's.
            max_operations: 127,
            // etcd takes requests of 1.5 MiB unless it is told otherwise. A sixth is left for what is sent twice
            // (preconditioned keys are also read), for the namespace, and for the encoding.
            max_transaction_bytes: 1_310_720,
            fence: Terms {
                slots: 64,
                ttl: Duration::from_secs(60),
            },
        }
    }
}

impl CommitSettings {
    /// Names the setting that is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        let numbers = [
            ("max_operations", self.max_operations, OPERATIONS),
            ("max_transaction_bytes", self.max_transaction_bytes, BYTES),
            ("fence_slots", self.fence.slots, SLOTS),
        ];
        for (name, number, allowed) in numbers {
            if !allowed.contains(&number) {
                let (least, most) = allowed.into_inner();
                let what = format!("{name} is {number}; it must be {least} to {most}");
                return Err(invalid(what));
            }
        }
        let ttl = self.fence.ttl;
        if !TTL.contains(&ttl) {
            let (least, most) = TTL.into_inner();
            let what = format!("fence_ttl is {ttl:?}; it must be {least:?} to {most:?}");
            return Err(invalid(what));
        }
        Ok(())
    }
}

impl EtcdBuilder {
    /// The most writes, and also the most preconditions, in one transaction. Default: 127; 1 to 100,000. etcd takes 128
    /// operations unless it is started with another `--max-txn-ops`, and one is needed for the fence. A server that takes
    /// fewer is found out by the first transaction it refuses.
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> EtcdBuilder {
        self.settings.commits.max_operations = operations;
        self
    }

    /// The most bytes of keys and values in one transaction; one value may have four fifths of it. Default: 1,310,720;
    /// 1,024 to 1 GiB. That is five sixths of what etcd takes in one request unless it is started with another
    /// `--max-request-bytes`: the rest is left for the encoding. A server that takes less is found out by the first
    /// transaction it refuses.
    #[must_use]
    pub fn max_transaction_bytes(mut self, bytes: usize) -> EtcdBuilder {
        self.settings.commits.max_transaction_bytes = bytes;
        self
    }

    /// How many commits of this client may be under way at once; more wait. Default: 64; 1 to 1,024. Each takes a small
    /// record in etcd once it is used.
    #[must_use]
    pub fn fence_slots(mut self, slots: usize) -> EtcdBuilder {
        self.settings.commits.fence.slots = slots;
        self
    }

    /// How long this client's own records outlive its last commit, and so for how long a commit that was given up may
    /// still land at the most. Default: 60 s; 10 s to 1 h, rounded up to whole seconds. Their lease is renewed after a
    /// third of it, on the way of a commit, and replaced after five sixths: shorter means more renewals.
    #[must_use]
    pub fn fence_ttl(mut self, ttl: Duration) -> EtcdBuilder {
        self.settings.commits.fence.ttl = ttl;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_commits_reaches_its_place() {
        let builder = EtcdBuilder::new()
            .max_operations(6)
            .max_transaction_bytes(7000)
            .fence_slots(8)
            .fence_ttl(Duration::from_secs(90));
        let commits = builder.settings.commits;
        assert_eq!(commits.max_operations, 6);
        assert_eq!(commits.max_transaction_bytes, 7000);
        assert_eq!(commits.fence.slots, 8);
        assert_eq!(commits.fence.ttl, Duration::from_secs(90));
    }

    #[test]
    fn bad_settings_of_commits_are_named() {
        CommitSettings::default().check().unwrap();
        let seconds = Duration::from_secs;
        let new = EtcdBuilder::new;
        let table = [
            (new().max_operations(0), "max_operations is 0"),
            (
                new().max_transaction_bytes(1000),
                "max_transaction_bytes is 1000",
            ),
            (new().fence_slots(0), "fence_slots is 0"),
            (
                new().fence_slots(1025),
                "fence_slots is 1025; it must be 1 to 1024",
            ),
            (
                new().fence_ttl(seconds(9)),
                "fence_ttl is 9s; it must be 10s",
            ),
            (new().fence_ttl(seconds(3601)), "fence_ttl is 3601s"),
        ];
        for (builder, part) in table {
            let message = builder.settings.commits.check().unwrap_err().to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
