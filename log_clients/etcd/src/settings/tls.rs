//! How servers are trusted and how this client shows who it is.
//!
//! Never shows a key.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::settings::files::{self, Unreadable};

/// How servers are trusted, and by which certificate they know this client. For endpoints with `https://`.
///
/// Without [`ca_pem`](Tls::ca_pem) or [`ca_file`](Tls::ca_file) the certificate authorities of the operating system are
/// trusted. Files are read once at the start, so that a mistake shows, and again whenever a member is dialled, so that
/// certificates can be replaced while the log is in use. Replace them by renaming: a certificate beside the key of
/// another is refused, until both are there. Connections that are open stay as they are.
///
/// A certificate that one side does not accept makes calls `Denied`, until another is there. A file that cannot be used
/// is `Invalid` when the log is connected, by the name of its setting and its path, and later `Unavailable`. No error
/// and no `Debug` shows a key.
///
/// The TLS is rustls, with `ring`: TLS 1.2 and 1.3.
///
/// ```no_run
/// use globe_etcd::{EtcdLog, Tls};
///
/// # async fn example() -> globe_log_client::Result<()> {
/// let tls = Tls::new()
///     .ca_file("/etc/etcd/ca.pem")
///     .client_files("/etc/etcd/client.pem", "/etc/etcd/client.key"); // mutual TLS
/// let log = EtcdLog::builder().endpoint("https://10.0.0.1").tls(tls).connect().await?;
///
/// // The same by one text:
/// let url = "etcds://10.0.0.1?tls_ca=/etc/etcd/ca.pem&tls_cert=/etc/etcd/client.pem&tls_key=/etc/etcd/client.key";
/// let log = EtcdLog::from_url(url).await?;
/// # let _ = log;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Pem>,
    client: Option<(Pem, Pem)>,
    domain_name: Option<String>,
}

/// Something PEM encoded, or where it is kept.
#[derive(Clone)]
enum Pem {
    Given(Vec<u8>),
    File(PathBuf),
}

impl Pem {
    fn read(&self, what: &str) -> Result<Cow<'_, [u8]>, Unreadable> {
        match self {
            Pem::Given(pem) => Ok(Cow::Borrowed(pem)),
            Pem::File(path) => files::read(what, path).map(Cow::Owned),
        }
    }
}

impl Tls {
    /// Trusts the operating system's authorities, and shows no certificate. What `https://` endpoints get without a
    /// `Tls` as well.
    #[must_use]
    pub fn new() -> Tls {
        Tls::default()
    }

    /// Trusts only these authorities, PEM encoded, instead of the operating system's. Several may follow each other;
    /// without any the log cannot be connected (`Invalid`). Takes the place of [`ca_file`](Tls::ca_file).
    #[must_use]
    pub fn ca_pem(mut self, certificates: impl Into<Vec<u8>>) -> Tls {
        self.ca = Some(Pem::Given(certificates.into()));
        self
    }

    /// Trusts only the authorities in this file, PEM encoded and at most 1 MiB, read again at each dial. Takes the
    /// place of [`ca_pem`](Tls::ca_pem).
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Tls {
        self.ca = Some(Pem::File(path.into()));
        self
    }

    /// Shows this certificate to servers and proves it with this key, both PEM encoded. A chain may follow the
    /// certificate. A key that is encrypted cannot be used. Takes the place of [`client_files`](Tls::client_files).
    #[must_use]
    pub fn client_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        self.client = Some((Pem::Given(certificate.into()), Pem::Given(key.into())));
        self
    }

    /// Shows the certificate in the first file and proves it with the key in the second, both PEM encoded and at most 1
    /// MiB, read again at each dial. Takes the place of [`client_pem`](Tls::client_pem).
    ///
    /// Where the server runs with `--client-cert-auth` and authentication is enabled, the certificate's common name is
    /// the user, if none is given to the builder: there is no password and no token to renew.
    #[must_use]
    pub fn client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Tls {
        self.client = Some((Pem::File(certificate.into()), Pem::File(key.into())));
        self
    }

    /// The name that servers' certificates must bear, when it is not the one in the endpoint: as where members are
    /// dialled by an address, or through a tunnel. It is one name for all members. A text that cannot be a name is
    /// `Invalid` when the log is connected.
    #[must_use]
    pub fn domain_name(mut self, name: impl Into<String>) -> Tls {
        self.domain_name = Some(name.into());
        self
    }

    /// What a dial needs, with the files as they are now.
    pub(crate) fn config(&self) -> Result<ClientConfig, Unreadable> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let trusting = versions
            .map_err(unfit("TLS"))?
            .with_root_certificates(self.roots()?);
        let mut config = match &self.client {
            None => trusting.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("tls_cert", certificate)?;
                let key = PrivateKeyDer::from_pem_slice(&key.read("tls_key")?)
                    .map_err(unfit("tls_key"))?;
                let shown = trusting.with_client_auth_cert(chain, key);
                shown.map_err(unfit("tls_cert"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// The name a server's certificate must bear, given the host that is dialled.
    pub(crate) fn server_name(&self, host: &str) -> Result<ServerName<'static>, Unreadable> {
        let name = self.domain_name.as_deref().unwrap_or(host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(name.to_owned()).map_err(unfit("tls_domain"))
    }

    fn roots(&self) -> Result<RootCertStore, Unreadable> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(ca) => {
                for authority in certificates("tls_ca", ca)? {
                    roots.add(authority).map_err(unfit("tls_ca"))?;
                }
            }
            // Operating systems carry some that no library takes; what is missing shows when a server is not trusted.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

/// At least one certificate.
fn certificates(what: &'static str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
    let text = pem.read(what)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found.map_err(unfit(what))? {
        none if none.is_empty() => Err(Unreadable::new(format!("{what} holds no certificate"))),
        found => Ok(found),
    }
}

/// Says what is wrong with a part of the settings. What the libraries say of it shows no key.
fn unfit<E: fmt::Display>(what: &'static str) -> impl Fn(E) -> Unreadable {
    move |error| Unreadable::new(format!("{what} cannot be used: {error}"))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_ca", &self.ca)
            .field("client_certificate", &self.client)
            .field("domain_name", &self.domain_name)
            .finish()
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::Given(_) => f.write_str("given"),
            Pem::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use globe_test_support::Certificates;

    use super::*;

    #[test]
    fn files_are_read_anew_and_named_when_they_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let tls = Tls::new().ca_file(path("ca"));
        let tls = tls.client_files(path("cert"), path("key"));
        let Certificates {
            authority, client, ..
        } = Certificates::new();
        let files = [
            ("ca", authority),
            ("cert", client.certificate),
            ("key", client.key),
        ];
        for (missing, held) in files {
            let why = tls.config().unwrap_err().to_string();
            let expected = path(missing).display().to_string();
            assert!(why.contains(&expected), "{missing}: {why}");
            std::fs::write(path(missing), held).unwrap();
        }
        tls.config().unwrap();
        for spoilt in ["key", "cert", "ca"] {
            std::fs::write(path(spoilt), "a secret").unwrap();
            let why = tls.config().unwrap_err().to_string();
            assert!(why.contains(spoilt) && !why.contains("secret"), "{why}");
        }
        assert!(!format!("{tls:?}").contains("secret"));
    }
}
