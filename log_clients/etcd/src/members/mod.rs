//! The members of a cluster: how they are reached, which one is used, and how long a request to one is waited for.
//!
//! Nothing here knows what a request asks for.

pub(crate) mod authenticator;
pub(crate) mod backoff;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod contact;
pub(crate) mod dial;
pub(crate) mod endpoints;
pub(crate) mod failback;
pub(crate) mod identity;
pub(crate) mod order;
pub(crate) mod patience;
pub(crate) mod pending;
pub(crate) mod preferred;
pub(crate) mod signed;
pub(crate) mod silence;
pub(crate) mod socket;
pub(crate) mod token;
