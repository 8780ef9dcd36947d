//! What a caller can do about an error: one row for each kind, and the questions that read it.
//!
//! Never looks at the sentence or the cause of an error: the kind alone decides.

use crate::error::{Error, ErrorKind};

/// One thing that is true of an error of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    RetryNow,
    RetryLater,
    LookAgain,
    NeedsAPerson,
    MayBeCommitted,
}

impl ErrorKind {
    /// All that is true of it. One kind, one row, here and in `docs/errors.md`.
    fn advice(&self) -> &'static [Advice] {
        use Advice::{LookAgain, MayBeCommitted, NeedsAPerson, RetryLater, RetryNow};
        match self {
            ErrorKind::Conflict(_) | ErrorKind::Compacted | ErrorKind::LeaseLost => {
                &[LookAgain, RetryNow]
            }
            ErrorKind::Indeterminate | ErrorKind::EpochChanged => &[LookAgain, MayBeCommitted],
            ErrorKind::Behind(_) => &[MayBeCommitted],
            ErrorKind::NotHeld => &[LookAgain],
            ErrorKind::Unavailable | ErrorKind::Stale | ErrorKind::Busy => &[RetryLater],
            ErrorKind::Full => &[RetryLater, NeedsAPerson],
            ErrorKind::Denied | ErrorKind::Panicked => &[NeedsAPerson],
            ErrorKind::TooLarge { .. }
            | ErrorKind::Codec
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Closed
            | ErrorKind::Aborted => &[],
        }
    }
}

/// What the caller can do about it, decided by its kind alone; `docs/errors.md` has the table.
///
/// Of a call that sends several transactions (`put_all`, a large `delete_prefix`) the answers are those of the transaction
/// that failed: others may have been committed. Where every answer is no, the same call fails always: ask for something
/// else.
///
/// ```
/// use globe_log_client::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "no member answers");
/// assert!(error.can_retry_later() && !error.may_be_committed());
/// ```
impl Error {
    /// Nothing was written, and the same doing, from the look it was decided on to the write, may be repeated at once: what
    /// was known is out of date, and waiting would not help. Never true of what [may be
    /// committed](Error::may_be_committed).
    #[must_use]
    pub fn can_retry_now(&self) -> bool {
        self.is_true(Advice::RetryNow)
    }

    /// Nothing was written, and the same call, unchanged, may succeed after a while: repeat it with growing pauses. Never
    /// true of what [may be committed](Error::may_be_committed).
    #[must_use]
    pub fn can_retry_later(&self) -> bool {
        self.is_true(Advice::RetryLater)
    }

    /// What the caller knew does not hold any more, or cannot be known without a look: read (a log's author: take a
    /// snapshot), and decide anew.
    #[must_use]
    pub fn should_look_again(&self) -> bool {
        self.is_true(Advice::LookAgain)
    }

    /// It stays so until somebody outside of this call changes something: credentials, room, a bug. Raise an alarm.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.is_true(Advice::NeedsAPerson)
    }

    /// What was to be written is in the log, or may be: a blind repetition may do it twice. Whenever this is false, nothing
    /// was written.
    #[must_use]
    pub fn may_be_committed(&self) -> bool {
        self.is_true(Advice::MayBeCommitted)
    }

    fn is_true(&self, advice: Advice) -> bool {
        self.kind().advice().contains(&advice)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::conflict::Conflict;
    use crate::position::Position;

    /// The kind that comes after one. A new kind does not compile until it has its place in this chain.
    fn after(kind: &ErrorKind) -> Option<ErrorKind> {
        Some(match kind {
            ErrorKind::Conflict(_) => ErrorKind::Indeterminate,
            ErrorKind::Indeterminate => ErrorKind::Behind(Position::default()),
            ErrorKind::Behind(_) => ErrorKind::Compacted,
            ErrorKind::Compacted => ErrorKind::EpochChanged,
            ErrorKind::EpochChanged => ErrorKind::Unavailable,
            ErrorKind::Unavailable => ErrorKind::LeaseLost,
            ErrorKind::LeaseLost => ErrorKind::NotHeld,
            ErrorKind::NotHeld => ErrorKind::Busy,
            ErrorKind::Busy => ErrorKind::Stale,
            ErrorKind::Stale => ErrorKind::Denied,
            ErrorKind::Denied => ErrorKind::TooLarge {
                limit: 1,
                actual: 2,
            },
            ErrorKind::TooLarge { .. } => ErrorKind::Full,
            ErrorKind::Full => ErrorKind::Codec,
            ErrorKind::Codec => ErrorKind::Invalid,
            ErrorKind::Invalid => ErrorKind::Unsupported,
            ErrorKind::Unsupported => ErrorKind::Closed,
            ErrorKind::Closed => ErrorKind::Aborted,
            ErrorKind::Aborted => ErrorKind::Panicked,
            ErrorKind::Panicked => return None,
        })
    }

    /// An error of every kind.
    fn errors() -> impl Iterator<Item = Error> {
        let first = ErrorKind::Conflict(Conflict::new(Position::default(), Vec::new()));
        std::iter::successors(Some(first), after).map(|kind| Error::new(kind, "it failed"))
    }

    fn name(kind: &ErrorKind) -> String {
        let shown = format!("{kind:?}");
        shown.chars().take_while(|c| c.is_alphabetic()).collect()
    }

    /// Again at once, again later, look again, a person, may be committed.
    fn answers(error: &Error) -> [bool; 5] {
        [
            error.can_retry_now(),
            error.can_retry_later(),
            error.should_look_again(),
            error.needs_a_person(),
            error.may_be_committed(),
        ]
    }

    #[test]
    fn every_kind_answers_what_its_row_says() {
        let (yes, no) = (true, false);
        let table = [
            ("Conflict", [yes, no, yes, no, no]),
            ("Indeterminate", [no, no, yes, no, yes]),
            ("Behind", [no, no, no, no, yes]),
            ("Compacted", [yes, no, yes, no, no]),
            ("EpochChanged", [no, no, yes, no, yes]),
            ("Unavailable", [no, yes, no, no, no]),
            ("LeaseLost", [yes, no, yes, no, no]),
            ("NotHeld", [no, no, yes, no, no]),
            ("Busy", [no, yes, no, no, no]),
            ("Stale", [no, yes, no, no, no]),
            ("Denied", [no, no, no, yes, no]),
            ("TooLarge", [no, no, no, no, no]),
            ("Full", [no, yes, no, yes, no]),
            ("Codec", [no, no, no, no, no]),
            ("Invalid", [no, no, no, no, no]),
            ("Unsupported", [no, no, no, no, no]),
            ("Closed", [no, no, no, no, no]),
            ("Aborted", [no, no, no, no, no]),
            ("Panicked", [no, no, no, yes, no]),
        ];
        let found: Vec<_> = errors()
            .map(|error| (name(error.kind()), answers(&error)))
            .collect();
        let expected = table.map(|(name, answers)| (name.to_owned(), answers));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_may_be_committed_is_never_to_be_repeated_blindly() {
        for error in errors().filter(Error::may_be_committed) {
            assert!(
                !error.can_retry_now() && !error.can_retry_later(),
                "{error}"
            );
        }
    }

    #[test]
    fn the_page_on_errors_has_one_row_a_kind_with_the_same_answers() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let page = fs::read_to_string(file).unwrap();
        let mut rows = BTreeMap::new();
        for row in page.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [kind, _, written, now, later, look, person, ..] = cells[..] else {
                panic!("too short: {row}");
            };
            let says = |cell: &str| match cell {
                "no" => false,
                "yes" | "perhaps" => true,
                other => panic!("{other:?} is no answer: {row}"),
            };
            let answers = [now, later, look, person, written].map(says);
            let status = cells.last().and_then(|cell| cell.parse::<u16>().ok());
            assert!(
                status.is_some_and(|status| (200..600).contains(&status)),
                "no status: {row}"
            );
            let again = rows.insert(kind.trim_matches('`').to_owned(), answers);
            assert_eq!(again, None, "twice: {row}");
        }
        let kinds = errors().map(|error| (name(error.kind()), answers(&error)));
        assert_eq!(rows, kinds.collect::<BTreeMap<_, _>>());
    }
}
