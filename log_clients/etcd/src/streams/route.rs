//! The watch of one tail, as the stream it is on knows it.
//!
//! Never sends anything to the server.

use etcd_client::proto::PbWatchResponse;

use crate::streams::mailbox::Post;

/// The watch of one tail.
pub(crate) struct Route {
    pub(crate) post: Post,
    /// The first revision that is watched.
    pub(crate) first: u64,
    /// Its number at the server, once it stands.
    pub(crate) id: Option<i64>,
    /// How many progress requests were sent before it was created.
    pub(crate) asked: u64,
    /// The revision the server had when it was created, or 0.
    pub(crate) created_at: u64,
    /// The revision it must reach, until it has.
    pub(crate) want: Option<u64>,
    /// What it was delivered.
    pub(crate) reached: u64,
}

impl Route {
    pub(crate) fn new(first: u64, post: Post, asked: u64) -> Route {
        Route {
            post,
            first,
            id: None,
            asked,
            created_at: 0,
            want: None,
            reached: 0,
        }
    }

    /// It must reach `revision`, unless it has: 0 if there is nothing to wait for any more.
    pub(crate) fn wants(&mut self, revision: u64) {
        self.want = (revision > self.reached).then_some(revision);
    }

    /// It waits for progress that can come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.want.is_some() && self.id.is_some()
    }

    /// It was delivered all up to `revision`.
    pub(crate) fn reaches(&mut self, revision: u64) {
        self.reached = self.reached.max(revision);
        self.want = self.want.filter(|want| *want > self.reached);
    }
}

/// The revision of the server that sent a message.
pub(crate) fn revision_of(message: &PbWatchResponse) -> u64 {
    let revision = message.header.as_ref().map_or(0, |header| header.revision);
    u64::try_from(revision).unwrap_or(0)
}
