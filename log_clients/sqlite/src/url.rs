//! From a URL to settings.
//!
//! Never guesses: what it does not know it refuses by name.

use std::path::PathBuf;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use url::form_urlencoded;

use crate::builder::SqliteLogBuilder;
use crate::way::Synchronous;

impl SqliteLogBuilder {
    /// The settings that a URL names: `sqlite:path` or `sqlite:///absolute/path`, and then `?option=value&…`, with `synchronous`
    /// (`full`, `normal`), `history` (commits), `history_age` (seconds) and `read_only` (`true`, `false`).
    ///
    /// A `%`, `?` or `#` in a path is written `%25`, `%3F`, `%23`.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong.
    pub fn from_url(url: &str) -> Result<SqliteLogBuilder> {
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(invalid("the URL of an SQLite log begins with sqlite:"));
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut builder = SqliteLogBuilder::new(path_of(path)?);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            builder = builder.set(&name, &value)?;
        }
        Ok(builder)
    }

    fn set(self, name: &str, value: &str) -> Result<SqliteLogBuilder> {
        match name {
            "synchronous" => match value {
                "full" => Ok(self.synchronous(Synchronous::Full)),
                "normal" => Ok(self.synchronous(Synchronous::Normal)),
                _ => Err(invalid("synchronous in an sqlite: URL is full or normal")),
            },
            "history" => {
                let commits = number(
                    value,
                    "history in an sqlite: URL is how many commits are kept",
                )?;
                Ok(self.history(commits))
            }
            "history_age" => {
                let seconds = number(value, "history_age in an sqlite: URL is so many seconds")?;
                Ok(self.history_age(Duration::from_secs(seconds)))
            }
            "read_only" => match value {
                "true" => Ok(self.read_only(true)),
                "false" => Ok(self.read_only(false)),
                _ => Err(invalid("read_only in an sqlite: URL is true or false")),
            },
            unknown => {
                let known = "synchronous, history, history_age and read_only";
                let why = format!("an sqlite: URL has no option {unknown:?}; there are {known}");
                Err(Error::new(ErrorKind::Invalid, why))
            }
        }
    }
}

fn path_of(text: &str) -> Result<PathBuf> {
    let text = match text.strip_prefix("//") {
        None => text,
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            let why = "an sqlite: URL names no host: sqlite:path, or sqlite:///absolute/path";
            return Err(invalid(why));
        }
    };
    let path = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| invalid("the path in an sqlite: URL is not UTF-8"))?;
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err(invalid(
            "an sqlite: URL names a file, as in sqlite:flags.db",
        ));
    }
    Ok(PathBuf::from(path.as_ref()))
}

fn number(value: &str, what: &str) -> Result<u64> {
    match value.parse() {
        Ok(0) | Err(_) => Err(invalid(&format!("{what}: a whole number from 1 on"))),
        Ok(number) => Ok(number),
    }
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_file_and_how_it_is_opened() {
        let table = [
            ("sqlite:flags.db", "flags.db"),
            ("sqlite:data/flags.db", "data/flags.db"),
            ("sqlite:/var/lib/flags.db", "/var/lib/flags.db"),
            ("sqlite:///var/lib/flags.db", "/var/lib/flags.db"),
            ("sqlite:what%3F%20%25.db", "what? %.db"),
        ];
        for (url, path) in table {
            let builder = SqliteLogBuilder::from_url(url).unwrap();
            assert_eq!(builder.way.path, PathBuf::from(path), "{url}");
        }
        let url = "sqlite:a.db?synchronous=normal&history=7&history_age=60&read_only=true";
        let builder = SqliteLogBuilder::from_url(url).unwrap();
        assert_eq!(builder.way.synchronous, Synchronous::Normal);
        assert!(builder.way.read_only);
        assert_eq!(builder.history.commits, 7);
        assert_eq!(builder.history.age, Duration::from_secs(60));
    }

    #[test]
    fn what_a_url_has_wrong_is_named() {
        let table = [
            ("file:flags.db", "sqlite:"),
            ("sqlite:", "names a file"),
            ("sqlite:///", "names a file"),
            ("sqlite://host/flags.db", "no host"),
            ("sqlite:a%00b.db", "names a file"),
            ("sqlite:%ff.db", "UTF-8"),
            ("sqlite:a.db?synchronous=off", "full or normal"),
            ("sqlite:a.db?history=0", "from 1 on"),
            ("sqlite:a.db?history_age=soon", "seconds"),
            ("sqlite:a.db?read_only=1", "true or false"),
            ("sqlite:a.db?mode=memory", "\"mode\""),
        ];
        for (url, named) in table {
            let error = SqliteLogBuilder::from_url(url).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid, "{url}");
            assert!(error.context().contains(named), "{url}: {error}");
        }
    }
}
