//! Who is let in, as the recipes have it.
//!
//! Never a rule of its own: only what a claim is made of is stood in for.

#[path = "../../../src/recipes/order.rs"]
pub(crate) mod order;
pub(crate) mod shards;

/// What the order asks of a claim.
pub(crate) mod claim {
    /// Whether it shares with others.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Mode {
        Write,
        Read,
    }

    /// A claim, as far as its place in the queue goes.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Claim {
        pub(crate) mode: Mode,
        pub(crate) weight: u32,
    }
}
