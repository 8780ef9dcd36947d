//! Every setting: its default, its unit, and why one would change it.
//!
//! Never talks to a server.

use std::fmt;
use std::time::Duration;

use etcd_client::Client;
use globe_log_client::{Error, ErrorKind, Result};

use crate::commit_settings::CommitSettings;
use crate::log::EtcdLog;
use crate::runtime;
use crate::settings::Settings;
use crate::tls::Tls;
use crate::url;

/// The longest namespace, in bytes: it is sent with every key.
const MAX_NAMESPACE: usize = 256;
const MAX_DURATION: Duration = Duration::from_secs(60 * 60);
const MAX_PAGE_SIZE: usize = 100_000;

/// An [`EtcdLog`] in the making.
#[derive(Clone)]
pub struct EtcdBuilder {
    pub(crate) settings: Settings,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<String>,
}

impl EtcdBuilder {
    pub(crate) fn new() -> EtcdBuilder {
        EtcdBuilder {
            settings: Settings {
                endpoints: Vec::new(),
                namespace: String::new(),
                user: None,
                tls: None,
                connect_timeout: Duration::from_secs(1),
                request_timeout: Duration::from_secs(1),
                deadline: Duration::from_secs(5),
                tail_timeout: Duration::from_secs(1),
                page_size: 1000,
                commits: CommitSettings::default(),
            },
            user_name: None,
            password: None,
        }
    }

    /// A builder from `etcd://[user[:password]@]host[:port][,host[:port]…][/namespace][?option=value&…]`, or with
    /// `etcds://` over TLS. The port is 2379 unless given.
    ///
    /// Options, named as the methods here: `connect_timeout`, `request_timeout`, `deadline`, `tail_timeout` (as `500ms`,
    /// `3s`, `1m`), `page_size`, and for `etcds` the files `tls_ca`, `tls_cert`, `tls_key`, and `tls_domain`.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong. The password is never shown.
    pub fn from_url(url: &str) -> Result<EtcdBuilder> {
        url::parse(url)
    }

    /// Adds a member: `http://host:port`, `https://host:port`, or `host:port`, which means http without and https with
    /// [`tls`](EtcdBuilder::tls).
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

    /// A prefix of every key, so that several logs can share a cluster. Default: none. A `/` is added at its end.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> EtcdBuilder {
        self.settings.namespace = namespace.into();
        self
    }

    /// Who this client is. Default: what the environment says in `GLOBE_ETCD_USER` and `GLOBE_ETCD_PASSWORD`, else
    /// nobody.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> EtcdBuilder {
        self.user_name = Some(name.into());
        self.password = Some(password.into());
        self
    }

    /// How servers are trusted. Default: by the operating system's authorities, for endpoints with `https://`.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> EtcdBuilder {
        self.settings.tls = Some(tls);
        self
    }

    /// How long dialling a member may take. Default: 1 s; more on slow networks.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long one member may take for one request, before another is asked. Default: 1 s, so that a frozen member
    /// leaves time for the others.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.request_timeout = timeout;
        self
    }

    /// How long a call may take altogether, with all members it asks. Default: 5 s: longer than an election.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> EtcdBuilder {
        self.settings.deadline = deadline;
        self
    }

    /// How long a tail may come no closer to a commit that is known to exist, before it breaks. Default: 1 s. Shorter
    /// finds a frozen member sooner; longer forgives a slow one.
    #[must_use]
    pub fn tail_timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.settings.tail_timeout = timeout;
        self
    }

    /// How many records a snapshot asks for first. Default: 1000. Pages of small records grow to ten times that, pages
    /// of large ones shrink to what one answer may hold.
    #[must_use]
    pub fn page_size(mut self, records: usize) -> EtcdBuilder {
        self.settings.page_size = records;
        self
    }

    /// Checks every setting. Does not wait for any server: the first use does.
    ///
    /// # Errors
    /// `Invalid`, naming the setting that is wrong; also outside of a tokio runtime, and in one without its IO or time
    /// driver.
    pub async fn connect(mut self) -> Result<EtcdLog> {
        self.take_environment(|name| std::env::var(name).ok());
        let settings = self.check()?;
        runtime::check_drivers()?;
        // Builds what a connection needs, without one, so that a bad certificate is found here.
        for endpoint in &settings.endpoints {
            let options = settings.connect_options(false);
            if let Err(error) = Client::connect([endpoint], Some(options)).await {
                let what = format!("endpoint {endpoint}: {}", crate::fault::Fault::from(error));
                return Err(invalid(what));
            }
        }
        Ok(EtcdLog::of(settings))
    }

    fn take_environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        if self.user_name.is_none() {
            self.user_name = variable("GLOBE_ETCD_USER");
        }
        if self.user_name.is_some() && self.password.is_none() {
            self.password = variable("GLOBE_ETCD_PASSWORD");
        }
    }

    fn check(self) -> Result<Settings> {
        let mut settings = self.settings;
        settings.user = match (self.user_name, self.password) {
            (Some(name), _) if name.is_empty() => return Err(invalid("the user name is empty")),
            (Some(name), None) => {
                return Err(invalid(format!(
                    "user {name} has no password: give it to the builder, or in GLOBE_ETCD_PASSWORD"
                )));
            }
            (Some(name), Some(password)) => Some((name, password)),
            (None, _) => None,
        };
        check_durations(&settings)?;
        settings.namespace = namespace(&settings.namespace)?;
        if settings.page_size == 0 || settings.page_size > MAX_PAGE_SIZE {
            let page_size = settings.page_size;
            return Err(invalid(format!(
                "page_size is {page_size}; it must be 1 to {MAX_PAGE_SIZE} records"
            )));
        }
        settings.commits.check()?;
        settings.endpoints = endpoints(&settings)?;
        let is_https = |endpoint: &String| endpoint.starts_with("https:");
        if settings.tls.is_none() && settings.endpoints.iter().any(is_https) {
            settings.tls = Some(Tls::new());
        }
        Ok(settings)
    }
}

fn endpoints(settings: &Settings) -> Result<Vec<String>> {
    let scheme = match settings.tls {
        Some(_) => "https",
        None => "http",
    };
    let given = settings.endpoints.iter();
    let endpoints: Vec<_> = given
        .map(|endpoint| url::endpoint(endpoint, scheme))
        .collect::<Result<_>>()?;
    let Some(first) = endpoints.first() else {
        return Err(invalid("there is no endpoint: give at least one"));
    };
    let is_https = |endpoint: &str| endpoint.starts_with("https:");
    if let Some(other) = endpoints.iter().find(|e| is_https(e) != is_https(first)) {
        return Err(invalid(format!(
            "{first} and {other} differ in their scheme: all endpoints must be http, or all https"
        )));
    }
    if settings.tls.is_some() && !is_https(first) {
        return Err(invalid(format!(
            "TLS is set, but {first} is an endpoint without: use https://"
        )));
    }
    Ok(endpoints)
}

/// Normalises a namespace to end with `/`.
fn namespace(given: &str) -> Result<String> {
    let mut namespace = given.to_owned();
    if !namespace.is_empty() && !namespace.ends_with('/') {
        namespace.push('/');
    }
    if namespace.len() > MAX_NAMESPACE {
        let length = namespace.len();
        return Err(invalid(format!(
            "the namespace is {length} bytes long; at most {MAX_NAMESPACE} are allowed"
        )));
    }
    Ok(namespace)
}

fn check_durations(settings: &Settings) -> Result<()> {
    let durations = [
        ("connect_timeout", settings.connect_timeout),
        ("request_timeout", settings.request_timeout),
        ("deadline", settings.deadline),
        ("tail_timeout", settings.tail_timeout),
    ];
    for (name, duration) in durations {
        if duration < Duration::from_millis(10) || duration > MAX_DURATION {
            return Err(invalid(format!(
                "{name} is {duration:?}; it must be 10ms to {MAX_DURATION:?}"
            )));
        }
    }
    Ok(())
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, what).while_doing("the etcd log's settings")
}

impl fmt::Debug for EtcdBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBuilder")
            .field("settings", &self.settings)
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: EtcdBuilder) -> String {
        builder.check().unwrap_err().to_string()
    }

    fn good() -> EtcdBuilder {
        EtcdBuilder::new().endpoint("127.0.0.1:2379")
    }

    #[test]
    fn every_setting_reaches_its_place() {
        let second = Duration::from_secs(7);
        let settings = good()
            .namespace("app")
            .user("u", "p")
            .connect_timeout(second)
            .request_timeout(second * 2)
            .deadline(second * 3)
            .tail_timeout(second * 4)
            .page_size(5)
            .check()
            .unwrap();
        assert_eq!(settings.endpoints, ["http://127.0.0.1:2379"]);
        assert_eq!(settings.namespace, "app/");
        assert_eq!(settings.user, Some(("u".into(), "p".into())));
        assert_eq!(settings.connect_timeout, second);
        assert_eq!(settings.request_timeout, second * 2);
        assert_eq!(settings.deadline, second * 3);
        assert_eq!(settings.tail_timeout, second * 4);
        assert_eq!(settings.page_size, 5);
    }

    #[test]
    fn bad_settings_are_named() {
        let table = [
            (EtcdBuilder::new(), "endpoint"),
            (good().endpoint("ftp://h:1"), "ftp"),
            (good().endpoint("h:99999"), "h:99999"),
            (good().endpoint("https://h:1"), "scheme"),
            (
                EtcdBuilder::new().endpoint("http://h:1").tls(Tls::new()),
                "TLS",
            ),
            (good().deadline(Duration::ZERO), "deadline"),
            (good().tail_timeout(Duration::MAX), "tail_timeout"),
            (good().request_timeout(Duration::ZERO), "request_timeout"),
            (good().connect_timeout(Duration::ZERO), "connect_timeout"),
            (good().page_size(0), "page_size"),
            (good().user("", "p"), "user name"),
            (good().namespace("n".repeat(300)), "namespace"),
        ];
        for (builder, part) in table {
            let message = refused(builder);
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn the_environment_fills_in_only_what_was_not_said() {
        let variable = |name: &str| Some(format!("env-{name}"));
        let user = |mut builder: EtcdBuilder| {
            builder.take_environment(variable);
            builder.check().unwrap().user.unwrap()
        };
        let from_env = (
            "env-GLOBE_ETCD_USER".into(),
            "env-GLOBE_ETCD_PASSWORD".into(),
        );
        assert_eq!(user(good()), from_env);
        assert_eq!(user(good().user("u", "p")), ("u".into(), "p".into()));
        let url = EtcdBuilder::from_url("etcd://u@h").unwrap();
        assert_eq!(user(url), ("u".into(), "env-GLOBE_ETCD_PASSWORD".into()));
    }

    #[test]
    fn a_user_without_a_password_is_refused() {
        let builder = EtcdBuilder::from_url("etcd://u@h").unwrap();
        assert!(refused(builder).contains("password"));
    }

    #[test]
    fn no_debug_shows_a_secret() {
        let tls = Tls::new().client_pem("cert-secret", "key-secret");
        let builder = good().user("alice", "hunter2").tls(tls);
        let shown = format!("{builder:?} {:?}", builder.settings);
        assert!(shown.contains("alice"));
        for secret in ["hunter2", "cert-secret", "key-secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
