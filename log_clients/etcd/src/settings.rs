//! Everything that can be set, checked.
//!
//! Never read from anywhere but the builder.

use std::fmt;
use std::time::Duration;

use crate::tls::Tls;
use crate::version::Version;

pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Settings {
    /// `http://host:port` or `https://host:port`.
    pub(crate) endpoints: Vec<String>,
    /// Empty, or ends with `/`.
    pub(crate) namespace: String,
    pub(crate) user: Option<(String, String)>,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) tail_timeout: Duration,
    pub(crate) page_size: usize,
    /// How often HTTP/2 pings are sent, and how long each may take to be answered.
    pub(crate) keep_alive: (Duration, Duration),
    pub(crate) server_version: Option<Version>,
    pub(crate) rebalance_after: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One with a user in it is refused later, and must not show the password until then.
        let endpoints = self.endpoints.iter();
        let endpoints: Vec<_> = endpoints
            .map(|endpoint| {
                endpoint
                    .rsplit_once('@')
                    .map_or(&**endpoint, |(_, host)| host)
            })
            .collect();
        f.debug_struct("Settings")
            .field("endpoints", &endpoints)
            .field("namespace", &self.namespace)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("deadline", &self.deadline)
            .field("tail_timeout", &self.tail_timeout)
            .field("page_size", &self.page_size)
            .finish()
    }
}
