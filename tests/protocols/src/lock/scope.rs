//! How much is searched, and what is broken on purpose.
//!
//! Never a rule of the protocol: a scope only bounds how often something may go wrong.

/// How often each thing may still happen that a quiet run does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    /// A lease was not renewed until its deadline.
    pub suspensions: u8,
    /// A request or a guard is dropped, whatever is under way.
    pub cancels: u8,
    /// A commit never reaches the log.
    pub losses: u8,
    /// A commit reaches the log a second time, at any time.
    pub repeats: u8,
    /// A release is on its way for a while.
    pub delays: u8,
    /// The answer to a renewal is on its way for a while, perhaps for longer than it proves anything.
    pub late_answers: u8,
    /// The log goes back to its backup, into another life.
    pub restores: u8,
    /// An operator deletes a claim.
    pub deletes: u8,
    /// A lease ends although its owner's clocks say that it lives: they stood still, or his machine did.
    pub hidden: u8,
    /// A holder sends something to a resource that keeps a gate.
    pub writes: u8,
    /// A holder sends a transaction that requires its claim.
    pub requires: u8,
}

/// A quiet run.
pub const NONE: Faults = Faults {
    suspensions: 0,
    cancels: 0,
    losses: 0,
    repeats: 0,
    delays: 0,
    late_answers: 0,
    restores: 0,
    deletes: 0,
    hidden: 0,
    writes: 0,
    requires: 0,
};

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One holds at a time.
    Lock,
    /// Some read, and hold together.
    Shared,
    /// Some take one permit, the others two, of so many.
    Permits(u32),
}

/// What a search goes through.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub clients: u8,
    /// How many claims each may try to make.
    pub claims: u8,
    pub faults: Faults,
    /// Whether claims may share.
    pub kind: Kind,
    /// Whether a session that is lost is opened anew, rather than that it goes on under another lease. It then knows nothing
    /// of the life of the log before.
    pub newcomers: bool,
}

impl Scope {
    pub const fn new(clients: u8, claims: u8, faults: Faults) -> Scope {
        Scope {
            clients,
            claims,
            faults,
            kind: Kind::Lock,
            newcomers: false,
        }
    }
}

/// A protocol that is wrong in one point. The search has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// What nobody wants is left.
    NoSweep,
    /// What nobody wants is left while its session wants nothing.
    SweepsOnlyWhileWanting,
    /// A claim is taken for the one that was made, whichever commit created it.
    KnownByKey,
    /// Who waits is not looked at when its session may grant again.
    WokenByClaimsAlone,
    /// All claims of a session have one key, and what stands there already was made by an earlier attempt.
    KeyUsedTwice,
    /// A claim that is gone is created again, for the guard of before.
    PutBack,
    /// Claims are granted at once in another life of the log.
    NoGrace,
    /// The deadline lies after the end of the lease.
    NegativeMargin,
    /// An answer proves from when it came, and not from when it was asked for.
    AnswerCountsFromItsArrival,
    /// The claim is deleted before its holder stops.
    ReleasedBeforeItStops,
    /// Each claim counts as one permit, whatever it takes.
    WeightsOfOne,
    /// A claim is let in when there is any permit left, whatever it takes.
    OwnWeightForgotten,
    /// A transaction that requires a claim is not bound to the life of the log.
    RequiredInAnyLife,
}
