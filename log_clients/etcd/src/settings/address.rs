//! The address of one member, as it was written and as it is dialled.
//!
//! Never repeats what it refuses: a password may have got into it.

use url::Url;

/// The port of etcd.
const PORT: u16 = 2379;

/// Normalises an address to `scheme://host:port`, or says what is wrong with it.
///
/// It is stricter than URLs are: what a URL's parser would decode, leave out or turn into a path is refused.
pub(crate) fn normal(given: &str, default_scheme: &str) -> Result<String, &'static str> {
    if given.contains('@') {
        return Err("holds an @: credentials are not part of it, give them to the builder");
    }
    let (scheme, rest) = given.split_once("://").unwrap_or((default_scheme, given));
    if !matches!(scheme, "http" | "https") {
        return Err("is neither http:// nor https://");
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains("://") {
        return Err("has two schemes");
    }
    if authority.chars().any(char::is_whitespace) {
        return Err("holds a blank");
    }
    if authority.contains('#') {
        return Err("has a fragment, which begins with a #");
    }
    if authority.contains(['/', '?', '\\']) {
        return Err("has more than a host and a port");
    }
    let is_allowed = |c: char| c.is_alphanumeric() || "-._:[]".contains(c);
    if !authority.chars().all(is_allowed) {
        return Err("holds a character that no host has");
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err("has no host");
    }
    let port = port(authority)?;
    let parsed = Url::parse(&format!("{scheme}://{authority}"));
    let host = parsed.as_ref().ok().and_then(Url::host_str);
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err("has a host that is no name and no address");
    };
    Ok(format!("{scheme}://{host}:{port}"))
}

/// The port that is written, or etcd's.
fn port(authority: &str) -> Result<u16, &'static str> {
    // The colons of an IPv6 address are in brackets.
    let after_host = authority
        .rsplit_once(']')
        .map_or(authority, |(_, rest)| rest);
    let Some((_, written)) = after_host.split_once(':') else {
        return Ok(PORT);
    };
    let is_number = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    match written.parse() {
        Ok(0) => Err("has the port 0"),
        Ok(port) if is_number => Ok(port),
        _ => Err("has a port that is no number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_is_dialled() {
        let table = [
            ("h", "http://h:2379"),
            ("h:80", "http://h:80"),
            ("http://h:80", "http://h:80"),
            ("https://h:443/", "https://h:443"),
            ("[::1]", "http://[::1]:2379"),
            ("[::1]:7", "http://[::1]:7"),
            ("10.0.0.2:1", "http://10.0.0.2:1"),
            ("etcd_0.etcd:1", "http://etcd_0.etcd:1"),
        ];
        for (given, expected) in table {
            assert_eq!(normal(given, "http").as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn whatever_a_url_would_bend_is_refused() {
        let table = [
            ("", "no host"),
            (":1", "no host"),
            ("http://", "no host"),
            ("ftp://h", "neither http"),
            ("http://http://h", "two schemes"),
            ("u:p@h", "@"),
            (" h", "blank"),
            ("h\t", "blank"),
            ("h#f", "fragment"),
            ("h/path", "more than"),
            ("h?q", "more than"),
            ("h\\x", "more than"),
            ("h%41", "character"),
            ("h:0", "port 0"),
            ("h:", "number"),
            ("h:99999", "number"),
            ("a:b:1", "number"),
            ("[::1", "number"),
            ("[x]:1", "no name"),
        ];
        for (given, part) in table {
            let why = normal(given, "http").unwrap_err();
            assert!(why.contains(part), "{given}: {why}");
        }
    }
}
