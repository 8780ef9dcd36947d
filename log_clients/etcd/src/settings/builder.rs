//! Every setting: its default, its unit, and why one would change it.
//!
//! Never talks to a server.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Result;

use crate::settings::Settings;
use crate::settings::credentials::Source;
use crate::settings::server_version::ServerVersion;
use crate::settings::tls::Tls;
use crate::settings::url;

/// An [`EtcdLog`](crate::EtcdLog) in the making: where the cluster is, who this client is, and how long things may
/// take.
///
/// | what | methods |
/// |---|---|
/// | where | [`endpoint`](EtcdBuilder::endpoint), [`endpoints`](EtcdBuilder::endpoints), [`namespace`](EtcdBuilder::namespace), [`key_prefix`](EtcdBuilder::key_prefix); all at once: [`from_url`](EtcdBuilder::from_url) |
/// | who | [`user`](EtcdBuilder::user), [`user_name`](EtcdBuilder::user_name), [`password_file`](EtcdBuilder::password_file), [`credentials`](EtcdBuilder::credentials), [`tls`](EtcdBuilder::tls) |
/// | how long | [`connect_timeout`](EtcdBuilder::connect_timeout), [`request_timeout`](EtcdBuilder::request_timeout), [`deadline`](EtcdBuilder::deadline), [`tail_timeout`](EtcdBuilder::tail_timeout), [`keep_alive`](EtcdBuilder::keep_alive), [`rebalance_after`](EtcdBuilder::rebalance_after) |
/// | how much | [`page_size`](EtcdBuilder::page_size), [`max_message_bytes`](EtcdBuilder::max_message_bytes), [`max_operations`](EtcdBuilder::max_operations), [`max_transaction_bytes`](EtcdBuilder::max_transaction_bytes) |
/// | the fence | [`fence_slots`](EtcdBuilder::fence_slots), [`fence_ttl`](EtcdBuilder::fence_ttl) |
/// | the server | [`server_version`](EtcdBuilder::server_version) |
///
/// Setting something costs nothing and talks to nobody. Every setting is checked by [`connect`](EtcdBuilder::connect):
/// what is out of its range is `Invalid`, by name. What is set last counts. A builder may be cloned and connected more
/// than once: each log has connections of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe_log_client::Result<()> {
/// use std::time::Duration;
/// use globe_etcd::EtcdLog;
///
/// let log = EtcdLog::builder()
///     .endpoints(["10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"])
///     .namespace("prod") // the keyspace `flags` is what lies below `prod/flags/`
///     .deadline(Duration::from_secs(3)) // a call takes no longer
///     .connect()
///     .await?;
/// # let _ = log;
///
/// let wrong = EtcdLog::builder().endpoint("10.0.0.1").page_size(0).connect().await;
/// assert!(wrong.unwrap_err().to_string().contains("page_size"));
/// # Ok(()) }
/// ```
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
    /// Options are named as the methods here and have their defaults and ranges. Times, as `500ms`, `3s`, `1m`:
    /// `connect_timeout`, `request_timeout`, `deadline`, `tail_timeout`, `rebalance_after`, `fence_ttl`, and for
    /// [`keep_alive`](EtcdBuilder::keep_alive) the two `keep_alive_interval` and `keep_alive_timeout`. Numbers:
    /// `page_size`, `max_message_bytes`, `max_operations`, `max_transaction_bytes`, `fence_slots`. Texts:
    /// `server_version`, `key_prefix`, `password_file`. For `etcds` alone: the files `tls_ca`, `tls_cert` with
    /// `tls_key`, and the name `tls_domain`. In a text `@ & #`, blanks and `%` are written `%40 %26 %23 %20 %25`; a `+`
    /// is a `+`.
    ///
    /// It reads no file and talks to nobody. What the URL says can be added to, or replaced, by the methods here.
    ///
    /// ```
    /// use globe_etcd::EtcdBuilder;
    ///
    /// # fn main() -> globe_log_client::Result<()> {
    /// let builder = EtcdBuilder::from_url("etcd://app@h1,h2,h3/prod?deadline=3s&password_file=/run/secrets/etcd")?;
    /// let builder = builder.page_size(500);
    /// # let _ = builder;
    ///
    /// // No error repeats any of a URL: a password may stand anywhere in one that is wrong.
    /// let wrong = EtcdBuilder::from_url("etcd://app:pass/word@h1").unwrap_err();
    /// assert!(!wrong.to_string().contains("word@"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong. Nothing of the URL is repeated in it, because a password may stand in
    /// any part of one that is wrong.
    pub fn from_url(url: &str) -> Result<EtcdBuilder> {
        let settings = url::parse(url)?;
        Ok(EtcdBuilder { settings })
    }

    /// Adds a member: `http://host:port`, `https://host:port`, or `host:port`, which means http without and https with
    /// [`tls`](EtcdBuilder::tls). The port is 2379 unless given. All endpoints are http, or all are https. At least one
    /// is needed.
    ///
    /// A name with several addresses is dialled at whichever answers; members are not looked up by DNS SRV records, and
    /// the cluster is not asked for others.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> EtcdBuilder {
        self.settings.endpoints.push(endpoint.into());
        self
    }

    /// Adds members, as [`endpoint`](EtcdBuilder::endpoint) does. Give all of a cluster's: with them the death of one
    /// costs no error. One is asked at a time, drawn at random, so that many clients spread over them.
    #[must_use]
    pub fn endpoints<E: Into<String>>(
        mut self,
        endpoints: impl IntoIterator<Item = E>,
    ) -> EtcdBuilder {
        let endpoints = endpoints.into_iter().map(Into::into);
        self.settings.endpoints.extend(endpoints);
        self
    }

    /// A prefix of every key, so that several logs can share a cluster; at most 256 bytes. Default: none. A `/` is
    /// added at its end, so that no namespace reaches into another of a longer name. Set to nothing, there is none.
    ///
    /// Everything of this log then lies below it, the log's own records too: a role needs rights to this one prefix,
    /// and `etcdctl get --prefix prod/flags/` shows the keyspace `flags` of the namespace `prod`. A *keyspace* that is
    /// called as a namespace of another log shows what lies in there: the log warns of that once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe_log_client::Result<()> {
    /// use globe_etcd::EtcdLog;
    ///
    /// let cluster = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    /// let live = EtcdLog::builder().endpoints(cluster).namespace("prod").connect().await?;
    /// let trial = EtcdLog::builder().endpoints(cluster).namespace("test").connect().await?;
    /// // The keyspace `flags` is `prod/flags/…` in one and `test/flags/…` in the other. By a URL:
    /// let live_too = EtcdLog::from_url("etcd://10.0.0.1,10.0.0.2,10.0.0.3/prod").await?;
    /// # let _ = (live, trial, live_too);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> EtcdBuilder {
        self.settings.set_namespace(namespace.into());
        self
    }

    /// As [`namespace`](EtcdBuilder::namespace), which it replaces, but without the added `/`: for records that lie
    /// below something like `prod-`. Nothing keeps such prefixes apart: keyspace `b` below `a` is keyspace `ab` below
    /// none. The log's own records lie below the prefix and `/.globe/`: those of `prod-` in `prod-/.globe/`.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> EtcdBuilder {
        self.settings.namespace = prefix.into();
        self
    }

    /// Who this client is. Default: what the environment says in `GLOBE_ETCD_USER` and `GLOBE_ETCD_PASSWORD` when it
    /// logs in, else nobody. Who is known by a TLS certificate alone needs none of this.
    ///
    /// The password stays the same for the life of the log, and is shown by no error, no `Debug` and no trace. One that
    /// changes is better read from [a file](EtcdBuilder::password_file) or [asked for](EtcdBuilder::credentials). One
    /// login serves all connections of a log; expired tokens are renewed by another. Where the server refuses it, calls
    /// are `Denied`.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> EtcdBuilder {
        self.settings.credentials.source = Source::Fixed(password.into());
        self.user_name(name)
    }

    /// Who this client is, with the password from [`password_file`](EtcdBuilder::password_file), or from the
    /// environment's `GLOBE_ETCD_PASSWORD` when it logs in. Without either, or empty, it is `Invalid` when the log is
    /// connected.
    ///
    /// ```no_run
    /// # async fn example() -> globe_log_client::Result<()> {
    /// use globe_etcd::EtcdLog;
    ///
    /// let log = EtcdLog::builder()
    ///     .endpoint("10.0.0.1")
    ///     .user_name("app")
    ///     .password_file("/run/secrets/etcd") // `Invalid` if it is not there
    ///     .connect()
    ///     .await?;
    /// # let _ = log;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn user_name(mut self, name: impl Into<String>) -> EtcdBuilder {
        self.settings.credentials.name = Some(name.into());
        self
    }

    /// The file that holds the password, as UTF-8, at most 1 MiB; one end of line at its end does not count. It is read
    /// again at each login, so the password can be changed while the log is in use: replace the file by renaming. Takes
    /// the place of a password given before.
    ///
    /// A file that cannot be read, or is larger, is `Invalid` with its path when the log is connected, and later
    /// `Unavailable` with its path, until it can be read again.
    #[must_use]
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> EtcdBuilder {
        self.settings.credentials.source = Source::File(path.into());
        self
    }

    /// Asks for a user name and a password at each login, so that they may come from anywhere and change while the log
    /// is in use. Takes the place of a user given before.
    ///
    /// It may block: it is called on a thread where that holds up nobody else. It is first called at the first use of
    /// the log. When it fails, the login fails, calls are `Unavailable` with its error, and it is asked again; its
    /// error is shown as its `Display`, so that must hold no secret. A panic is such a failure.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe_log_client::Result<()> {
    /// use globe_etcd::EtcdLog;
    ///
    /// let log = EtcdLog::builder()
    ///     .endpoint("10.0.0.1")
    ///     .credentials(|| Ok(("app".to_owned(), std::fs::read_to_string("/run/secrets/etcd")?)))
    ///     .connect() // asks for nothing yet
    ///     .await?;
    /// # let _ = log;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn credentials(
        mut self,
        provider: impl Fn() -> io::Result<(String, String)> + Send + Sync + 'static,
    ) -> EtcdBuilder {
        self.settings.credentials.source = Source::Provider(Arc::new(provider));
        self
    }

    /// How servers are trusted, and by which certificate this client is known: see [`Tls`]. Default: by the operating
    /// system's authorities, for endpoints with `https://`. With it, an endpoint that says `http://` is `Invalid`.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> EtcdBuilder {
        self.settings.tls = Some(tls);
        self
    }

    /// How long dialling a member may take, TLS included. Default: 1 s; 10 ms to 1 h. More on slow networks. A member
    /// that was not reached is left for another, and nothing was sent.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long one member may take for one request, before another is asked. Default: 1 s, so that a frozen member
    /// leaves time for the others; 10 ms to 1 h.
    ///
    /// A member that answers nothing for so long is left. One that is only slow, and says so when it is asked, goes on
    /// being waited for by what must not be sent twice, until three quarters of the
    /// [`deadline`](EtcdBuilder::deadline); a read goes to another member.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.request_timeout = timeout;
        self
    }

    /// How long a call may take altogether, with all members it asks. Default: 5 s: longer than an election; 10 ms to 1
    /// h. A commit ends by its own [`timeout`](globe_log_client::Transaction::timeout), if that is sooner.
    ///
    /// It bounds one call of the log and each page of a snapshot, not the wait for the next batch of a tail. A call
    /// that could not be answered by then is `Unavailable`; a commit that may have been taken, and whose outcome could
    /// not be found out, `Indeterminate`.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> EtcdBuilder {
        self.settings.deadline = deadline;
        self
    }

    /// How long a tail may come no closer to a commit that is known to exist, before it breaks. Default: 1 s; 10 ms to
    /// 1 h. Shorter finds a frozen member sooner; longer forgives a slow one. A tail that knows everything is never
    /// broken by it, however quiet it is; and its first catch-up may take 60 times as long, while its member is alive.
    #[must_use]
    pub fn tail_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.tail_timeout = timeout;
        self
    }

    /// How often a connection on which something is waited for is probed with an HTTP/2 ping, and how long its answer
    /// may take before the connection counts as dead. Default: 10 s and 5 s; an interval of 5 s to 1 h, a timeout of 10
    /// ms to 1 h.
    ///
    /// Servers cut clients that ping more often than their `--grpc-keepalive-min-time`, 5 s unless set: set the
    /// interval above that. Proxies that cut quiet connections want it below their idle limit. A connection on which
    /// nothing is waited for is not pinged, since servers cut that too (`too_many_pings`).
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration, timeout: Duration) -> EtcdBuilder {
        self.settings.keep_alive_interval = interval;
        self.settings.keep_alive_timeout = timeout;
        self
    }

    /// How long after it left a member this client returns to it, so that the load spreads again after a rolling
    /// restart. Default: 60 s; at most 1 h; zero means never. Each client waits up to twice that, at random, and
    /// returns only once the member answers; tails move over without a gap.
    #[must_use]
    pub fn rebalance_after(mut self, pause: Duration) -> EtcdBuilder {
        self.settings.rebalance_after = pause;
        self
    }

    /// How many records a snapshot asks for first. Default: 1000; 1 to 100,000. Pages of small records grow to three
    /// times that, pages of large ones shrink to what one answer may hold. One page is held in memory at a time, of
    /// about 2 MiB where records are smaller than that; it is parsed at once, which takes the thread that reads it
    /// about a millisecond where it has 3,000 small ones.
    #[must_use]
    pub fn page_size(mut self, records: usize) -> EtcdBuilder {
        self.settings.page_size = records;
        self
    }

    /// The largest answer that is accepted, in bytes. Default: 64 MiB; 4 MiB to 2 GiB − 1. More where the server's
    /// `--max-request-bytes` allows larger values; less to bound what one answer may take of the memory.
    ///
    /// A record that alone is larger is left out of snapshots, with a traced error that names it; the rest of its
    /// keyspace is there.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> EtcdBuilder {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// The version of the oldest server, such as `3.5.30`. Default: what each server says. Only for installations where
    /// a client cannot learn it, as behind a gateway that does not let `Maintenance` through: a server of unknown
    /// version is treated as one with every known fault, which is slower. One that is older than said here is believed
    /// where it should not be.
    ///
    /// An ordinary user needs none of this, although servers since 3.5.28 tell their version to root alone
    /// (etcd-io/etcd#21663): that refusal shows how new they are.
    #[must_use]
    pub fn server_version(mut self, version: impl AsRef<str>) -> EtcdBuilder {
        self.settings.server_version = Some(ServerVersion::parse(version.as_ref()));
        self
    }

    /// The most writes, and also the most preconditions, in one transaction. Default: 127; 1 to 100,000. etcd takes 128
    /// operations unless it is started with another `--max-txn-ops`, and one is needed for the fence.
    ///
    /// More is `TooLarge` without asking the server. A server that takes fewer is found out by the first transaction it
    /// refuses, at the cost of some requests that change nothing; `capabilities()` shows it from then on.
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> EtcdBuilder {
        self.settings.commits.max_operations = operations;
        self
    }

    /// The most bytes of keys and values in one transaction; one value may have four fifths of it. Default: 1,310,720;
    /// 1,024 to 1 GiB. That is five sixths of what etcd takes in one request unless it is started with another
    /// `--max-request-bytes`: the rest is left for the encoding. More is `TooLarge` without asking the server. One that
    /// takes less is found out by the first transaction it refuses, to a sixteenth.
    #[must_use]
    pub fn max_transaction_bytes(mut self, bytes: usize) -> EtcdBuilder {
        self.settings.commits.max_transaction_bytes = bytes;
        self
    }

    /// How many commits of this client may be under way at once; more wait, until the
    /// [`deadline`](EtcdBuilder::deadline). Default: 64; 1 to 1,024. Each takes a small record in etcd once it is used,
    /// which ends with this client's lease. A slot whose commit was given up is used again only after it was rewritten.
    #[must_use]
    pub fn fence_slots(mut self, slots: usize) -> EtcdBuilder {
        self.settings.commits.fence.slots = slots;
        self
    }

    /// How long this client's own records outlive its last commit, and so for how long a commit that was given up may
    /// still land at the most, if no member can be reached to take it back. Default: 60 s; 10 s to 1 h, rounded up to
    /// whole seconds; an election starts it again. Their lease is renewed after a third of it, on the way of a commit,
    /// and replaced after five sixths: shorter means more renewals.
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
mod tests;
