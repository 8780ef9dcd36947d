//! Certificates of a test's own: an authority, a server, a client, and bad ones.
//!
//! Nothing here is a secret, and nothing outlives its test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Everything a TLS test needs.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority that signed the others.
    pub authority: String,
    /// An authority that signed none of them.
    pub stranger: String,
    /// For `localhost` and 127.0.0.1.
    pub server: Pair,
    /// For the user `client`.
    pub client: Pair,
    /// As `server`, but out of date.
    pub expired_server: Pair,
}

impl Certificates {
    /// Makes them.
    #[must_use]
    pub fn new() -> Certificates {
        let authority = authority("Globe test authority");
        let yesterday = OffsetDateTime::now_utc() - Duration::days(1);
        let in_a_year = yesterday + Duration::days(365);
        Certificates {
            server: leaf(&authority, "localhost", in_a_year),
            client: leaf(&authority, "client", in_a_year),
            expired_server: leaf(&authority, "localhost", yesterday),
            authority: authority.as_ref().pem(),
            stranger: self::authority("somebody else").as_ref().pem(),
        }
    }

    /// Writes `ca.crt`, `server.crt`, `server.key`, `client.crt`, `client.key` into a folder.
    pub(crate) fn write(&self, dir: &Path, server: &Pair) {
        let write = |name: &str, pem: &str| std::fs::write(dir.join(name), pem).expect("a file");
        write("ca.crt", &self.authority);
        write("server.crt", &server.certificate);
        write("server.key", &server.key);
        write("client.crt", &self.client.certificate);
        write("client.key", &self.client.key);
    }
}

impl Default for Certificates {
    fn default() -> Certificates {
        Certificates::new()
    }
}

/// The path of one of the files written for a server.
pub(crate) fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

fn leaf(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, until: OffsetDateTime) -> Pair {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(30);
    params.not_after = until;
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}
