//! Real servers, started on loopback and broken on purpose, for Globe's tests.
//!
//! Nothing here imitates a server, and nothing skips a test: a server that is missing is a failure that says what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken set-up is a failure"
)]

mod balancer;
mod binaries;
mod certificates;
mod cluster;
mod course;
mod door;
mod etcd;
mod gateway;
mod grpc_proxy;
mod metrics;
pub mod netns;
mod port;
mod process;
mod proxy;
mod slow_disk;
pub mod usage;
mod wait;
mod weather;

pub use balancer::{Backend, Balancer};
pub use binaries::EtcdVersion;
pub use certificates::{Certificates, Pair};
pub use cluster::EtcdCluster;
pub use etcd::{EtcdBuilder, EtcdServer};
pub use gateway::{Act, Gateway, Rule, Said};
pub use grpc_proxy::GrpcProxy;
pub use metrics::{Counted, connections_to};
pub use port::free_port;
pub use proxy::Proxy;
pub use slow_disk::SlowDisk;
pub use wait::wait_until;
pub use weather::{Flow, Weather};
