//! From a URL to a builder.
//!
//! Never repeats a password in an error.

use std::time::Duration;

use globe_log_client::Result;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::builder::{EtcdBuilder, invalid};
use crate::tls::Tls;

const OPTIONS: &str = "connect_timeout, request_timeout, deadline, tail_timeout, page_size, \
                       tls_ca, tls_cert, tls_key, tls_domain";

/// Parses `etcd://[user[:password]@]host[:port],…[/namespace][?option=value&…]`.
pub(crate) fn parse(url: &str) -> Result<EtcdBuilder> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("etcd", rest)) => ("http", rest),
        Some(("etcds", rest)) => ("https", rest),
        Some((other, _)) => {
            return Err(invalid(format!(
                "the scheme {other:?} is not etcd:// or etcds://"
            )));
        }
        None => return Err(invalid("the URL has no scheme: etcd:// or etcds://")),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, namespace) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    let mut builder = EtcdBuilder::new().namespace(decoded(namespace, "namespace")?);
    for host in hosts.split(',') {
        builder = builder.endpoint(endpoint(&format!("{scheme}://{host}"), scheme)?);
    }
    if let Some(credentials) = credentials {
        let (name, password) = match credentials.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (credentials, None),
        };
        builder.user_name = Some(decoded(name, "user name")?);
        builder.password = password
            .map(|password| decoded(password, "password"))
            .transpose()?;
    }
    options(builder, query, scheme == "https")
}

/// Normalises an endpoint to `scheme://host:port`.
pub(crate) fn endpoint(given: &str, scheme: &str) -> Result<String> {
    let with_scheme = match given.contains("://") {
        true => given.to_owned(),
        false => format!("{scheme}://{given}"),
    };
    let wrong = |why: String| Err(invalid(format!("the endpoint {given:?} {why}")));
    if with_scheme.contains('@') {
        return Err(invalid("an endpoint holds no user: give it to the builder"));
    }
    let url = match Url::parse(&with_scheme) {
        Ok(url) => url,
        Err(error) => return wrong(format!("is wrong: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("is neither http:// nor https://".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return wrong("has more than a host and a port".to_owned());
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return wrong("has no host".to_owned());
    };
    let port = explicit_port(&with_scheme, &url).unwrap_or(2379);
    if port == 0 {
        return wrong("has the port 0".to_owned());
    }
    Ok(format!("{}://{host}:{port}", url.scheme()))
}

/// The port that was written, also when it is the scheme's own, which `Url` leaves out.
fn explicit_port(given: &str, url: &Url) -> Option<u16> {
    let authority = given.split_once("://").map_or(given, |(_, rest)| rest);
    let written = authority.trim_end_matches('/').rsplit_once(':')?.1;
    url.port().or_else(|| written.parse().ok())
}

fn options(mut builder: EtcdBuilder, query: &str, is_tls: bool) -> Result<EtcdBuilder> {
    let mut trust = Trust::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let name = &*name;
        builder = match name {
            "connect_timeout" => builder.connect_timeout(duration(name, &value)?),
            "request_timeout" => builder.request_timeout(duration(name, &value)?),
            "deadline" => builder.deadline(duration(name, &value)?),
            "tail_timeout" => builder.tail_timeout(duration(name, &value)?),
            "page_size" => builder.page_size(count(name, &value)?),
            "tls_ca" | "tls_cert" | "tls_key" | "tls_domain" if !is_tls => {
                return Err(invalid(format!("{name} is an option of etcds:// only")));
            }
            "tls_ca" | "tls_cert" | "tls_key" | "tls_domain" => {
                trust.set(name, &value)?;
                builder
            }
            _ => {
                return Err(invalid(format!(
                    "the option {name:?} does not exist; there are {OPTIONS}"
                )));
            }
        };
    }
    if is_tls {
        return Ok(builder.tls(trust.tls()?));
    }
    Ok(builder)
}

/// The options about TLS, as far as they were given.
#[derive(Default)]
struct Trust {
    tls: Tls,
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Trust {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let tls = std::mem::take(&mut self.tls);
        match name {
            "tls_domain" => self.tls = tls.domain_name(value),
            "tls_ca" => self.tls = tls.ca_pem(file(name, value)?),
            "tls_cert" => (self.tls, self.certificate) = (tls, Some(file(name, value)?)),
            _ => (self.tls, self.key) = (tls, Some(file(name, value)?)),
        }
        Ok(())
    }

    fn tls(self) -> Result<Tls> {
        match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Ok(self.tls.client_pem(certificate, key)),
            (None, None) => Ok(self.tls),
            _ => Err(invalid("tls_cert and tls_key go together: one is missing")),
        }
    }
}

fn decoded(part: &str, what: &str) -> Result<String> {
    match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid(format!("the {what} is not UTF-8"))),
    }
}

fn duration(name: &str, value: &str) -> Result<Duration> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = value.get(digits.len()..).unwrap_or_default();
    let milliseconds = match (digits.parse::<u64>(), unit) {
        (Ok(number), "ms") => Some(number),
        (Ok(number), "s") => number.checked_mul(1000),
        (Ok(number), "m") => number.checked_mul(60_000),
        _ => None,
    };
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        invalid(format!(
            "{name} is {value:?}, not a duration such as 500ms, 3s or 1m"
        ))
    })
}

fn count(name: &str, value: &str) -> Result<usize> {
    let number = value.parse();
    number.map_err(|_| invalid(format!("{name} is {value:?}, not a number")))
}

fn file(name: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        invalid(format!("{name}: the file {path} cannot be read")).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_url_says_everything() {
        let url = "etcd://al%40ice:p%3Ass@h1,10.0.0.2:80,[::1]:7/app%2Fx?deadline=9s&page_size=3&connect_timeout=20ms";
        let builder = parse(url).unwrap();
        let expected = ["http://h1:2379", "http://10.0.0.2:80", "http://[::1]:7"];
        assert_eq!(builder.settings.endpoints, expected);
        assert_eq!(builder.user_name.as_deref(), Some("al@ice"));
        assert_eq!(builder.password.as_deref(), Some("p:ss"));
        assert_eq!(builder.settings.namespace, "app/x");
        assert_eq!(builder.settings.deadline, Duration::from_secs(9));
        assert_eq!(builder.settings.page_size, 3);
        assert_eq!(builder.settings.connect_timeout, Duration::from_millis(20));
    }

    #[test]
    fn etcds_means_tls() {
        let builder = parse("etcds://h?tls_domain=d").unwrap();
        assert_eq!(builder.settings.endpoints, ["https://h:2379"]);
        assert!(format!("{:?}", builder.settings.tls).contains("\"d\""));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_repeated() {
        let table = [
            ("etcd//h", "scheme"),
            ("http://h", "http"),
            ("etcd://", "host"),
            ("etcd://u:hunter2@", "host"),
            ("etcd://u:hunter2@h:x", "h:x"),
            ("etcd://u:hunter2@h:0", "port 0"),
            ("etcd://u:hunter2@h,,i", "host"),
            ("etcd://u:%ff@h", "password"),
            ("etcd://h?colour=red", "connect_timeout"),
            ("etcd://h?deadline=3", "deadline"),
            ("etcd://h?deadline=-3s", "deadline"),
            ("etcd://h?page_size=many", "page_size"),
            ("etcd://h?tls_ca=x", "etcds"),
            ("etcds://h?tls_ca=/does/not/exist", "/does/not/exist"),
            ("etcds://h?tls_cert=/dev/null", "tls_key"),
        ];
        for (url, part) in table {
            let message = parse(url).unwrap_err().to_string();
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
