//! What a proxy does to its connections, as data: to all alike, or to each by its number.
//!
//! It moves no byte.

use std::collections::BTreeMap;
use std::time::Duration;

/// What happens to the bytes of one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How long each piece is on its way.
    pub delay: Duration,
    /// How much longer at most, by the proxy's dice. Pieces stay in order.
    pub jitter: Duration,
    /// How many bytes a second get through; all when nothing is said. Very few make a slow-loris.
    pub bytes_per_second: Option<u32>,
    /// Nothing gets through; what was held is delivered once this ends, even if its sender has long given up.
    pub is_held: bool,
    /// The connection is reset after this many bytes more, in the middle of whatever they are.
    pub cut_after: Option<u64>,
}

impl Flow {
    /// As before, later.
    #[must_use]
    pub fn delayed(delay: Duration, jitter: Duration) -> Flow {
        Flow {
            delay,
            jitter,
            ..Flow::default()
        }
    }

    /// Nothing gets through.
    #[must_use]
    pub fn held() -> Flow {
        Flow {
            is_held: true,
            ..Flow::default()
        }
    }

    /// This much gets through.
    #[must_use]
    pub fn throttled(bytes_per_second: u32) -> Flow {
        Flow {
            bytes_per_second: Some(bytes_per_second),
            ..Flow::default()
        }
    }

    /// The connection is reset after this many bytes.
    #[must_use]
    pub fn cut_after(bytes: u64) -> Flow {
        Flow {
            cut_after: Some(bytes),
            ..Flow::default()
        }
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// From the client to the server.
    pub requests: Flow,
    /// From the server to the client.
    pub replies: Flow,
    /// It is reset, and so is every new one.
    pub is_cut: bool,
}

impl Weather {
    /// The same in both directions.
    #[must_use]
    pub fn both(flow: Flow) -> Weather {
        Weather {
            requests: flow,
            replies: flow,
            is_cut: false,
        }
    }

    /// Everything is reset.
    #[must_use]
    pub fn cut() -> Weather {
        Weather {
            is_cut: true,
            ..Weather::default()
        }
    }
}

/// The weather of every connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sky {
    all: Weather,
    /// Connections, by number, that have their own.
    own: BTreeMap<u64, Weather>,
}

impl Sky {
    pub(crate) fn of(&self, connection: u64) -> Weather {
        self.own.get(&connection).copied().unwrap_or(self.all)
    }

    pub(crate) fn set(&mut self, weather: Weather) {
        self.all = weather;
    }

    pub(crate) fn set_one(&mut self, connection: u64, weather: Weather) {
        self.own.insert(connection, weather);
    }
}
