//! The settings of commits: how much one may hold, and how many may be under way.
//!
//! Never talks to a server.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How many operations, bytes, and slots can be meant, and how long a lease.
const OPERATIONS: RangeInclusive<usize> = 1..=100_000;
const BYTES: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;
const SLOTS: RangeInclusive<usize> = 1..=1024;
const TTL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60 * 60);

/// What commits are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitSettings {
    pub(crate) max_operations: usize,
    pub(crate) max_transaction_bytes: usize,
    pub(crate) fence: FenceSettings,
}

/// How many commits may be under way at once, and for how long what they leave lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FenceSettings {
    /// How many commits may be under way at once.
    pub(crate) slots: usize,
    /// How long the slots outlive the last commit.
    pub(crate) ttl: Duration,
}

impl Default for CommitSettings {
    fn default() -> CommitSettings {
        CommitSettings {
            // etcd takes 128 unless it is told otherwise. One of them is the fence's.
            max_operations: 127,
            // etcd takes requests of 1.5 MiB unless it is told otherwise. A sixth is left for what is sent twice
            // (preconditioned keys are also read), for the namespace, and for the encoding.
            max_transaction_bytes: 1_310_720,
            fence: FenceSettings {
                slots: 64,
                ttl: Duration::from_secs(60),
            },
        }
    }
}

impl CommitSettings {
    /// Names the setting that is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let numbers = [
            ("max_operations", self.max_operations, OPERATIONS),
            ("max_transaction_bytes", self.max_transaction_bytes, BYTES),
            ("fence_slots", self.fence.slots, SLOTS),
        ];
        for (name, number, allowed) in numbers {
            if !allowed.contains(&number) {
                let (least, most) = allowed.into_inner();
                let what = format!("{name} is {number}; it must be {least} to {most}");
                return Err(what);
            }
        }
        let ttl = self.fence.ttl;
        if !TTL.contains(&ttl) {
            let (least, most) = TTL.into_inner();
            let what = format!("fence_ttl is {ttl:?}; it must be {least:?} to {most:?}");
            return Err(what);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_of_commits_are_named() {
        type Change = fn(&mut CommitSettings);
        CommitSettings::default().check().unwrap();
        let table: [(Change, &str); 6] = [
            (|commits| commits.max_operations = 0, "max_operations is 0"),
            (
                |commits| commits.max_transaction_bytes = 1000,
                "max_transaction_bytes is 1000",
            ),
            (|commits| commits.fence.slots = 0, "fence_slots is 0"),
            (
                |commits| commits.fence.slots = 1025,
                "fence_slots is 1025; it must be 1 to 1024",
            ),
            (
                |commits| commits.fence.ttl = Duration::from_secs(9),
                "fence_ttl is 9s; it must be 10s",
            ),
            (
                |commits| commits.fence.ttl = Duration::from_secs(3601),
                "fence_ttl is 3601s",
            ),
        ];
        for (change, part) in table {
            let mut commits = CommitSettings::default();
            change(&mut commits);
            let message = commits.check().unwrap_err();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
