//! How much is searched, and what is broken on purpose.
//!
//! Never a rule of the protocol: a scope only bounds how often something may go wrong.

/// How often each thing may still happen that a quiet run does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    /// One has waited long enough, and gives up.
    pub bounds: u8,
    /// What one waits in is dropped, or what it holds.
    pub cancels: u8,
    /// A session ends, and its claims with it.
    pub deaths: u8,
    /// A commit is answered, and its sender does not hear it.
    pub lost_replies: u8,
    /// A commit is on its way for longer than its sender waits for it, or comes again.
    pub delays: u8,
}

/// A quiet run.
pub const NONE: Faults = Faults {
    bounds: 0,
    cancels: 0,
    deaths: 0,
    lost_replies: 0,
    delays: 0,
};

/// What a search goes through: two are in together, always.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub clients: u8,
    /// How often each may come.
    pub rounds: u8,
    pub faults: Faults,
}

impl Scope {
    pub const fn new(clients: u8, rounds: u8, faults: Faults) -> Scope {
        Scope {
            clients,
            rounds,
            faults,
        }
    }
}

/// A protocol that is wrong in one point. The search has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Who gives up takes its claim back whoever is in by then.
    GivesUpUnguarded,
    /// Who gives up and does not hear the answer takes it that it is not in.
    GivesUpUnheard,
    /// Who gives up a claim that does not stand any more takes it that it was not in.
    RejectsTheLost,
    /// A round begins with those of a view, whether or not they stand.
    BeginsUnguarded,
    /// A round begins although one goes on.
    BeginsOverAnother,
    /// A round ends as soon as one has left.
    EndsWithTheFirst,
    /// A round whose last one has left is not ended.
    NeverEnds,
    /// A round is ended whichever it is by then.
    EndsWhichever,
}
