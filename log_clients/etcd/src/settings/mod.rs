//! Everything that can be set: as it was given, and checked.
//!
//! Never talks to a server.

pub(crate) mod address;
pub(crate) mod builder;
pub(crate) mod commit_settings;
pub(crate) mod credentials;
pub(crate) mod files;
pub(crate) mod server_version;
pub(crate) mod tls;
pub(crate) mod url;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};

use crate::settings::commit_settings::CommitSettings;
use crate::settings::credentials::Credentials;
use crate::settings::files::Unreadable;
use crate::settings::server_version::ServerVersion;
use crate::settings::tls::Tls;

/// The longest namespace, in bytes: it is sent with every key.
const MAX_NAMESPACE: usize = 256;
const MAX_PAGE_SIZE: usize = 100_000;
const MIB: usize = 1024 * 1024;
/// Less than what one commit may write is of no use; more than gRPC can say, neither.
const MESSAGE_BYTES: RangeInclusive<usize> = 4 * MIB..=i32::MAX as usize;

const MIN_DURATION: Duration = Duration::from_millis(10);
const MAX_DURATION: Duration = Duration::from_secs(60 * 60);
/// Servers cut clients that ping more often (`--grpc-keepalive-min-time`).
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(5);
pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What a log is built with. Unchecked until it comes out of [`Settings::checked`].
#[derive(Clone)]
pub(crate) struct Settings {
    /// Checked, `http://host:port` or `https://host:port`.
    pub(crate) endpoints: Vec<String>,
    /// What stands before the name of each keyspace.
    pub(crate) namespace: String,
    pub(crate) credentials: Credentials,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) tail_timeout: Duration,
    pub(crate) keep_alive_interval: Duration,
    pub(crate) keep_alive_timeout: Duration,
    /// Zero means never.
    pub(crate) rebalance_after: Duration,
    pub(crate) page_size: usize,
    pub(crate) max_message_bytes: usize,
    /// What the oldest server is, where that was said.
    pub(crate) server_version: Option<ServerVersion>,
    pub(crate) commits: CommitSettings,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            endpoints: Vec::new(),
            namespace: String::new(),
            credentials: Credentials::default(),
            tls: None,
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
            tail_timeout: Duration::from_secs(1),
            keep_alive_interval: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(5),
            rebalance_after: Duration::from_secs(60),
            page_size: 1000,
            max_message_bytes: 64 * MIB,
            server_version: None,
            commits: CommitSettings::default(),
        }
    }
}

impl Settings {
    /// The same, if every setting is one that can be used.
    pub(crate) fn checked(mut self) -> Result<Settings> {
        self.check_durations()?;
        self.check_sizes()?;
        self.commits.check().map_err(invalid)?;
        if self.server_version == Some(ServerVersion::UNKNOWN) {
            return Err(invalid(
                "server_version is not a version such as 3.5.30, with three numbers",
            ));
        }
        self.endpoints = self.normal_endpoints()?;
        let is_https = |endpoint: &String| endpoint.starts_with("https:");
        if self.tls.is_none() && self.endpoints.iter().any(is_https) {
            self.tls = Some(Tls::new());
        }
        Ok(self)
    }

    /// Puts keyspaces into a folder of this name, or into none.
    pub(crate) fn set_namespace(&mut self, mut namespace: String) {
        if !namespace.is_empty() && !namespace.ends_with('/') {
            namespace.push('/');
        }
        self.namespace = namespace;
    }

    /// Whether everything that is kept in files can be read now.
    pub(crate) fn check_files(&self) -> Result<()> {
        let unreadable = |why: Unreadable| invalid(why.to_string());
        self.credentials.check().map_err(unreadable)?;
        let config = self.tls.as_ref().map(Tls::config);
        config.transpose().map(drop).map_err(unreadable)
    }

    fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    fn normal_endpoints(&self) -> Result<Vec<String>> {
        let mut endpoints = Vec::new();
        for (index, given) in self.endpoints.iter().enumerate() {
            let endpoint = address::normal(given, self.scheme())
                .map_err(|why| invalid(format!("endpoint {} {why}", index + 1)))?;
            endpoints.push(endpoint);
        }
        let Some(first) = endpoints.first() else {
            return Err(invalid("there is no endpoint: give at least one"));
        };
        let is_https = |endpoint: &str| endpoint.starts_with("https:");
        if let Some(other) = endpoints.iter().find(|e| is_https(e) != is_https(first)) {
            return Err(invalid(format!(
                "{first} and {other} differ in their scheme: all endpoints must be http, or all https"
            )));
        }
        if self.tls.is_some() && !is_https(first) {
            return Err(invalid(format!(
                "TLS is set, but {first} is an endpoint without: use https://"
            )));
        }
        Ok(endpoints)
    }

    fn check_durations(&self) -> Result<()> {
        let usual = MIN_DURATION..=MAX_DURATION;
        let durations = [
            ("connect_timeout", self.connect_timeout, usual.clone()),
            ("request_timeout", self.request_timeout, usual.clone()),
            ("deadline", self.deadline, usual.clone()),
            ("tail_timeout", self.tail_timeout, usual.clone()),
            (
                "keep_alive_interval",
                self.keep_alive_interval,
                MIN_KEEP_ALIVE..=MAX_DURATION,
            ),
            ("keep_alive_timeout", self.keep_alive_timeout, usual),
            (
                "rebalance_after",
                self.rebalance_after,
                Duration::ZERO..=MAX_DURATION,
            ),
        ];
        for (name, duration, allowed) in durations {
            if !allowed.contains(&duration) {
                let (least, most) = (allowed.start(), allowed.end());
                return Err(invalid(format!(
                    "{name} is {duration:?}; it must be {least:?} to {most:?}"
                )));
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<()> {
        let sizes = [
            (
                "namespace",
                self.namespace.len(),
                0..=MAX_NAMESPACE,
                "bytes",
            ),
            ("page_size", self.page_size, 1..=MAX_PAGE_SIZE, "records"),
            (
                "max_message_bytes",
                self.max_message_bytes,
                MESSAGE_BYTES,
                "bytes",
            ),
        ];
        for (name, size, allowed, unit) in sizes {
            if !allowed.contains(&size) {
                let (least, most) = (allowed.start(), allowed.end());
                return Err(invalid(format!(
                    "{name} is {size} {unit}; it must be {least} to {most}"
                )));
            }
        }
        Ok(())
    }
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, what).while_doing("the etcd log's settings")
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What would be refused may hold a password.
        let endpoints = self.endpoints.iter();
        let endpoints: Vec<_> = endpoints
            .map(|given| match address::normal(given, self.scheme()) {
                Err(_) => "<not an address>".to_owned(),
                Ok(address) => address,
            })
            .collect();
        let version = self.server_version.map(|version| version.to_string());
        f.debug_struct("Settings")
            .field("endpoints", &endpoints)
            .field("namespace", &self.namespace)
            .field("credentials", &self.credentials)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("deadline", &self.deadline)
            .field("tail_timeout", &self.tail_timeout)
            .field("keep_alive_interval", &self.keep_alive_interval)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("rebalance_after", &self.rebalance_after)
            .field("page_size", &self.page_size)
            .field("max_message_bytes", &self.max_message_bytes)
            .field("server_version", &version)
            .field("commits", &self.commits)
            .finish()
    }
}
