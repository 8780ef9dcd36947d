//! How servers are trusted and how this client shows who it is.
//!
//! Never shows a key.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use etcd_client::{Certificate, Identity, TlsOptions};

use crate::files::{self, Unreadable};

/// How servers are trusted, and by which certificate they know this client. For endpoints with `https://`.
///
/// Without [`ca_pem`](Tls::ca_pem) or [`ca_file`](Tls::ca_file) the certificate authorities of the operating system are
/// trusted. Files are read once at the start, so that a mistake shows, and again whenever a member is dialled, so that
/// certificates can be replaced while the log is in use. Replace them by renaming: a certificate beside the key of another
/// is refused, until both are there.
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
    /// Trusts the operating system's authorities, and shows no certificate.
    #[must_use]
    pub fn new() -> Tls {
        Tls::default()
    }

    /// Trusts only these authorities, PEM encoded, instead of the operating system's.
    #[must_use]
    pub fn ca_pem(mut self, certificates: impl Into<Vec<u8>>) -> Tls {
        self.ca = Some(Pem::Given(certificates.into()));
        self
    }

    /// Trusts only the authorities in this file, PEM encoded and at most 1 MiB, read again at each dial.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Tls {
        self.ca = Some(Pem::File(path.into()));
        self
    }

    /// Shows this certificate to servers and proves it with this key, both PEM encoded.
    #[must_use]
    pub fn client_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        self.client = Some((Pem::Given(certificate.into()), Pem::Given(key.into())));
        self
    }

    /// Shows the certificate in the first file and proves it with the key in the second, both PEM encoded and at most
    /// 1 MiB, read again at each dial.
    #[must_use]
    pub fn client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Tls {
        self.client = Some((Pem::File(certificate.into()), Pem::File(key.into())));
        self
    }

    /// The name that servers' certificates must bear, when it is not the one in the endpoint.
    #[must_use]
    pub fn domain_name(mut self, name: impl Into<String>) -> Tls {
        self.domain_name = Some(name.into());
        self
    }

    /// What a dial needs, with the files as they are now.
    pub(crate) fn options(&self) -> Result<TlsOptions, Unreadable> {
        let mut options = match &self.ca {
            Some(ca) => TlsOptions::new().ca_certificate(Certificate::from_pem(ca.read("tls_ca")?)),
            None => TlsOptions::new().with_enabled_roots(),
        };
        if let Some((certificate, key)) = &self.client {
            let (certificate, key) = (certificate.read("tls_cert")?, key.read("tls_key")?);
            options = options.identity(Identity::from_pem(certificate, key));
        }
        if let Some(name) = &self.domain_name {
            options = options.domain_name(name);
        }
        Ok(options)
    }
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
    use super::*;

    #[test]
    fn files_are_read_anew_and_named_when_they_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let tls = Tls::new().ca_file(path("ca"));
        let tls = tls.client_files(path("cert"), path("key"));
        for missing in ["ca", "cert", "key"] {
            let why = tls.options().unwrap_err().to_string();
            let expected = path(missing).display().to_string();
            assert!(why.contains(&expected), "{missing}: {why}");
            std::fs::write(path(missing), "first").unwrap();
        }
        tls.options().unwrap();
        std::fs::write(path("key"), "second").unwrap();
        let (_, key) = tls.client.as_ref().unwrap();
        assert_eq!(&*key.read("key").unwrap(), b"second");
        std::fs::remove_file(path("cert")).unwrap();
        assert!(tls.options().is_err());
        assert!(!format!("{tls:?}").contains("second"));
    }
}
