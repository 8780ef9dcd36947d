//! What is listed of all services, at one revision: what every read looks at.
//!
//! Never changes: the next one takes its place.

use std::sync::Arc;

use imbl::OrdMap;
use tokio::time::Instant;

use crate::recipes::registry::record::Record;
use crate::recipes::registry::roster::Roster;
use crate::{Position, View};

pub(crate) struct Listing<T> {
    /// Of two, the later one has the greater number.
    pub(crate) number: u64,
    /// The map it was made of; `None` while none was looked at.
    view: Option<View<String, Record<T>>>,
    pub(crate) services: OrdMap<String, Arc<Roster<T>>>,
    /// How many records are at keys that are no member's.
    pub(crate) misnamed: usize,
    /// When it was proved last that it is current, as far as was known when it was made.
    pub(crate) proved: Option<Instant>,
}

impl<T> Listing<T> {
    pub(crate) fn new(
        number: u64,
        view: View<String, Record<T>>,
        services: OrdMap<String, Arc<Roster<T>>>,
        misnamed: usize,
        proved: Option<Instant>,
    ) -> Listing<T> {
        Listing {
            number,
            view: Some(view),
            services,
            misnamed,
            proved,
        }
    }

    /// Of nothing.
    pub(crate) fn none() -> Listing<T> {
        Listing {
            number: 1,
            view: None,
            services: OrdMap::new(),
            misnamed: 0,
            proved: None,
        }
    }

    /// Where in the log it is true.
    pub(crate) fn position(&self) -> Position {
        let view = self.view.as_ref();
        view.map_or_else(Position::default, |view| view.position())
    }

    pub(crate) fn roster(&self, service: &str) -> Option<&Arc<Roster<T>>> {
        self.services.get(service)
    }

    /// Whether a view shows nothing else: it may be of a later position.
    pub(crate) fn is_of(&self, view: &View<String, Record<T>>) -> bool {
        let Some(listed) = &self.view else {
            return view.is_empty();
        };
        view.position() == listed.position()
            || (view.len() == listed.len() && view.diff(listed).is_empty())
    }
}
