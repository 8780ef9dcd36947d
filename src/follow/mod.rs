//! What is followed: the snapshot is taken in, then the tail, and whatever breaks is mended.
//!
//! Nothing here is asked by a reader or a writer; it writes the replica, and nobody else does.

pub(crate) mod age;
pub(crate) mod applier;
pub(crate) mod complaints;
pub(crate) mod copy;
pub(crate) mod decoder;
pub(crate) mod door;
pub(crate) mod fetching;
pub(crate) mod held;
pub(crate) mod holding;
pub(crate) mod installation;
pub(crate) mod kept;
pub(crate) mod known;
pub(crate) mod opening;
pub(crate) mod pauses;
pub(crate) mod prober;
pub(crate) mod recall;
pub(crate) mod rivals;
pub(crate) mod running;
pub(crate) mod source;
pub(crate) mod staged;
pub(crate) mod tailer;
pub(crate) mod verdict;
pub(crate) mod witness;
