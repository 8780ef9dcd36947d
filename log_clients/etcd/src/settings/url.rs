//! From a URL to settings.
//!
//! Never repeats any of the URL in an error: a password may stand in each part of one that is wrong.

use std::time::Duration;

use globe_log_client::Result;
use percent_encoding::percent_decode_str;

use crate::settings::address;
use crate::settings::credentials::Source;
use crate::settings::server_version::ServerVersion;
use crate::settings::tls::Tls;
use crate::settings::{Settings, invalid};

const OPTIONS: &str = "connect_timeout, request_timeout, deadline, tail_timeout, keep_alive_interval, \
                       keep_alive_timeout, rebalance_after, page_size, max_message_bytes, server_version, max_operations, \
                       max_transaction_bytes, fence_slots, fence_ttl, key_prefix, password_file, tls_ca, tls_cert, tls_key, tls_domain";

/// The parts of a URL, as they are written.
struct Parts<'a> {
    is_tls: bool,
    credentials: Option<&'a str>,
    hosts: &'a str,
    namespace: &'a str,
    query: &'a str,
}

/// Parses `etcd://[user[:password]@]host[:port],…[/namespace][?option=value&…]`.
pub(crate) fn parse(url: &str) -> Result<Settings> {
    let parts = split(url)?;
    let mut settings = Settings::default();
    let scheme = if parts.is_tls { "https" } else { "http" };
    for (index, host) in parts.hosts.split(',').enumerate() {
        let address = address::normal(host, scheme);
        let address =
            address.map_err(|why| invalid(format!("host {} of the URL {why}", index + 1)))?;
        settings.endpoints.push(address);
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid(
            "the URL holds a blank or the end of a line: write %20, or leave it out",
        ));
    }
    if let Some(credentials) = parts.credentials {
        let (name, password) = match credentials.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (credentials, None),
        };
        settings.credentials.name = Some(decoded(name, "user name")?);
        if let Some(password) = password {
            settings.credentials.source = Source::Fixed(decoded(password, "password")?);
        }
    }
    settings.set_namespace(decoded(parts.namespace, "namespace")?);
    options(&mut settings, parts.query, parts.is_tls)?;
    Ok(settings)
}

/// Splits a URL where RFC 3986 does, and refuses what was probably meant to be split elsewhere.
fn split(url: &str) -> Result<Parts<'_>> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("the URL has no scheme: etcd:// or etcds://"));
    };
    let is_tls = match scheme {
        "etcd" => false,
        "etcds" => true,
        _ => {
            return Err(invalid(
                "the scheme of the URL is neither etcd:// nor etcds://",
            ));
        }
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_beyond = rest.contains('@');
    if is_beyond || authority.matches('@').count() > 1 {
        return Err(invalid(
            "the URL has an @ that does not stand between credentials and hosts: write @ as %40 elsewhere, and in a \
             password / as %2F, ? as %3F, # as %23",
        ));
    }
    if rest.contains('#') {
        return Err(invalid(
            "the URL has a fragment, which begins with a #: write # as %23, or leave it out",
        ));
    }
    if authority.ends_with(':') && rest.starts_with("//") {
        return Err(invalid(
            "the URL has a scheme among its hosts: it stands once, at the start",
        ));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.split_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    Ok(Parts {
        is_tls,
        credentials,
        hosts,
        namespace: path.strip_prefix('/').unwrap_or(path),
        query,
    })
}

/// Takes the options over. One that does not exist is told by its place and not its name, which may be part of a
/// password.
fn options(settings: &mut Settings, query: &str, is_tls: bool) -> Result<()> {
    let mut trust = Trust::default();
    let given = query.split('&').filter(|option| !option.is_empty());
    for (index, option) in given.enumerate() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let place = format!("option {}", index + 1);
        let (name, value) = (decoded(name, &place)?, decoded(value, &place)?);
        let value = value.as_str();
        match name.as_str() {
            "connect_timeout" => settings.connect_timeout = duration(&name, value)?,
            "request_timeout" => settings.request_timeout = duration(&name, value)?,
            "deadline" => settings.deadline = duration(&name, value)?,
            "tail_timeout" => settings.tail_timeout = duration(&name, value)?,
            "keep_alive_interval" => settings.keep_alive_interval = duration(&name, value)?,
            "keep_alive_timeout" => settings.keep_alive_timeout = duration(&name, value)?,
            "rebalance_after" => settings.rebalance_after = duration(&name, value)?,
            "page_size" => settings.page_size = count(&name, value)?,
            "max_message_bytes" => settings.max_message_bytes = count(&name, value)?,
            "server_version" => settings.server_version = Some(ServerVersion::parse(value)),
            "max_operations" => settings.commits.max_operations = count(&name, value)?,
            "max_transaction_bytes" => {
                settings.commits.max_transaction_bytes = count(&name, value)?;
            }
            "fence_slots" => settings.commits.fence.slots = count(&name, value)?,
            "fence_ttl" => settings.commits.fence.ttl = duration(&name, value)?,
            "key_prefix" => key_prefix(settings, value)?,
            "password_file" => password_file(settings, value)?,
            "tls_ca" | "tls_cert" | "tls_key" | "tls_domain" if !is_tls => {
                return Err(invalid(format!("{name} is an option of etcds:// only")));
            }
            "tls_ca" | "tls_cert" | "tls_key" | "tls_domain" => trust.set(&name, value),
            _ => {
                return Err(invalid(format!(
                    "option {} of the URL does not exist; there are {OPTIONS}",
                    index + 1
                )));
            }
        }
    }
    if is_tls {
        settings.tls = Some(trust.tls()?);
    }
    Ok(())
}

fn key_prefix(settings: &mut Settings, prefix: &str) -> Result<()> {
    if !settings.namespace.is_empty() {
        return Err(invalid(
            "key_prefix stands in the place of the namespace: give one of them",
        ));
    }
    prefix.clone_into(&mut settings.namespace);
    Ok(())
}

fn password_file(settings: &mut Settings, path: &str) -> Result<()> {
    if let Source::Fixed(_) = settings.credentials.source {
        return Err(invalid(
            "password_file: the URL has a password already: give one of them",
        ));
    }
    settings.credentials.source = Source::File(path.into());
    Ok(())
}

/// The options about TLS, as far as they were given.
#[derive(Default)]
struct Trust {
    tls: Tls,
    certificate: Option<String>,
    key: Option<String>,
}

impl Trust {
    fn set(&mut self, name: &str, value: &str) {
        let tls = std::mem::take(&mut self.tls);
        match name {
            "tls_domain" => self.tls = tls.domain_name(value),
            "tls_ca" => self.tls = tls.ca_file(value),
            "tls_cert" => (self.tls, self.certificate) = (tls, Some(value.to_owned())),
            _ => (self.tls, self.key) = (tls, Some(value.to_owned())),
        }
    }

    fn tls(self) -> Result<Tls> {
        match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Ok(self.tls.client_files(certificate, key)),
            (None, None) => Ok(self.tls),
            _ => Err(invalid("tls_cert and tls_key go together: one is missing")),
        }
    }
}

fn decoded(part: &str, what: &str) -> Result<String> {
    match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid(format!("the {what} in the URL is not UTF-8"))),
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
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(|| invalid(format!("{name} is not a duration such as 500ms, 3s or 1m")))
}

fn count(name: &str, value: &str) -> Result<usize> {
    let number = value.parse();
    number.map_err(|_| invalid(format!("{name} is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_url_says_everything() {
        let url = "etcd://al%40ice:p%3A%2F%3F%23ss@h1,10.0.0.2:80,[::1]:7/app%2Fx?connect_timeout=20ms\
                   &request_timeout=2s&deadline=9s&tail_timeout=4s&keep_alive_interval=30s&keep_alive_timeout=6s\
                   &rebalance_after=0s&page_size=3&max_message_bytes=8388608&server_version=3.5.30";
        let settings = parse(url).unwrap().checked().unwrap();
        let expected = ["http://h1:2379", "http://10.0.0.2:80", "http://[::1]:7"];
        assert_eq!(settings.endpoints, expected);
        let login = settings.credentials.read().unwrap().unwrap();
        assert_eq!(login, ("al@ice".to_owned(), "p:/?#ss".to_owned()));
        assert_eq!(settings.namespace, "app/x/");
        let seconds = Duration::from_secs;
        assert_eq!(settings.connect_timeout, Duration::from_millis(20));
        assert_eq!(settings.request_timeout, seconds(2));
        assert_eq!(settings.deadline, seconds(9));
        assert_eq!(settings.tail_timeout, seconds(4));
        assert_eq!(settings.keep_alive_interval, seconds(30));
        assert_eq!(settings.keep_alive_timeout, seconds(6));
        assert_eq!(settings.rebalance_after, Duration::ZERO);
        assert_eq!(settings.page_size, 3);
        assert_eq!(settings.max_message_bytes, 8 * 1024 * 1024);
        assert_eq!(
            settings.server_version,
            Some(ServerVersion::parse("3.5.30"))
        );
    }

    #[test]
    fn options_are_read_as_the_rest_of_the_url_is() {
        let url = "etcds://app@h?password_file=/run/a+b%2Bc%20d&&tls_domain=x";
        let shown = format!("{:?}", parse(url).unwrap().credentials);
        assert!(shown.contains("/run/a+b+c d"), "{shown}");
        let message = parse("etcd://h?key_prefix=%ff").unwrap_err().to_string();
        assert!(message.contains("option 1"), "{message}");
    }

    #[test]
    fn a_prefix_gets_no_slash_and_a_password_may_be_in_a_file() {
        let url = "etcd://app@h?key_prefix=prod%2Dx-&password_file=/run/secrets/etcd";
        let settings = parse(url).unwrap();
        assert_eq!(settings.namespace, "prod-x-");
        let shown = format!("{:?}", settings.credentials);
        assert!(shown.contains("app") && shown.contains("/run/secrets/etcd"));
    }

    #[test]
    fn etcds_means_tls() {
        let settings = parse("etcds://h?tls_domain=d").unwrap();
        assert_eq!(settings.endpoints, ["https://h:2379"]);
        assert!(format!("{:?}", settings.tls).contains("\"d\""));
        let files = "etcds://h?tls_ca=/ca.pem&tls_cert=/cert.pem&tls_key=/key.pem";
        let shown = format!("{:?}", parse(files).unwrap().tls);
        for path in ["/ca.pem", "/cert.pem", "/key.pem"] {
            assert!(shown.contains(path), "{shown}");
        }
    }

    #[test]
    fn every_option_that_exists_is_listed() {
        for name in OPTIONS.split(',').map(str::trim) {
            let error = parse(&format!("etcds://h?{name}=-")).err();
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!error.contains("does not exist"), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_of_it_repeated() {
        let table = [
            ("etcd//h", "no scheme"),
            ("http://u:hunter2@h", "neither etcd://"),
            ("etcd://", "no host"),
            ("etcd://u:hunter2@", "no host"),
            ("etcd://u:hunter2@h:x", "host 1 of the URL has a port"),
            ("etcd://u:hunter2", "host 1 of the URL has a port"),
            ("etcd://u:hunter2@h:0", "port 0"),
            ("etcd://u:hunter2@h,,i", "host 2 of the URL has no host"),
            ("etcd://u:hunter2@h, i", "host 2 of the URL holds a blank"),
            ("etcd://u:hunter2@h\n", "host 1 of the URL holds a blank"),
            ("etcd://u:hunter2@h/ns\n", "end of a line"),
            ("etcd://u:hunter2/x@h", "@"),
            ("etcd://u:4711/x@h", "@"),
            ("etcd://u:hunter2?x@h", "@"),
            ("etcd://u:hunter2#x@h", "@"),
            ("etcd://u:p@hunter2@h", "@"),
            ("etcd://u:hunter2@h/n@s", "@"),
            ("etcd://u:hunter2@h?tls_ca=a@b", "@"),
            ("etcd://u:hunter2@h#f", "fragment"),
            ("etcd://u:hunter2@h/ns#f", "fragment"),
            ("etcd://u:hunter2@h,http://i", "scheme among its hosts"),
            ("etcd://u:%ff@h", "password"),
            ("etcd://h?hunter2=red", "option 1 of the URL does not exist"),
            ("etcd://h?deadline=hunter2", "deadline"),
            ("etcd://h?deadline=-3s", "deadline"),
            ("etcd://h?page_size=hunter2", "page_size"),
            ("etcd://h/ns?key_prefix=hunter2", "key_prefix"),
            ("etcd://u:hunter2@h?password_file=/x", "password_file"),
            ("etcd://h?tls_ca=x", "etcds"),
            ("etcds://h?tls_cert=/dev/null", "tls_key"),
        ];
        for (url, part) in table {
            let message = parse(url).unwrap_err().to_string();
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
