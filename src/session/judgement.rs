//! What is to be done about a key that a session may want: one table.
//!
//! Never looks at a map or a log: it is told what stands there.

use crate::session::settings::Policy;

/// What stands at a key, as its session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    /// A record under a lease of the session's.
    Mine,
    /// A record under a lease that the session has lost.
    Formerly,
    /// A record under a lease of somebody else's.
    Others,
    /// A record under no lease.
    Permanent,
}

/// What the session wants there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    /// An entry.
    Entry,
    /// A claim: one that stands, or one that is gone.
    Claim {
        stands: bool,
    },
    /// An entry that a write of unknown outcome was to change or delete: what the tail shows counts.
    Unsure,
    /// A write of it is under way: it will be judged after that.
    Later,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    /// What stands there is what is wanted.
    Follow,
    /// Write it under a lease of the session's, if what stands there does so still.
    PutBack,
    /// Delete it, if it still stands there.
    Sweep,
    /// Want it no more, and say so.
    Yield,
    /// Want it no more.
    Forget,
}

/// When it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The session is live.
    Live,
    /// It has lost its leases, and goes on under new ones.
    Restoring,
}

/// The table.
pub(crate) fn judge(want: Want, seen: Seen, policy: Policy, when: When) -> Act {
    match (want, seen) {
        (Want::Later, _) => Act::Nothing,
        // What a write left behind that nobody waits for any more.
        (Want::Nothing, Seen::Mine | Seen::Formerly) => Act::Sweep,
        (Want::Nothing, _) => Act::Nothing,
        (Want::Claim { stands: true }, Seen::Mine) => Act::Follow,
        // What has a fence is never put back: it is acquired anew, with another one.
        (Want::Claim { .. }, _) => Act::Yield,
        (Want::Entry | Want::Unsure, Seen::Mine) => Act::Follow,
        (Want::Entry | Want::Unsure, Seen::Formerly) => Act::PutBack,
        (Want::Unsure, _) => Act::Forget,
        (Want::Entry, Seen::Nothing) if policy == Policy::GiveUp => Act::Yield,
        (Want::Entry, Seen::Nothing) => Act::PutBack,
        // While the session was away somebody else registered there, as a successor does.
        (Want::Entry, Seen::Others) if when == When::Restoring && policy == Policy::Reclaim => {
            Act::PutBack
        }
        (Want::Entry, Seen::Others | Seen::Permanent) => Act::Yield,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Policy::{GiveUp, Reclaim, ReclaimIfUnowned};
    use When::{Live, Restoring};

    const SEEN: [Seen; 5] = [
        Seen::Nothing,
        Seen::Mine,
        Seen::Formerly,
        Seen::Others,
        Seen::Permanent,
    ];

    #[test]
    fn every_key_is_judged_by_one_table() {
        use Act::{Follow, Forget, Nothing, PutBack, Sweep, Yield};
        let table = [
            (
                Want::Nothing,
                Reclaim,
                Live,
                [Nothing, Sweep, Sweep, Nothing, Nothing],
            ),
            (
                Want::Nothing,
                Reclaim,
                Restoring,
                [Nothing, Sweep, Sweep, Nothing, Nothing],
            ),
            (Want::Later, Reclaim, Live, [Nothing; 5]),
            (Want::Later, Reclaim, Restoring, [Nothing; 5]),
            (
                Want::Entry,
                Reclaim,
                Live,
                [PutBack, Follow, PutBack, Yield, Yield],
            ),
            (
                Want::Entry,
                ReclaimIfUnowned,
                Live,
                [PutBack, Follow, PutBack, Yield, Yield],
            ),
            (
                Want::Entry,
                GiveUp,
                Live,
                [Yield, Follow, PutBack, Yield, Yield],
            ),
            (
                Want::Entry,
                Reclaim,
                Restoring,
                [PutBack, Follow, PutBack, PutBack, Yield],
            ),
            (
                Want::Entry,
                ReclaimIfUnowned,
                Restoring,
                [PutBack, Follow, PutBack, Yield, Yield],
            ),
            (
                Want::Unsure,
                Reclaim,
                Live,
                [Forget, Follow, PutBack, Forget, Forget],
            ),
            (
                Want::Unsure,
                Reclaim,
                Restoring,
                [Forget, Follow, PutBack, Forget, Forget],
            ),
        ];
        let claims = [Live, Restoring].map(|when| {
            [
                (
                    Want::Claim { stands: true },
                    Reclaim,
                    when,
                    [Yield, Follow, Yield, Yield, Yield],
                ),
                (Want::Claim { stands: false }, Reclaim, when, [Yield; 5]),
            ]
        });
        let table = table.into_iter().chain(claims.into_iter().flatten());
        for (want, policy, when, acts) in table {
            for (seen, act) in SEEN.into_iter().zip(acts) {
                let judged = judge(want, seen, policy, when);
                assert_eq!(judged, act, "{want:?} {policy:?} {when:?} {seen:?}");
            }
        }
    }
}
