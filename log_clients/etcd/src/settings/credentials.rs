//! Who this client is: a name and a password, from wherever they are kept, read again at each login.
//!
//! Never shows a password.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::settings::files::{self, Unreadable};

const USER: &str = "GLOBE_ETCD_USER";
const PASSWORD: &str = "GLOBE_ETCD_PASSWORD";

type Provider = dyn Fn() -> io::Result<(String, String)> + Send + Sync;

/// Where the name and the password come from. What was not said comes from the environment.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) name: Option<String>,
    pub(crate) source: Source,
}

/// Where the password comes from.
#[derive(Clone, Default)]
pub(crate) enum Source {
    #[default]
    Environment,
    Fixed(String),
    File(PathBuf),
    /// It gives the name as well.
    Provider(Arc<Provider>),
}

impl Credentials {
    /// Whether there is somebody to log in as.
    pub(crate) fn are_given(&self) -> bool {
        let is_said = self.name.is_some() || !matches!(self.source, Source::Environment);
        is_said || std::env::var_os(USER).is_some()
    }

    /// The name and the password as they are now; `None` for nobody. It may wait for a disk, or for what the user's own
    /// provider waits for: call it where that holds up nobody else.
    pub(crate) fn read(&self) -> Result<Option<(String, String)>, Unreadable> {
        self.read_in(|variable| std::env::var(variable).ok())
    }

    /// Whether they can be read at all. A provider is not asked: it may have to ask a server.
    pub(crate) fn check(&self) -> Result<(), Unreadable> {
        match self.source {
            Source::Provider(_) => Ok(()),
            _ => self.read().map(drop),
        }
    }

    /// As `read`, in an environment given by the caller: tests have their own.
    fn read_in(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<(String, String)>, Unreadable> {
        if let Source::Provider(provider) = &self.source {
            let (name, password) = ask(&**provider)?;
            return named(name, password).map(Some);
        }
        let Some(name) = self.name.clone().or_else(|| variable(USER)) else {
            return match self.source {
                Source::Environment => Ok(None),
                _ => Err(Unreadable::new(format!(
                    "there is a password, but no user name: give it to the builder, in the URL, or in {USER}"
                ))),
            };
        };
        let password = match &self.source {
            Source::Fixed(password) => password.clone(),
            Source::File(path) => held_in(path)?,
            _ => variable(PASSWORD).ok_or_else(|| {
                Unreadable::new(format!(
                    "the user has no password: give it to the builder, in a file, or in {PASSWORD}"
                ))
            })?,
        };
        named(name, password).map(Some)
    }
}

/// An empty name would log in as nobody, and be refused in words that say something else.
fn named(name: String, password: String) -> Result<(String, String), Unreadable> {
    match name.is_empty() {
        true => Err(Unreadable::new("the user name is empty")),
        false => Ok((name, password)),
    }
}

/// What a file holds, without the end of line that editors add.
fn held_in(path: &Path) -> Result<String, Unreadable> {
    let bytes = files::read("password_file", path)?;
    let Ok(text) = String::from_utf8(bytes) else {
        let path = path.display();
        return Err(Unreadable::new(format!(
            "password_file: {path} is not UTF-8"
        )));
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Asks the user's own code, which may also panic.
fn ask(provider: &Provider) -> Result<(String, String), Unreadable> {
    match catch_unwind(AssertUnwindSafe(provider)) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Unreadable::new(format!(
            "the provider of credentials failed: {error}"
        ))),
        Err(_) => Err(Unreadable::new("the provider of credentials panicked")),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Environment => "environment".to_owned(),
            Source::Fixed(_) => "fixed".to_owned(),
            Source::File(path) => format!("file {}", path.display()),
            Source::Provider(_) => "provider".to_owned(),
        };
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .field("source", &format_args!("{source}"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: Option<&str>, source: Source) -> Credentials {
        let name = name.map(str::to_owned);
        Credentials { name, source }
    }

    fn in_env(credentials: &Credentials) -> Result<Option<(String, String)>, Unreadable> {
        credentials.read_in(|name| Some(format!("env-{name}")))
    }

    fn pair(name: &str, password: &str) -> Option<(String, String)> {
        Some((name.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_environment_fills_in_only_what_was_not_said() {
        let (user, password) = ("env-GLOBE_ETCD_USER", "env-GLOBE_ETCD_PASSWORD");
        let fixed = || Source::Fixed("p".to_owned());
        let table = [
            (of(None, Source::Environment), pair(user, password)),
            (of(Some("u"), Source::Environment), pair("u", password)),
            (of(Some("u"), fixed()), pair("u", "p")),
            (of(None, fixed()), pair(user, "p")),
        ];
        for (credentials, expected) in table {
            assert_eq!(in_env(&credentials).unwrap(), expected, "{credentials:?}");
        }
        let nobody = of(None, Source::Environment).read_in(|_| None);
        assert_eq!(nobody.unwrap(), None);
    }

    #[test]
    fn half_a_login_is_refused_by_name() {
        let table = [
            (of(Some("u"), Source::Environment), "GLOBE_ETCD_PASSWORD"),
            (of(None, Source::Fixed("hunter2".into())), "GLOBE_ETCD_USER"),
            (of(Some(""), Source::Fixed("hunter2".into())), "user name"),
            (of(Some("u"), Source::File("/no/such".into())), "/no/such"),
            (of(Some("u"), Source::File("/dev/null".into())), "/dev/null"),
            (of(Some("u"), Source::File("/dev/zero".into())), "too long"),
        ];
        for (credentials, part) in table {
            let why = credentials.read_in(|_| None).unwrap_err().to_string();
            assert!(why.contains(part), "{part}: {why}");
            assert!(!format!("{why}{credentials:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_password_file_is_read_again_each_time_without_its_end_of_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let credentials = of(Some("u"), Source::File(path.clone()));
        for (held, password) in [
            ("old\n", "old"),
            ("new\r\n", "new"),
            (" a b \n\n", " a b \n"),
        ] {
            std::fs::write(&path, held).unwrap();
            assert_eq!(in_env(&credentials).unwrap(), pair("u", password));
        }
    }

    #[test]
    fn a_provider_is_asked_each_time_and_may_fail_or_panic() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let provider = move || match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Ok(("u".to_owned(), "p".to_owned())),
            1 => Err(io::Error::other("the safe is locked")),
            2 => Ok((String::new(), "hunter2".to_owned())),
            _ => panic!("hunter2"),
        };
        let credentials = of(None, Source::Provider(Arc::new(provider)));
        credentials.check().unwrap();
        assert_eq!(in_env(&credentials).unwrap(), pair("u", "p"));
        for part in ["the safe is locked", "user name is empty", "panicked"] {
            let why = in_env(&credentials).unwrap_err().to_string();
            assert!(why.contains(part) && !why.contains("hunter2"), "{why}");
        }
    }
}
