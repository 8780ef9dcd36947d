//! What all know of each other: which services there are, and what a member says of itself.
//!
//! Only words. Fields may be added: they are read by those who know them, and `serde(default)` where they are missing.

use std::sync::Arc;

use globe::{LogClient, Registry};
use serde::{Deserialize, Serialize};

/// The services there are, by the names they are registered under.
pub(crate) const GREETER: &str = "greeter";
pub(crate) const GATEWAY: &str = "gateway";

/// Where a member listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) url: String,
}

/// The registry of this cluster.
pub(crate) async fn registry(
    log: Arc<dyn LogClient>,
    keyspace: &str,
) -> globe::Result<Registry<Address>> {
    Registry::open(log, keyspace).await
}
