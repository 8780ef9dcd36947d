//! Who is let in: the claims of one name in the order of their creation, and what may stand before one that is.
//!
//! Pure: it is told the claims, and talks to nobody. What is in the way of a claim only ever shrinks, so one that was let in
//! stays so.

use crate::recipes::claim::{Claim, Mode};
use crate::{Entry, Revision, View};

/// What may stand before a claim that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing.
    Alone,
    /// Before a writer nothing, before a reader no writer.
    Shared,
    /// Claims that leave enough of so many permits; nobody is let in while nothing is known of them.
    Permits(Option<u32>),
}

/// The place of a claim in its queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) created: Revision,
    pub(crate) key: String,
    pub(crate) weight: u32,
    pub(crate) reads: bool,
}

impl Place {
    pub(crate) fn new(key: &str, entry: &Entry<Claim>) -> Place {
        Place {
            created: entry.created().revision(),
            key: key.to_owned(),
            weight: entry.weight,
            reads: entry.mode == Mode::Read,
        }
    }
}

/// What stands before a place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    claims: usize,
    writes: usize,
    permits: u64,
}

impl Before {
    pub(crate) fn add(&mut self, place: &Place) {
        self.claims += 1;
        self.writes += usize::from(!place.reads);
        self.permits += u64::from(place.weight);
    }

    /// Whether a claim with this before it is let in.
    pub(crate) fn lets_in(self, rule: Rule, weight: u32, reads: bool) -> bool {
        match rule {
            Rule::Alone => self.claims == 0,
            Rule::Shared if reads => self.writes == 0,
            Rule::Shared => self.claims == 0,
            Rule::Permits(limit) => {
                limit.is_some_and(|limit| self.permits + u64::from(weight) <= u64::from(limit))
            }
        }
    }
}

/// The claims of a name, in their order; nothing when one of its records cannot be read, which is in the way of all that
/// are not let in yet.
pub(crate) fn queue(view: &View<String, Claim>, prefix: &str) -> Option<Vec<Place>> {
    let is_bad = |bad: &crate::Quarantined| bad.key().starts_with(prefix.as_bytes());
    if view.quarantine().any(is_bad) {
        return None;
    }
    let claims = view.with_prefix(&prefix);
    let mut places: Vec<Place> = claims.map(|(key, entry)| Place::new(key, entry)).collect();
    places.sort_unstable();
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is let in of claims given as (reads, weight), in their order.
    fn let_in(rule: Rule, claims: &[(bool, u32)]) -> Vec<bool> {
        let mut before = Before::default();
        let mut let_in = Vec::new();
        for (at, (reads, weight)) in claims.iter().enumerate() {
            let_in.push(before.lets_in(rule, *weight, *reads));
            before.add(&Place {
                created: Revision(at as u64),
                key: at.to_string(),
                weight: *weight,
                reads: *reads,
            });
        }
        let_in
    }

    #[test]
    fn each_rule_lets_in_whom_it_says() {
        let (write, read) = ((false, 1), (true, 1));
        let (yes, no) = (true, false);
        assert_eq!(let_in(Rule::Alone, &[write, write, write]), [yes, no, no]);
        assert_eq!(let_in(Rule::Alone, &[read, read]), [yes, no]);
        let mixed = [read, read, write, read, write];
        assert_eq!(let_in(Rule::Shared, &mixed), [yes, yes, no, no, no]);
        assert_eq!(let_in(Rule::Shared, &[write, read]), [yes, no]);
        let permits = [(false, 2), (false, 1), (false, 3), (false, 1)];
        assert_eq!(let_in(Rule::Permits(Some(3)), &permits), [yes, yes, no, no]);
        assert_eq!(let_in(Rule::Permits(Some(7)), &permits), [yes; 4]);
        assert_eq!(let_in(Rule::Permits(None), &permits), [no; 4]);
        let huge = [(false, u32::MAX), (false, u32::MAX)];
        assert_eq!(let_in(Rule::Permits(Some(u32::MAX)), &huge), [yes, no]);
    }
}
