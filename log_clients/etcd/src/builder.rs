//! Every setting: its default, its unit, and why one would change it.
//!
//! Never talks to a server.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Result;

use crate::credentials::Source;
use crate::server_version::ServerVersion;
use crate::settings::Settings;
use crate::tls::Tls;
use crate::url;

/// An [`EtcdLog`](crate::EtcdLog) in the making. Every setting is checked when it is connected.
#[derive(Clone)]
pub struct EtcdBuilder {
    pub(crate) settings: Settings,
}

impl EtcdBuilder {
    pub(crate) fn new() -> EtcdBuilder {
        EtcdBuilder {
            settings: Settings::default(),
        }
    }

    /// A builder from `etcd://[user[:password]@]host[:port][,host[:port]…][/namespace][?option=value&…]`, or with
    /// `etcds://` over TLS. The port is 2379 unless given. In a user name, a password, and a namespace the characters
    /// `@ / ? #`, blanks and `%` are written `%40 %2F %3F %23 %20 %25` (in a namespace `/` may stand as it is).
    ///
    /// Options, named as the methods here: `connect_timeout`, `request_timeout`, `deadline`, `tail_timeout`,
    /// `rebalance_after` (as `500ms`, `3s`, `1m`), `keep_alive_interval` and `keep_alive_timeout` (likewise), `page_size`,
    /// `max_message_bytes`, `server_version`, `key_prefix`, `password_file`, and for `etcds` the files `tls_ca`,
    /// `tls_cert`, `tls_key`, and `tls_domain`.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong. Nothing of the URL is repeated in it, because a password may stand in any
    /// part of one that is wrong.
    pub fn from_url(url: &str) -> Result<EtcdBuilder> {
        let settings = url::parse(url)?;
        Ok(EtcdBuilder { settings })
    }

    /// Adds a member: `http://host:port`, `https://host:port`, or `host:port`, which means http without and https with
    /// [`tls`](EtcdBuilder::tls). The port is 2379 unless given.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> EtcdBuilder {
        self.settings.endpoints.push(endpoint.into());
        self
    }

    /// Adds members. With all of a cluster's, the death of one is not noticed.
    #[must_use]
    pub fn endpoints<E: Into<String>>(
        mut self,
        endpoints: impl IntoIterator<Item = E>,
    ) -> EtcdBuilder {
        let endpoints = endpoints.into_iter().map(Into::into);
        self.settings.endpoints.extend(endpoints);
        self
    }

    /// A prefix of every key, so that several logs can share a cluster; at most 256 bytes. Default: none. A `/` is added
    /// at its end, so that no namespace reaches into another of a longer name.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> EtcdBuilder {
        self.settings.set_namespace(namespace.into());
        self
    }

    /// As [`namespace`](EtcdBuilder::namespace), which it replaces, but without the added `/`: for records that lie below
    /// something like `prod-`. Nothing keeps such prefixes apart: keyspace `b` below `a` is keyspace `ab` below none.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> EtcdBuilder {
        self.settings.namespace = prefix.into();
        self
    }

    /// Who this client is. Default: what the environment says in `GLOBE_ETCD_USER` and `GLOBE_ETCD_PASSWORD` when it
    /// logs in, else nobody. Who is known by a TLS certificate alone needs none of this.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> EtcdBuilder {
        self.settings.credentials.source = Source::Fixed(password.into());
        self.user_name(name)
    }

    /// Who this client is, with the password from [`password_file`](EtcdBuilder::password_file), or from the environment's
    /// `GLOBE_ETCD_PASSWORD` when it logs in.
    #[must_use]
    pub fn user_name(mut self, name: impl Into<String>) -> EtcdBuilder {
        self.settings.credentials.name = Some(name.into());
        self
    }

    /// The file that holds the password, as UTF-8, at most 1 MiB; one end of line at its end does not count. It is read
    /// again at each login, so the password can be changed while the log is in use. Takes the place of a password given
    /// before.
    #[must_use]
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> EtcdBuilder {
        self.settings.credentials.source = Source::File(path.into());
        self
    }

    /// Asks for a user name and a password at each login, so that they may come from anywhere and change while the log is
    /// in use. Takes the place of a user given before.
    ///
    /// It may wait. When it fails, the login fails and is tried again later; its error is shown as its `Display`, so that
    /// must hold no secret. A panic is such a failure.
    #[must_use]
    pub fn credentials(
        mut self,
        provider: impl Fn() -> io::Result<(String, String)> + Send + Sync + 'static,
    ) -> EtcdBuilder {
        self.settings.credentials.source = Source::Provider(Arc::new(provider));
        self
    }

    /// How servers are trusted. Default: by the operating system's authorities, for endpoints with `https://`.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> EtcdBuilder {
        self.settings.tls = Some(tls);
        self
    }

    /// How long dialling a member may take. Default: 1 s; 10 ms to 1 h. More on slow networks.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long one member may take for one request, before another is asked. Default: 1 s, so that a frozen member
    /// leaves time for the others; 10 ms to 1 h.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.request_timeout = timeout;
        self
    }

    /// How long a call may take altogether, with all members it asks. Default: 5 s: longer than an election; 10 ms to 1 h.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> EtcdBuilder {
        self.settings.deadline = deadline;
        self
    }

    /// How long a tail may come no closer to a commit that is known to exist, before it breaks. Default: 1 s; 10 ms to
    /// 1 h. Shorter finds a frozen member sooner; longer forgives a slow one.
    #[must_use]
    pub fn tail_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.tail_timeout = timeout;
        self
    }

    /// How often a connection on which something is waited for is probed with an HTTP/2 ping, and how long its answer may
    /// take before the connection counts as dead. Default: 10 s and 5 s; an interval of 5 s to 1 h, a timeout of 10 ms to 1 h.
    ///
    /// Servers cut clients that ping more often than their `--grpc-keepalive-min-time`, 5 s unless set: set the interval
    /// above that. Proxies that cut quiet connections want it below their idle limit.
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration, timeout: Duration) -> EtcdBuilder {
        self.settings.keep_alive_interval = interval;
        self.settings.keep_alive_timeout = timeout;
        self
    }

    /// How long after a member came back clients return to it, so that the load spreads again. Default: 60 s; at most 1 h;
    /// zero means never.
    #[must_use]
    pub fn rebalance_after(mut self, pause: Duration) -> EtcdBuilder {
        self.settings.rebalance_after = pause;
        self
    }

    /// How many records a snapshot asks for first. Default: 1000; 1 to 100,000. Pages of small records grow to ten times
    /// that, pages of large ones shrink to what one answer may hold.
    #[must_use]
    pub fn page_size(mut self, records: usize) -> EtcdBuilder {
        self.settings.page_size = records;
        self
    }

    /// The largest answer that is accepted, in bytes. Default: 64 MiB; 4 MiB to 2 GiB − 1. More where the server's
    /// `--max-request-bytes` allows larger values; less to bound what one answer may take of the memory.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> EtcdBuilder {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// The version of the oldest server, such as `3.5.30`. Default: what each server says. Only for installations where a
    /// client cannot learn it: a server of unknown version is treated as one with every known fault, which is slower. One
    /// that is older than said here is believed where it should not be.
    #[must_use]
    pub fn server_version(mut self, version: impl AsRef<str>) -> EtcdBuilder {
        self.settings.server_version = Some(ServerVersion::parse(version.as_ref()));
        self
    }

    /// The most writes, and also the most preconditions, in one transaction. Default: 127; 1 to 100,000. etcd takes 128
    /// operations unless it is started with another `--max-txn-ops`, and one is needed for the fence. A server that takes
    /// fewer is found out by the first transaction it refuses.
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> EtcdBuilder {
        self.settings.commits.max_operations = operations;
        self
    }

    /// The most bytes of keys and values in one transaction; one value may have four fifths of it. Default: 1,310,720;
    /// 1,024 to 1 GiB. That is five sixths of what etcd takes in one request unless it is started with another
    /// `--max-request-bytes`: the rest is left for the encoding. A server that takes less is found out by the first
    /// transaction it refuses.
    #[must_use]
    pub fn max_transaction_bytes(mut self, bytes: usize) -> EtcdBuilder {
        self.settings.commits.max_transaction_bytes = bytes;
        self
    }

    /// How many commits of this client may be under way at once; more wait. Default: 64; 1 to 1,024. Each takes a small
    /// record in etcd once it is used.
    #[must_use]
    pub fn fence_slots(mut self, slots: usize) -> EtcdBuilder {
        self.settings.commits.fence.slots = slots;
        self
    }

    /// How long this client's own records outlive its last commit, and so for how long a commit that was given up may
    /// still land at the most. Default: 60 s; 10 s to 1 h, rounded up to whole seconds. Their lease is renewed after a
    /// third of it, on the way of a commit, and replaced after five sixths: shorter means more renewals.
    #[must_use]
    pub fn fence_ttl(mut self, ttl: Duration) -> EtcdBuilder {
        self.settings.commits.fence.ttl = ttl;
        self
    }
}

impl fmt::Debug for EtcdBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBuilder")
            .field("settings", &self.settings)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(builder: EtcdBuilder) -> Result<Settings> {
        let settings = builder.settings.checked()?;
        settings.check_files()?;
        Ok(settings)
    }

    fn refused(builder: EtcdBuilder) -> String {
        checked(builder).unwrap_err().to_string()
    }

    fn good() -> EtcdBuilder {
        EtcdBuilder::new().endpoint("127.0.0.1:2379")
    }

    #[test]
    fn every_setting_reaches_its_place() {
        let second = Duration::from_secs(7);
        let builder = good()
            .namespace("app")
            .user("u", "p")
            .connect_timeout(second)
            .request_timeout(second * 2)
            .deadline(second * 3)
            .tail_timeout(second * 4)
            .keep_alive(second * 5, second * 6)
            .rebalance_after(second * 7)
            .page_size(5)
            .max_message_bytes(5 << 20)
            .server_version("3.6.9-rc.1")
            .max_operations(6)
            .max_transaction_bytes(7000)
            .fence_slots(8)
            .fence_ttl(second * 9);
        let settings = checked(builder).unwrap();
        assert_eq!(settings.commits.max_operations, 6);
        assert_eq!(settings.commits.max_transaction_bytes, 7000);
        assert_eq!(settings.commits.fence.slots, 8);
        assert_eq!(settings.commits.fence.ttl, second * 9);
        assert_eq!(settings.endpoints, ["http://127.0.0.1:2379"]);
        assert_eq!(settings.namespace, "app/");
        let login = settings.credentials.read().unwrap();
        assert_eq!(login, Some(("u".into(), "p".into())));
        assert_eq!(settings.connect_timeout, second);
        assert_eq!(settings.request_timeout, second * 2);
        assert_eq!(settings.deadline, second * 3);
        assert_eq!(settings.tail_timeout, second * 4);
        assert_eq!(settings.keep_alive_interval, second * 5);
        assert_eq!(settings.keep_alive_timeout, second * 6);
        assert_eq!(settings.rebalance_after, second * 7);
        assert_eq!(settings.page_size, 5);
        assert_eq!(settings.max_message_bytes, 5 << 20);
        assert_eq!(settings.server_version, Some(ServerVersion::parse("3.6.9")));
    }

    #[test]
    fn a_namespace_ends_with_a_slash_and_a_prefix_as_it_was_given() {
        let table = [
            (good().namespace("a"), "a/"),
            (good().namespace("a/b/"), "a/b/"),
            (good().namespace("a").namespace(""), ""),
            (good().namespace("a").key_prefix("b-"), "b-"),
        ];
        for (builder, namespace) in table {
            assert_eq!(checked(builder).unwrap().namespace, namespace);
        }
    }

    #[test]
    fn bad_settings_are_named() {
        let second = Duration::from_secs(1);
        let table = [
            (EtcdBuilder::new(), "endpoint"),
            (good().endpoint("ftp://h:1"), "endpoint 2 is neither http"),
            (good().endpoint("h:99999"), "endpoint 2 has a port"),
            (good().endpoint("u:p@h"), "endpoint 2 holds an @"),
            (good().endpoint("https://h:1"), "scheme"),
            (
                EtcdBuilder::new().endpoint("http://h:1").tls(Tls::new()),
                "TLS",
            ),
            (good().deadline(Duration::ZERO), "deadline"),
            (good().tail_timeout(Duration::MAX), "tail_timeout"),
            (good().request_timeout(Duration::ZERO), "request_timeout"),
            (good().connect_timeout(Duration::ZERO), "connect_timeout"),
            (good().keep_alive(second, second), "keep_alive_interval"),
            (
                good().keep_alive(second * 9, Duration::ZERO),
                "keep_alive_timeout",
            ),
            (good().rebalance_after(Duration::MAX), "rebalance_after"),
            (good().page_size(0), "page_size"),
            (good().max_message_bytes(1 << 20), "max_message_bytes"),
            (good().max_message_bytes(1 << 31), "max_message_bytes"),
            (good().server_version("newest"), "server_version"),
            (good().server_version("3.5"), "server_version"),
            (good().user("", "p"), "user name"),
            (good().user_name("u").password_file("/no/file"), "/no/file"),
            (good().namespace("n".repeat(300)), "namespace"),
        ];
        for (builder, part) in table {
            let message = refused(builder);
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn what_is_said_last_counts() {
        let provider = || Ok(("p".to_owned(), "asked".to_owned()));
        let builder = good().credentials(provider);
        let login = |builder: EtcdBuilder| checked(builder).unwrap().credentials.read().unwrap();
        let asked = Some(("p".into(), "asked".into()));
        assert_eq!(login(builder.clone()), asked);
        let said = Some(("u".into(), "said".into()));
        assert_eq!(login(builder.user("u", "said")), said);
        let builder = good().user("u", "said");
        assert_eq!(login(builder.clone().credentials(provider)), asked);
        assert!(refused(builder.password_file("/no/file")).contains("/no/file"));
    }

    #[test]
    fn no_debug_shows_a_secret() {
        let tls = Tls::new().client_pem("cert-secret", "key-secret");
        let builder = good().endpoint("u:endpoint-secret@h");
        let builder = builder.user("alice", "hunter2").tls(tls);
        let shown = format!("{builder:?} {:?}", builder.settings);
        assert!(shown.contains("alice"));
        for secret in ["hunter2", "cert-secret", "key-secret", "endpoint-secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
