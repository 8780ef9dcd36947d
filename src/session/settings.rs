//! What a session is opened with: its defaults, and what is refused.
//!
//! Settings are data: none of them talks to a log.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};

/// What becomes of the entries of a session that has lost its lease: because it was away from the log for longer than its
/// lease lives, because somebody revoked it, or because the log was restored. An outage in which the lease lives on is no
/// loss, whatever the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// The session takes a new lease and puts its entries back: where nothing stands, and also over what others have
    /// registered there under a lease of theirs; never over a permanent record.
    Reclaim,
    /// The session takes a new lease and puts its entries back, but only where nothing stands, or its own from before.
    #[default]
    ReclaimIfUnowned,
    /// The session ends, as if it were closed: its owner decides. Nor is an entry put back that somebody deletes.
    GiveUp,
}

type Alive = Arc<dyn Fn() -> bool + Send + Sync>;

/// The settings of one session.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) ttl: Duration,
    pub(crate) policy: Policy,
    pub(crate) alive: Option<Alive>,
    pub(crate) open_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: format!("{}/{}", host(), std::process::id()),
            ttl: Duration::from_secs(10),
            policy: Policy::default(),
            alive: None,
            open_timeout: Duration::from_secs(10),
        }
    }
}

/// Shorter is lost to every pause of a process or a network; above, an etcd cluster has to write down how much is left of
/// each lease.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// The longest name of a session, in bytes.
const MAX_NAME: usize = 256;

impl Settings {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let (name, ttl) = (&self.name, self.ttl);
        if !TTL.contains(&ttl) {
            let (least, most) = (TTL.start(), TTL.end());
            return refuse(format!(
                "the ttl of a session is {ttl:?}: from {least:?} to {most:?} is allowed"
            ));
        }
        if name.is_empty() {
            return refuse("the name of a session has no characters".into());
        }
        if name.len() > MAX_NAME {
            let length = name.len();
            return refuse(format!(
                "the name of a session is {length} bytes long: at most {MAX_NAME} are allowed"
            ));
        }
        if let Some(control) = name.chars().find(|c| c.is_control()) {
            return refuse(format!("the name of a session holds {control:?}"));
        }
        crate::map_settings::check_time("open_timeout", self.open_timeout)
    }

    /// Whether the caller says that what the session stands for is alive. Where that panics, it is not.
    pub(crate) fn is_alive(&self) -> bool {
        let Some(alive) = &self.alive else {
            return true;
        };
        catch_unwind(AssertUnwindSafe(|| alive())).unwrap_or(false)
    }
}

fn refuse(why: String) -> Result<()> {
    Err(Error::new(ErrorKind::Invalid, why))
}

/// The name of this host, as its system says it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let is_name = !name.is_empty() && name.len() < 128 && !name.contains(char::is_control);
    if is_name { name } else { "host".into() }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn host() -> String {
    "host".into()
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("ttl", &self.ttl)
            .field("policy", &self.policy)
            .field("open_timeout", &self.open_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: Settings) -> String {
        let error = settings.check().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid);
        error.to_string()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name_with_the_limit() {
        Settings::default().check().unwrap();
        for ttl in [0, 999, 300_001, 365 * 24 * 3_600_000] {
            let ttl = Duration::from_millis(ttl);
            let refusal = refusal(Settings {
                ttl,
                ..Settings::default()
            });
            assert!(refusal.contains("from 1s to 300s"), "{refusal}");
        }
        for name in [String::new(), "x".repeat(257), "a\nb".into()] {
            let refusal = refusal(Settings {
                name,
                ..Settings::default()
            });
            assert!(refusal.contains("name of a session"), "{refusal}");
        }
        let open_timeout = Duration::ZERO;
        let refusal = refusal(Settings {
            open_timeout,
            ..Settings::default()
        });
        assert!(refusal.contains("open_timeout"), "{refusal}");
    }

    #[test]
    fn who_is_asked_whether_it_is_alive_and_panics_is_not() {
        let asked = |alive: Alive| Settings {
            alive: Some(alive),
            ..Settings::default()
        };
        assert!(Settings::default().is_alive());
        assert!(asked(Arc::new(|| true)).is_alive());
        assert!(!asked(Arc::new(|| false)).is_alive());
        assert!(!asked(Arc::new(|| panic!("it is not even that"))).is_alive());
    }
}
