//! How servers are trusted and how this client shows who it is.
//!
//! Never shows a key.

use std::fmt;

use etcd_client::{Certificate, Identity, TlsOptions};

/// How servers are trusted, and by which certificate they know this client. For endpoints with `https://`.
///
/// Without [`ca_pem`](Tls::ca_pem) the certificate authorities of the operating system are trusted.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    domain_name: Option<String>,
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
        self.ca = Some(certificates.into());
        self
    }

    /// Shows this certificate to servers and proves it with this key, both PEM encoded.
    #[must_use]
    pub fn client_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        self.client = Some((certificate.into(), key.into()));
        self
    }

    /// The name that servers' certificates must bear, when it is not the one in the endpoint.
    #[must_use]
    pub fn domain_name(mut self, name: impl Into<String>) -> Tls {
        self.domain_name = Some(name.into());
        self
    }

    pub(crate) fn options(&self) -> TlsOptions {
        let mut options = match &self.ca {
            Some(ca) => TlsOptions::new().ca_certificate(Certificate::from_pem(ca)),
            None => TlsOptions::new().with_enabled_roots(),
        };
        if let Some((certificate, key)) = &self.client {
            options = options.identity(Identity::from_pem(certificate, key));
        }
        if let Some(name) = &self.domain_name {
            options = options.domain_name(name);
        }
        options
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_ca", &self.ca.is_some())
            .field("client_certificate", &self.client.is_some())
            .field("domain_name", &self.domain_name)
            .finish()
    }
}
