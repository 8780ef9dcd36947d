//! Everything that can be set, checked.
//!
//! Never read from anywhere but the builder.

use std::fmt;
use std::time::Duration;

use etcd_client::ConnectOptions;

use crate::commit_settings::CommitSettings;
use crate::tls::Tls;

/// HTTP/2 pings find a dead connection. Servers cut clients that ping more often than each 5 s.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(5);
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

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
    pub(crate) commits: CommitSettings,
}

impl Settings {
    /// The options of one connection. Its time bounds are ours: etcd-client's cover neither the dial nor a stream.
    pub(crate) fn connect_options(&self, with_user: bool) -> ConnectOptions {
        let mut options = ConnectOptions::new()
            .with_keep_alive(KEEP_ALIVE_EVERY, KEEP_ALIVE_WAIT)
            .with_keep_alive_while_idle(true)
            .with_tcp_keepalive(TCP_KEEP_ALIVE)
            .with_connect_timeout(self.connect_timeout)
            .with_require_leader(true);
        if let Some(tls) = &self.tls {
            options = options.with_tls(tls.options());
        }
        if let (true, Some((user, password))) = (with_user, &self.user) {
            options = options
                .with_user(user, password)
                .with_auto_token_refresh(true);
        }
        options
    }
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
            .field("commits", &self.commits)
            .finish()
    }
}
