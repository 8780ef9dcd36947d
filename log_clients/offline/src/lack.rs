//! Whether the copy lacks something that no user's reading of the log will bring.
//!
//! Never decides when that is fetched, nor how.

use globe_log_client::Position;

/// What is known of what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lack {
    /// Something may be.
    is_doubtful: bool,
    /// Somebody fetches it, and nothing has gone wrong since he began.
    is_being_mended: bool,
    /// Where a user's tail is that has left the copy behind.
    gap: Option<Position>,
}

impl Lack {
    pub(crate) fn is_any(self) -> bool {
        self.is_doubtful || self.gap.is_some()
    }

    /// Something was left out, or failed, or was written by somebody else until now.
    pub(crate) fn doubt(&mut self) {
        (self.is_doubtful, self.is_being_mended) = (true, false);
    }

    /// The log stands elsewhere: what is being fetched may be just that.
    pub(crate) fn suspect(&mut self) {
        self.is_doubtful = true;
    }

    /// Whether what somebody fetches is still wanted: users may have brought it meanwhile.
    pub(crate) fn is_being_mended(self) -> bool {
        self.is_being_mended
    }

    /// A user's tail has reached this, and the copy cannot follow it.
    pub(crate) fn missed(&mut self, position: Position) {
        self.gap = Some(position);
    }

    /// A user's tail begins where the copy stands, or before: whatever else was missed, it brings the rest.
    pub(crate) fn followed(&mut self) {
        *self = Lack::default();
    }

    /// The copy has come to stand here.
    pub(crate) fn reached(&mut self, here: Position) {
        self.gap.take_if(|gap| here.covers(*gap));
    }

    /// Somebody begins to fetch all that is missing.
    pub(crate) fn begin_to_mend(&mut self) {
        self.is_being_mended = true;
    }

    /// He has brought all that the log has, and the copy stands here. A gap in another life of the log is none.
    pub(crate) fn mended(&mut self, here: Position) {
        self.is_doubtful &= !self.is_being_mended;
        self.gap.take_if(|gap| gap.epoch != here.epoch);
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, Revision};

    use super::*;

    fn at(epoch: u64, revision: u64) -> Position {
        Position::new(Epoch::new(epoch), Revision(revision))
    }

    #[test]
    fn what_goes_wrong_while_it_is_mended_leaves_a_doubt() {
        let mut lack = Lack::default();
        lack.doubt();
        lack.begin_to_mend();
        lack.doubt();
        lack.mended(at(1, 9));
        assert!(lack.is_any());
        lack.begin_to_mend();
        lack.mended(at(1, 9));
        assert!(!lack.is_any());
    }

    #[test]
    fn a_gap_is_closed_by_reaching_it_by_a_tail_that_goes_on_or_by_another_life() {
        let begun = || {
            let mut lack = Lack::default();
            lack.missed(at(1, 7));
            lack
        };
        let mut lack = begun();
        lack.reached(at(1, 6));
        lack.reached(at(2, 8));
        lack.begin_to_mend();
        lack.mended(at(1, 6));
        assert!(lack.is_any());
        lack.reached(at(1, 7));
        assert!(!lack.is_any());
        let mut lack = begun();
        lack.followed();
        assert!(!lack.is_any());
        let mut lack = begun();
        lack.mended(at(2, 1));
        assert!(!lack.is_any());
    }
}
