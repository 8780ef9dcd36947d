//! What a member has to do next about one shard: of what it runs, and what the row says.
//!
//! Never remembers how it came to that: rows that were skipped, or went back, need no history.

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::row::{Mode, Row, Stage};

/// What a row asks of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Nothing.
    None,
    /// Get ready, and say so if this is asked.
    Prepare { is_asked: bool },
    /// Own it, in this term.
    Own(u64),
    /// Stop owning it, which was in this term.
    Drain(u64),
}

/// What a member runs of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Running {
    /// Nothing.
    #[default]
    Idle,
    /// It was told to prepare, and has not said that it has.
    Preparing,
    /// It has prepared.
    Ready,
    /// It has refused to.
    Refused,
    /// It was told that it owns it, in this term.
    Owned(u64),
    /// It was told to stop, and has not said that it has.
    Draining(u64),
    /// It has stopped: in strict mode it never owns it again in this term.
    Drained(u64),
    /// It was told that it lost it, and has not said that it has dropped it.
    Dropping,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    /// Nothing, as things stand.
    Nothing,
    /// To tell the member to prepare.
    Prepare,
    /// To tell it that it owns the shard.
    Own,
    /// To tell it to stop.
    Drain,
    /// To tell it that it lost the shard.
    Drop,
    /// To commit that it is ready.
    SayReady,
    /// To commit that it refuses.
    SayRefused,
    /// To commit that it has stopped.
    SayDone,
    /// To forget that it ran anything.
    Forget,
}

/// What a row asks of a member.
pub(crate) fn role(mode: Mode, row: Option<&Row>, me: &Incarnation) -> Role {
    let Some(row) = row else {
        return Role::None;
    };
    let is_strict = mode == Mode::Strict;
    match row.stage() {
        Stage::Drain(_) if is_strict && row.owner == *me => Role::Drain(row.term),
        _ if row.owner == *me => Role::Own(row.term),
        Stage::Prepare(next) if next == me => Role::Prepare { is_asked: true },
        Stage::Drain(next) if next == me => Role::Prepare { is_asked: false },
        // The term it had: the next one's is the one after.
        Stage::Leaving(prev) if !is_strict && prev == me => Role::Drain(row.term.saturating_sub(1)),
        _ => Role::None,
    }
}

/// What is next of a shard, whose last step must be over first. `may_own` is whether the member may own anything now: in strict
/// mode only while it is sure of its session.
pub(crate) fn next(mode: Mode, running: Running, role: Role, may_own: bool) -> Next {
    match (running, role) {
        (Running::Preparing | Running::Draining(_) | Running::Dropping, _) => Next::Nothing,
        (Running::Owned(term), Role::Own(now)) if term == now && may_own => Next::Nothing,
        (Running::Owned(term), Role::Drain(now)) if term == now && may_own => Next::Drain,
        // Lost, be it for a moment or a term; or stopped by its clock.
        (Running::Owned(_), _) => Next::Drop,
        // A commit of before may land yet: whoever owned it again would do so beside the next one.
        (Running::Drained(term), Role::Own(now)) if mode == Mode::Strict && term == now => {
            Next::Nothing
        }
        (_, Role::Own(_)) if may_own => Next::Own,
        (_, Role::Drain(_)) => Next::SayDone,
        (Running::Idle | Running::Drained(_), Role::Prepare { .. }) => Next::Prepare,
        (Running::Ready, Role::Prepare { is_asked: true }) => Next::SayReady,
        (Running::Refused, Role::Prepare { is_asked: true }) => Next::SayRefused,
        (Running::Ready, Role::None) => Next::Drop,
        (Running::Drained(_) | Running::Refused, Role::None) => Next::Forget,
        _ => Next::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(id: &str) -> Incarnation {
        Incarnation::new(id, 1)
    }

    #[test]
    fn a_row_asks_of_each_what_is_his() {
        use Mode::{Available, Strict};
        let (prepare, wait) = (
            Role::Prepare { is_asked: true },
            Role::Prepare { is_asked: false },
        );
        let settled = r#"{"owner":"a@1","term":5}"#;
        let asked = r#"{"owner":"a@1","term":5,"next":"b@1","phase":"prepare"}"#;
        let drain = r#"{"owner":"a@1","term":5,"next":"b@1","phase":"drain"}"#;
        let leaving = r#"{"owner":"b@1","term":6,"prev":"a@1"}"#;
        let table = [
            (Strict, settled, [Role::Own(5), Role::None, Role::None]),
            (Strict, asked, [Role::Own(5), prepare, Role::None]),
            (Strict, drain, [Role::Drain(5), wait, Role::None]),
            (Strict, leaving, [Role::None, Role::Own(6), Role::None]),
            (Available, settled, [Role::Own(5), Role::None, Role::None]),
            (Available, asked, [Role::Own(5), prepare, Role::None]),
            (
                Available,
                leaving,
                [Role::Drain(5), Role::Own(6), Role::None],
            ),
        ];
        for (mode, row, roles) in table {
            let row: Row = serde_json::from_str(row).unwrap();
            let asks = ["a", "b", "c"].map(|id| role(mode, Some(&row), &who(id)));
            assert_eq!(asks, roles, "{mode:?} {row:?}");
            // Another life of the same member is another member.
            assert_eq!(
                role(mode, Some(&row), &Incarnation::new("a", 2)),
                Role::None
            );
        }
        assert_eq!(role(Strict, None, &who("a")), Role::None);
    }

    #[test]
    fn each_step_follows_from_what_runs_and_what_the_row_says() {
        use Running::{Drained, Draining, Dropping, Idle, Owned, Preparing, Ready, Refused};
        let roles = [
            Role::None,
            Role::Prepare { is_asked: true },
            Role::Prepare { is_asked: false },
            Role::Own(5),
            Role::Own(7),
            Role::Drain(5),
        ];
        use Next::{Drain, Drop, Forget, Nothing, Own, Prepare, SayDone, SayReady, SayRefused};
        let table = [
            (Idle, [Nothing, Prepare, Prepare, Own, Own, SayDone]),
            (Preparing, [Nothing; 6]),
            (Ready, [Drop, SayReady, Nothing, Own, Own, SayDone]),
            (Refused, [Forget, SayRefused, Nothing, Own, Own, SayDone]),
            (Owned(5), [Drop, Drop, Drop, Nothing, Drop, Drain]),
            (Draining(5), [Nothing; 6]),
            (
                Drained(5),
                [Forget, Prepare, Prepare, Nothing, Own, SayDone],
            ),
            (Dropping, [Nothing; 6]),
        ];
        for (running, nexts) in table {
            let strict = roles.map(|role| next(Mode::Strict, running, role, true));
            assert_eq!(strict, nexts, "{running:?}");
        }
        // In available mode a row can come back to who has stopped.
        let back = next(Mode::Available, Drained(5), Role::Own(5), true);
        assert_eq!(back, Own);
    }

    #[test]
    fn who_may_own_nothing_drops_what_it_owns_and_says_what_it_has_stopped() {
        let unsure = |running, role| next(Mode::Strict, running, role, false);
        assert_eq!(unsure(Running::Owned(5), Role::Own(5)), Next::Drop);
        assert_eq!(unsure(Running::Owned(5), Role::Drain(5)), Next::Drop);
        assert_eq!(unsure(Running::Idle, Role::Own(5)), Next::Nothing);
        assert_eq!(unsure(Running::Ready, Role::Own(5)), Next::Nothing);
        assert_eq!(unsure(Running::Drained(5), Role::Drain(5)), Next::SayDone);
    }
}
