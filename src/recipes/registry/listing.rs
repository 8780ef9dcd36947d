//! What is listed of all services, at one revision: what every read looks at.
//!
//! Never changes: the next one takes its place.

use std::sync::Arc;

use imbl::OrdMap;
use tokio::time::Instant;

use crate::View;
use crate::recipes::registry::record::Record;
use crate::recipes::registry::roster::Roster;

pub(crate) struct Listing<T> {
    /// Of two, the later one has the greater number.
    pub(crate) number: u64,
    /// The map it was made of.
    pub(crate) view: View<String, Record<T>>,
    pub(crate) services: OrdMap<String, Arc<Roster<T>>>,
    /// How many records are at keys that are no member's.
    pub(crate) misnamed: usize,
    /// When it was proved last that it is current, as far as was known when it was made.
    pub(crate) proved: Option<Instant>,
}

impl<T> Listing<T> {
    pub(crate) fn roster(&self, service: &str) -> Option<&Arc<Roster<T>>> {
        self.services.get(service)
    }

    /// Whether a view shows nothing else: it may be of a later position.
    pub(crate) fn is_of(&self, view: &View<String, Record<T>>) -> bool {
        let listed = &self.view;
        view.position() == listed.position()
            || (view.len() == listed.len() && view.diff(listed).is_empty())
    }
}
