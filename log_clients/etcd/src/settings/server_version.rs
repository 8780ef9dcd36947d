//! What is known to be wrong with a server of a certain version.
//!
//! Never talks to a server.

use std::fmt;

/// The version of a server; [`ServerVersion::UNKNOWN`] counts as older than every other.
///
/// Only faults that cost this client truth or time have a question here, each with the first version of each line that
/// is rid of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl ServerVersion {
    pub(crate) const UNKNOWN: ServerVersion = ServerVersion::new(0, 0, 0);

    /// What is known of a server that keeps its status from this user: it is at least as new as the first that do.
    pub(crate) const RESERVED: ServerVersion = ServerVersion::new(3, 5, 28);

    /// What is known of a server that was seen to order its progress replies.
    pub(crate) const ORDERED: ServerVersion = ServerVersion::new(3, 5, 8);

    const fn new(major: u16, minor: u16, patch: u16) -> ServerVersion {
        ServerVersion {
            major,
            minor,
            patch,
        }
    }

    /// Reads `3.5.30`, also with a suffix such as `-rc.1`.
    pub(crate) fn parse(text: &str) -> ServerVersion {
        let release = text.split(['-', '+']).next().unwrap_or(text);
        let mut numbers = release.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => {
                ServerVersion::new(major, minor, patch)
            }
            _ => ServerVersion::UNKNOWN,
        }
    }

    /// Whether it is at or above the floor of its line. Lines after 3.6 have all that 3.6.0 had.
    fn has(self, in_3_4: u16, in_3_5: u16, in_3_6: u16) -> bool {
        match (self.major, self.minor) {
            (3, 4) => self.patch >= in_3_4,
            (3, 5) => self.patch >= in_3_5,
            (3, 6) => self.patch >= in_3_6,
            _ => self >= ServerVersion::new(3, 7, 0),
        }
    }

    /// A progress reply comes after every event up to its revision (etcd-io/etcd#15220).
    pub(crate) fn orders_progress(self) -> bool {
        self.has(25, 8, 0)
    }

    /// A watch that was opened while its start was being compacted misses no delete (etcd-io/etcd#19179).
    pub(crate) fn keeps_deletes_at_compaction(self) -> bool {
        self.has(36, 18, 0)
    }

    /// Renewing a revoked lease fails.
    pub(crate) fn renews_truthfully(self) -> bool {
        self.has(38, 23, 5)
    }

    /// The known faults that may cost this client time or truth, for one warning. `None`: no known one.
    pub(crate) fn warning(self) -> Option<&'static str> {
        if self == ServerVersion::UNKNOWN {
            Some(
                "its version is unknown: it is treated as one with every known fault, but those it can be seen not to have",
            )
        } else if !self.orders_progress() {
            Some(
                "it may lose, repeat or reorder watch events and its progress replies are unordered: \
                 upgrade to 3.5.28 or newer",
            )
        } else if !self.keeps_deletes_at_compaction() {
            Some(
                "it may lose a delete when a watch opens during a compaction: upgrade to 3.5.28 or newer",
            )
        } else if !self.has(42, 28, 9) {
            Some(
                "its linearizable reads may be stale after its process was paused: upgrade to 3.5.28 or newer",
            )
        } else {
            None
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == ServerVersion::UNKNOWN {
            return f.write_str("unknown");
        }
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_own_floor() {
        let table = [
            ("3.4.23", false, false, false, true),
            ("3.4.25", true, false, false, true),
            ("3.4.42", true, true, true, false),
            ("3.5.7", false, false, false, true),
            ("3.5.16", true, false, false, true),
            ("3.5.18", true, true, false, true),
            ("3.5.30", true, true, true, false),
            ("3.6.0", true, true, false, true),
            ("3.6.9-rc.1", true, true, true, false),
            ("3.7.2", true, true, true, false),
            ("3.3.27", false, false, false, true),
            ("who knows", false, false, false, true),
        ];
        for (text, progress, deletes, renews, warned) in table {
            let version = ServerVersion::parse(text);
            assert_eq!(version.orders_progress(), progress, "{text}");
            assert_eq!(version.keeps_deletes_at_compaction(), deletes, "{text}");
            assert_eq!(version.renews_truthfully(), renews, "{text}");
            assert_eq!(version.warning().is_some(), warned, "{text}");
        }
    }
}
