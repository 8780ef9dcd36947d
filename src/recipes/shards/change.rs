//! The eight changes of a row: which may be made of what stands there.
//!
//! Never guards them: whoever makes one commits it with what it was decided on, the row and the members it asked for.

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::row::{Mode, Phase, Row, Stage};

/// What is to become of a row, and who may make it so. Each is made of the row exactly as it was seen; the planner's, besides,
/// while it is the planner and the members it looked at stand as it saw them; a member's while it is the member it was.
///
/// | | by | of | it becomes |
/// |---|---|---|---|
/// | [`Assign`](Change::Assign) | planner | no owner, or a dead one with no live next | owned, by a live previous owner first of all |
/// | [`Prepare`](Change::Prepare) | planner | settled, its owner alive | prepared by the next |
/// | [`Ready`](Change::Ready) | next | prepared | strict: drained; available: the next one's, the owner leaving |
/// | [`Done`](Change::Done) | owner, or the leaving one | strict: drained; available: left | the next one's; available: settled |
/// | [`Refuse`](Change::Refuse) | next | prepared | settled |
/// | [`Cancel`](Change::Cancel) | planner | prepared by one that is dead, or takes too long | settled |
/// | [`Redirect`](Change::Redirect) | planner | drained for one that is dead | drained for another |
/// | [`Inherit`](Change::Inherit) | planner | the owner dead, its next alive; or the leaving one dead | the next one's; settled |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Assign(Incarnation),
    Prepare(Incarnation),
    Ready,
    Done,
    Refuse,
    Cancel,
    Redirect(Incarnation),
    Inherit,
}

/// What a change makes of a row; nothing if it may not be made of it.
///
/// `by` is the member who makes it, for those that members make; `is_live` says which members there are, for those that the
/// planner makes: the commit must be guarded by whatever it was asked for.
pub(crate) fn change(
    mode: Mode,
    row: Option<&Row>,
    change: &Change,
    by: Option<&Incarnation>,
    mut is_live: impl FnMut(&Incarnation) -> bool,
) -> Option<Row> {
    let Some(row) = row else {
        return match change {
            Change::Assign(to) if is_live(to) => Some(Row::new(to.clone(), 1)),
            _ => None,
        };
    };
    let is_strict = mode == Mode::Strict;
    match (change, row.stage()) {
        (Change::Assign(to), stage) => {
            let is_due = !is_live(&row.owner) && heir(stage).is_none_or(|heir| !is_live(heir));
            let left = leaving(stage).filter(|prev| is_live(prev));
            let is_first = left.is_none_or(|prev| prev == to);
            (is_due && is_first && is_live(to)).then(|| row.handed_to(to))
        }
        (Change::Prepare(to), Stage::Settled) => {
            let is_due = *to != row.owner && is_live(to) && is_live(&row.owner);
            is_due.then(|| Row {
                next: Some(to.clone()),
                phase: Some(Phase::Prepare),
                ..row.settled()
            })
        }
        (Change::Ready, Stage::Prepare(next)) if by == Some(next) => Some(match mode {
            Mode::Strict => Row {
                phase: Some(Phase::Drain),
                ..row.clone()
            },
            Mode::Available => Row {
                prev: Some(row.owner.clone()),
                ..row.handed_to(next)
            },
        }),
        (Change::Done, Stage::Drain(next)) if is_strict && by == Some(&row.owner) => {
            Some(row.handed_to(next))
        }
        (Change::Done, Stage::Leaving(prev)) if !is_strict && by == Some(prev) => {
            Some(row.settled())
        }
        (Change::Refuse, Stage::Prepare(next)) if by == Some(next) => Some(row.settled()),
        (Change::Cancel, Stage::Prepare(_)) => Some(row.settled()),
        // What no change makes in this mode, but people write.
        (Change::Cancel, Stage::Drain(_)) if !is_strict => Some(row.settled()),
        (Change::Cancel, Stage::Leaving(_)) if is_strict => Some(row.settled()),
        (Change::Redirect(to), Stage::Drain(next)) => {
            let is_due = *to != row.owner && !is_live(next) && is_live(to);
            is_due.then(|| Row {
                next: Some(to.clone()),
                ..row.clone()
            })
        }
        (Change::Inherit, Stage::Prepare(next) | Stage::Drain(next)) => {
            (!is_live(&row.owner) && is_live(next)).then(|| row.handed_to(next))
        }
        (Change::Inherit, Stage::Leaving(prev)) => (!is_live(prev)).then(|| row.settled()),
        _ => None,
    }
}

fn heir(stage: Stage<'_>) -> Option<&Incarnation> {
    match stage {
        Stage::Prepare(next) | Stage::Drain(next) => Some(next),
        _ => None,
    }
}

fn leaving(stage: Stage<'_>) -> Option<&Incarnation> {
    match stage {
        Stage::Leaving(prev) => Some(prev),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Mode = Mode::Strict;
    const AVAILABLE: Mode = Mode::Available;

    fn who(id: &str) -> Incarnation {
        Incarnation::new(id, 1)
    }

    fn row(text: &str) -> Option<Row> {
        let text = text.replace('\'', "\"");
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    /// What a change makes of a row, where `live` says who there is by their first letters.
    fn made(mode: Mode, of: &str, wanted: &Change, by: &str, live: &str) -> Option<Row> {
        let by = (!by.is_empty()).then(|| who(by));
        change(mode, row(of).as_ref(), wanted, by.as_ref(), |member| {
            live.contains(member.id())
        })
    }

    const NONE: &str = "";
    const SETTLED: &str = "{'owner':'a@1','term':5}";
    const PREPARE: &str = "{'owner':'a@1','term':5,'next':'b@1','phase':'prepare'}";
    const DRAIN: &str = "{'owner':'a@1','term':5,'next':'b@1','phase':'drain'}";
    const LEAVING: &str = "{'owner':'b@1','term':6,'prev':'a@1'}";

    #[test]
    fn each_change_is_made_of_what_it_may_be_made_of_and_of_nothing_else() {
        let (assign, prepare) = (|to| Change::Assign(who(to)), |to| Change::Prepare(who(to)));
        let redirect = |to| Change::Redirect(who(to));
        let b_owns = "{'owner':'b@1','term':6}";
        let c_owns = "{'owner':'c@1','term':6}";
        let b_settled = "{'owner':'b@1','term':6}";
        let table: Vec<(Mode, &str, Change, &str, &str, &str)> = vec![
            // 1 assign
            (
                STRICT,
                NONE,
                assign("a"),
                "",
                "a",
                "{'owner':'a@1','term':1}",
            ),
            (STRICT, NONE, assign("a"), "", "b", NONE),
            (STRICT, SETTLED, assign("c"), "", "abc", NONE),
            (STRICT, SETTLED, assign("c"), "", "bc", c_owns),
            (STRICT, PREPARE, assign("c"), "", "bc", NONE),
            (STRICT, DRAIN, assign("c"), "", "c", c_owns),
            (AVAILABLE, LEAVING, assign("c"), "", "ac", NONE),
            (
                AVAILABLE,
                LEAVING,
                assign("a"),
                "",
                "ac",
                "{'owner':'a@1','term':7}",
            ),
            (
                AVAILABLE,
                LEAVING,
                assign("c"),
                "",
                "c",
                "{'owner':'c@1','term':7}",
            ),
            // 2 prepare
            (STRICT, SETTLED, prepare("b"), "", "ab", PREPARE),
            (STRICT, SETTLED, prepare("b"), "", "b", NONE),
            (STRICT, SETTLED, prepare("b"), "", "a", NONE),
            (STRICT, SETTLED, prepare("a"), "", "ab", NONE),
            (STRICT, PREPARE, prepare("c"), "", "abc", NONE),
            (AVAILABLE, LEAVING, prepare("c"), "", "abc", NONE),
            // 3 ready
            (STRICT, PREPARE, Change::Ready, "b", "", DRAIN),
            (AVAILABLE, PREPARE, Change::Ready, "b", "", LEAVING),
            (STRICT, PREPARE, Change::Ready, "a", "", NONE),
            (STRICT, DRAIN, Change::Ready, "b", "", NONE),
            // 4 done
            (STRICT, DRAIN, Change::Done, "a", "", b_owns),
            (STRICT, DRAIN, Change::Done, "b", "", NONE),
            (STRICT, PREPARE, Change::Done, "a", "", NONE),
            (AVAILABLE, LEAVING, Change::Done, "a", "", b_settled),
            (AVAILABLE, LEAVING, Change::Done, "b", "", NONE),
            // 5 refuse
            (STRICT, PREPARE, Change::Refuse, "b", "", SETTLED),
            (STRICT, PREPARE, Change::Refuse, "c", "", NONE),
            (STRICT, DRAIN, Change::Refuse, "b", "", NONE),
            // 6 cancel
            (STRICT, PREPARE, Change::Cancel, "", "a", SETTLED),
            (STRICT, DRAIN, Change::Cancel, "", "a", NONE),
            (AVAILABLE, LEAVING, Change::Cancel, "", "b", NONE),
            // 7 redirect
            (STRICT, DRAIN, redirect("c"), "", "abc", NONE),
            (STRICT, DRAIN, redirect("a"), "", "a", NONE),
            (
                STRICT,
                DRAIN,
                redirect("c"),
                "",
                "ac",
                "{'owner':'a@1','term':5,'next':'c@1','phase':'drain'}",
            ),
            // 8 inherit
            (STRICT, PREPARE, Change::Inherit, "", "b", b_owns),
            (STRICT, DRAIN, Change::Inherit, "", "b", b_owns),
            (STRICT, DRAIN, Change::Inherit, "", "ab", NONE),
            (STRICT, DRAIN, Change::Inherit, "", "", NONE),
            (AVAILABLE, LEAVING, Change::Inherit, "", "b", b_settled),
            (AVAILABLE, LEAVING, Change::Inherit, "", "ab", NONE),
        ];
        for (mode, of, wanted, by, live, becomes) in table {
            let made = made(mode, of, &wanted, by, live);
            assert_eq!(
                made,
                row(becomes),
                "{mode:?} {of} {wanted:?} by {by:?}, live {live}"
            );
        }
    }

    /// What of a row is not about whose it is stays, whatever becomes of it.
    #[test]
    fn no_change_loses_what_a_row_says_besides() {
        let extra = ",'weight':3,'from':'m','pin':'c'}";
        let rich = |text: &str| text.replace('}', extra);
        let cases = [
            (STRICT, PREPARE, Change::Ready, "b"),
            (STRICT, DRAIN, Change::Done, "a"),
            (AVAILABLE, PREPARE, Change::Ready, "b"),
            (AVAILABLE, LEAVING, Change::Done, "a"),
            (STRICT, PREPARE, Change::Refuse, "b"),
            (STRICT, DRAIN, Change::Assign(who("c")), ""),
            (STRICT, SETTLED, Change::Assign(who("c")), ""),
        ];
        for (mode, of, wanted, by) in cases {
            let made = made(mode, &rich(of), &wanted, by, "c").unwrap();
            let kept = (made.weight, made.from.as_deref(), made.pin.as_deref());
            assert_eq!(kept, (3, Some("m"), Some("c")), "{of} {wanted:?}");
        }
    }

    /// A term never falls, and a row never changes hands within one.
    #[test]
    fn another_owner_is_another_term() {
        let rows = [SETTLED, PREPARE, DRAIN, LEAVING];
        let changes = [
            Change::Assign(who("c")),
            Change::Prepare(who("c")),
            Change::Ready,
            Change::Done,
            Change::Refuse,
            Change::Cancel,
            Change::Redirect(who("c")),
            Change::Inherit,
        ];
        let mut seen = 0;
        for (of, wanted) in rows
            .iter()
            .flat_map(|of| changes.iter().map(move |one| (of, one)))
        {
            for (mode, by) in [STRICT, AVAILABLE]
                .iter()
                .flat_map(|m| ["a", "b"].map(|by| (*m, by)))
            {
                for live in ["", "a", "b", "c", "ab", "ac", "bc", "abc"] {
                    let Some(made) = made(mode, of, wanted, by, live) else {
                        continue;
                    };
                    let was = row(of).unwrap();
                    let is_handed = made.owner != was.owner;
                    assert_eq!(
                        made.term,
                        was.term + u64::from(is_handed),
                        "{of} {wanted:?}"
                    );
                    seen += 1;
                }
            }
        }
        assert!(seen > 40, "{seen}");
    }
}
