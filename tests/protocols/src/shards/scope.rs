//! How much is searched, and what is broken on purpose.
//!
//! Never a rule of the protocol: a scope only bounds how often something may go wrong.

use crate::recipes::shards::row;

/// What is more important where a shard moves, as the map has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    Strict,
    Available,
}

impl Mode {
    pub(crate) fn of_the_map(self) -> row::Mode {
        match self {
            Mode::Strict => row::Mode::Strict,
            Mode::Available => row::Mode::Available,
        }
    }
}

/// How often each thing may still happen that a quiet run does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    /// A planner moves the row, for the sake of balance.
    pub moves: u8,
    /// A member is asked to leave.
    pub drains: u8,
    /// A process ends, and may come again.
    pub crashes: u8,
    /// A session passes its deadline, and may end then.
    pub suspensions: u8,
    /// A planner has waited long enough for one that prepares.
    pub timeouts: u8,
    /// One that prepares refuses, or drops what it was given, which is the same.
    pub refusals: u8,
    /// One that was told to stop drops what it was given.
    pub dropped_drains: u8,
    /// A commit is on its way for longer than its sender waits for it.
    pub delays: u8,
    /// A commit arrives, and comes again later.
    pub repeats: u8,
    /// The log is set back to what it was.
    pub restores: u8,
}

/// A quiet run.
pub const NONE: Faults = Faults {
    moves: 0,
    drains: 0,
    crashes: 0,
    suspensions: 0,
    timeouts: 0,
    refusals: 0,
    dropped_drains: 0,
    delays: 0,
    repeats: 0,
    restores: 0,
};

/// What a search goes through.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub mode: Mode,
    pub workers: u8,
    /// How many of them plan, when it is their turn.
    pub planners: u8,
    pub faults: Faults,
    /// Who comes after a restore has seen nothing of the life before, and so has no grace.
    pub newcomers: bool,
    /// Whether it counts, in available mode, when nobody serves between the stop of one and the start of the next.
    pub counts_gaps: bool,
}

impl Scope {
    pub const fn new(mode: Mode, workers: u8, planners: u8, faults: Faults) -> Scope {
        Scope {
            mode,
            workers,
            planners,
            faults,
            newcomers: false,
            counts_gaps: false,
        }
    }
}

/// A hand-over that is wrong in one point. The search has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Who has stopped, and sees that it is not over, goes on.
    OwnedAgainInDrain,
    /// Whoever drops what told it to stop is not told again.
    LostDrain,
    /// One says that it has stopped before it has.
    DoneBeforeItStops,
    /// A commit is taken whatever the row is by then.
    RowUnguarded,
    /// What members say is taken whatever the row is by then, with what it was to become.
    MembersUnguarded,
    /// What a planner commits is taken although another plans by then.
    PlannerUnguarded,
    /// A planner gives the row to one of whom it has not seen that it leaves.
    TargetByCreationAlone,
    /// In another life of the log owners begin at once.
    NoGrace,
    /// A commit of one life of the log is taken in another.
    AnyLife,
    /// A member that came again takes itself for the one it was.
    KnownById,
    /// A strict owner goes on whatever its clock says.
    BlindToTheClock,
    /// A session ends before its owner's clocks say that it may have.
    NegativeMargin,
    /// A planner takes a row from whoever it drains too slowly.
    DrainCancelled,
    /// Nobody plans for what a dead one has left.
    DeadLeftAlone,
    /// One that is to leave does so whoever still names it.
    LeavesAtOnce,
}
