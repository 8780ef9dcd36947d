//! What waits until it is confirmed: what was read of the log, and may not become the copy yet.
//!
//! Never decides what is confirmed, and never lets a later note pass before an earlier one.

use std::collections::VecDeque;

use globe_log_client::Position;

use crate::note::Note;

/// Notes that lead beyond what is confirmed.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    confirmed: Option<Position>,
    waiting: VecDeque<Note>,
}

impl Gate {
    /// Keeps a note that has to wait, and gives back one that has not; and what has waited, and no longer does.
    pub(crate) fn keep(&mut self, note: Note) -> (Option<Note>, Vec<Note>) {
        if self.lets(&note) {
            return (Some(note), Vec::new());
        }
        let mut left = Vec::new();
        if let Note::Difference { from, .. } = note {
            // Who comes from there by all of this has left whatever led on from there, and the copy must not follow that.
            let is_left = |other: &Note| other.leads_to().is_some_and(|to| to.covers(from));
            let all = std::mem::take(&mut self.waiting);
            let (gone, waiting): (Vec<Note>, Vec<Note>) = all.into_iter().partition(is_left);
            (self.waiting, left) = (waiting.into(), gone);
        }
        self.waiting.push_back(note);
        (None, left)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everything up to here may become the copy. What has waited for that, and what will never be: it was passed, in a life of
    /// the log that nobody has confirmed.
    pub(crate) fn confirm(&mut self, position: Position) -> (Vec<Note>, Vec<Note>) {
        self.confirmed = Some(position);
        let last = self.waiting.iter().rposition(|note| self.lets(note));
        let passed: Vec<Note> = match last {
            Some(last) => self.waiting.drain(..=last).collect(),
            None => Vec::new(),
        };
        passed.into_iter().partition(|note| self.lets(note))
    }

    fn lets(&self, note: &Note) -> bool {
        let Some(to) = note.leads_to() else {
            return true;
        };
        self.confirmed.is_some_and(|here| here.covers(to))
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Batch, Epoch, Revision};

    use super::*;
    use crate::note::Reader;

    fn at(epoch: u64, revision: u64) -> Position {
        Position::new(Epoch::new(epoch), Revision(revision))
    }

    fn batch(epoch: u64, revision: u64) -> Note {
        Note::Batch {
            from: at(epoch, revision - 1),
            batch: Batch::new(Revision(revision), Vec::new()),
            reader: Reader::User,
        }
    }

    fn positions(notes: Vec<Note>) -> Vec<Option<Position>> {
        notes.iter().map(Note::leads_to).collect()
    }

    #[test]
    fn a_note_waits_until_what_it_leads_to_is_confirmed() {
        let mut gate = Gate::default();
        assert!(gate.keep(batch(1, 5)).0.is_none());
        let (passed, _) = gate.confirm(at(1, 4));
        assert!(passed.is_empty() && gate.is_waiting());
        assert!(gate.keep(batch(1, 6)).0.is_none());
        let (passed, dropped) = gate.confirm(at(1, 5));
        assert_eq!(positions(passed), [Some(at(1, 5))]);
        assert!(dropped.is_empty() && gate.is_waiting());
        // What leads nowhere has nothing to wait for, and neither has what is confirmed.
        assert!(gate.keep(Note::Abandoned { id: 1 }).0.is_some());
        assert!(gate.keep(batch(1, 5)).0.is_some());
    }

    #[test]
    fn a_difference_takes_the_place_of_what_waits_and_began_there_as_well() {
        let mut gate = Gate::default();
        gate.confirm(at(1, 4));
        let left = Note::Difference {
            from: at(1, 4),
            batch: Batch::new(Revision(7), Vec::new()),
        };
        for note in [batch(1, 5), batch(1, 6), left] {
            assert!(gate.keep(note).0.is_none());
        }
        let (passed, _) = gate.confirm(at(1, 7));
        assert_eq!(positions(passed), [Some(at(1, 7))]);
    }

    #[test]
    fn what_was_passed_in_another_life_will_never_be() {
        let mut gate = Gate::default();
        let end = Note::End {
            id: 1,
            position: at(2, 3),
        };
        for note in [batch(1, 5), end, batch(2, 4)] {
            assert!(gate.keep(note).0.is_none());
        }
        let (passed, _) = gate.confirm(at(1, 4));
        assert!(passed.is_empty());
        let (passed, dropped) = gate.confirm(at(2, 3));
        assert_eq!(positions(passed), [Some(at(2, 3))]);
        assert_eq!(positions(dropped), [Some(at(1, 5))]);
        assert!(gate.is_waiting());
    }
}
