//! What is said of a registry to people and their monitors.
//!
//! It only says: nothing is decided here, and nothing waits.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::Status;
use crate::recipes::registry::hub::Hub;

/// How a registry is doing: see [`Registry::status`](crate::Registry::status). It is written as JSON by serde.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RegistryStatus {
    /// How its map is doing: whether it follows its log, and how old what is listed may be.
    pub map: Status,
    /// How many services are listed.
    pub services: usize,
    /// How many members are listed, of all services.
    pub members: usize,
    /// Who is listed although it has gone, by service and id. An alarm: somebody has to look whether they live, and
    /// [accept](crate::Registry::accept) that they do not.
    pub held_back: Vec<HeldBack>,
    /// How many records are at keys that are no member's. They harm nobody.
    pub misnamed: usize,
}

/// A member that is [held back](crate::registry::Vanish).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldBack {
    /// Its service.
    pub service: String,
    /// Its id.
    pub id: String,
    /// For how long it is held back by now.
    #[serde(rename = "held_seconds", serialize_with = "in_seconds")]
    pub held: Duration,
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

impl RegistryStatus {
    pub(crate) fn of<T: Send + Sync + 'static>(hub: &Hub<T>) -> RegistryStatus {
        let listing = hub.listing();
        let rosters = listing.services.iter();
        let mut held_back = Vec::new();
        let alarming = rosters.filter(|(_, roster)| roster.held() > 0);
        for (service, roster) in alarming {
            let held = roster.members().iter().filter_map(|(id, listed)| {
                Some(HeldBack {
                    service: service.clone(),
                    id: id.clone(),
                    held: listed.held?.elapsed(),
                })
            });
            held_back.extend(held);
        }
        let filled = listing
            .services
            .values()
            .filter(|roster| !roster.is_empty());
        RegistryStatus {
            map: hub.map.status(),
            services: filled.count(),
            members: listing.services.values().map(|roster| roster.len()).sum(),
            held_back,
            misnamed: listing.misnamed,
        }
    }
}
