//! Ways to put a number, and which watch of the other process shows it.
//!
//! It never puts anything itself.

/// A way to put.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Put {
    /// By Globe, into its map.
    Ours,
    /// By etcd-client, doing what Globe does: with guards, and with a watch in the same process.
    ByHand,
    /// By etcd-client, and nothing else.
    Bare,
    /// By etcd-client, into Globe's map.
    Foreign,
}

/// All of them: ours is the first.
pub(crate) const PUTS: [Put; 4] = [Put::Ours, Put::ByHand, Put::Bare, Put::Foreign];

/// The place among them that the targets are beside.
pub(crate) const BY_HAND: usize = 1;

impl Put {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Put::Ours => "Globe",
            Put::ByHand => "guarded by hand → watch",
            Put::Bare => "bare put → watch",
            Put::Foreign => "bare put → Globe",
        }
    }

    /// What the other process says when it sees it.
    pub(crate) fn seen_as(self, key: &str, number: usize) -> String {
        match self {
            Put::Ours | Put::Foreign => format!("globe {key}={number}"),
            Put::ByHand => format!("raw by-hand/{key}={number}"),
            Put::Bare => format!("raw {key}={number}"),
        }
    }
}
