//! How a picker picks.
//!
//! Only words: nothing here decides anything.

/// How a [`Picker`](crate::registry::Picker) picks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pick {
    /// One after the other, whatever their weights.
    RoundRobin,
    /// Anyone, whatever the weights.
    Random,
    /// Of two drawn at random the one that has fewer requests of this process under way, for its weight: who is slow, or
    /// weak, gets less.
    #[default]
    TwoChoices,
    /// Anyone, by the weights.
    Weighted,
    /// The member a key belongs to, by the weights: the same in every process that sees the same members, of whatever zone. A
    /// member that joins only takes keys, one that leaves only gives them. Without a key it is anyone, by the weights.
    Hash,
}
