//! The map and sessions over real etcd servers, end to end: shared, without a server, in another life of the log, on a cluster.
//!
//! Never looks at the log but through the map and etcd's own tools.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod abandoned;
mod cluster;
mod costs;
mod descriptors;
mod fifty;
mod guards;
mod lives;
mod namespaces;
mod node;
mod offline;
mod outages;
mod proxies;
mod sessions;
mod settings;
mod shards;
mod shared;
