//! From a URL to a log. The only list of backends.
//!
//! It never asks a server: what it returns reaches out at its first use. A file is opened.

use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, LogClient, Result};
use globe_memory::MemoryLog;

/// Every scheme there is, and the feature that brings it.
const SCHEMES: &str =
    "memory: (always there), sqlite: (feature `sqlite`), etcd:// and etcds:// (feature `etcd`)";

/// The log that a URL names.
///
/// - `memory:` is a new, empty log in this process. To share one, share a [`MemoryLog`]. It remembers its last 10,000
///   commits, or as many as `memory:?history=N` says (from 1 on): a map that was left behind further takes a new snapshot, and
///   shows the exact difference.
/// - `sqlite:path` or `sqlite:///absolute/path`, and then `?option=value&…` (feature `sqlite`; the options are `synchronous`,
///   `history`, `history_age` and `read_only`, as in `SqliteLogBuilder`) is the log in a file, which is made if there is none. Any
///   number of processes of one host may open it.
/// - `etcd://[user[:password]@]host[:port][,host[:port]…][/namespace][?option=value&…]`, `etcds://` for TLS (feature
///   `etcd`; the options are those of `EtcdLog`). Credentials may come from the environment instead.
///
/// Share what it returns: every map opened on one log shares its connections. An etcd log is shared anyway: while one that
/// was opened by the same URL is in use in the same runtime, it is that one. (Build an `EtcdLog` for one of your own.)
///
/// Reaches out to no server, so it returns at once; a file is opened, and looked through for damage.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::Globe;
///
/// let log = globe::connect("memory:").await?; // or "etcd://h1:2379,h2:2379/prod"
/// let flags: Globe<String, bool> = Globe::open(log.clone(), "flags").await?;
/// let limits: Globe<String, u64> = Globe::open(log, "limits").await?;
///
/// let wrong = globe::connect("elsewhere://h1").await.unwrap_err();
/// assert_eq!(*wrong.kind(), globe::ErrorKind::Unsupported);
/// # let _ = (flags, limits);
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Invalid`, naming the part of the URL that is wrong; `Unsupported` for a scheme this build does not know, with those
/// that exist and the feature that brings them. A server that cannot be reached is no error here; what is wrong with a file is, as
/// `SqliteLogBuilder::open` says.
pub async fn connect(url: &str) -> Result<Arc<dyn LogClient>> {
    let Some((scheme, _)) = url.split_once(':') else {
        let why = format!("the URL of a log begins with a scheme and a colon; there are {SCHEMES}");
        return Err(Error::new(ErrorKind::Invalid, why));
    };
    match scheme {
        "memory" => Ok(Arc::new(MemoryLog::from_url(url)?)),
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(globe_sqlite::SqliteLog::from_url(url).await?)),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(missing("sqlite", "sqlite")),
        #[cfg(feature = "etcd")]
        "etcd" | "etcds" => shared::etcd(url).await,
        #[cfg(not(feature = "etcd"))]
        "etcd" | "etcds" => Err(missing(scheme, "etcd")),
        unknown => {
            let why = format!("there is no log of the scheme {unknown:?}; there are {SCHEMES}");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}

#[cfg(not(all(feature = "sqlite", feature = "etcd")))]
fn missing(scheme: &str, feature: &str) -> Error {
    let why = format!("this build has no {scheme} log: build with the feature `{feature}`");
    Error::new(ErrorKind::Unsupported, why)
}

/// The logs that are in use, by URL. The one thing in this crate that a process has once: without it each part of a program
/// that connects for itself costs a cluster what a process costs.
#[cfg(feature = "etcd")]
mod shared {
    use std::sync::{Arc, Mutex, PoisonError, Weak};

    use globe_etcd::EtcdLog;
    use globe_log_client::{LogClient, Result};
    use tokio::runtime::{Handle, Id};

    /// Connections live in the runtime they were made in, and die with it.
    type Open = (Id, String, Weak<EtcdLog>);

    static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

    pub(super) async fn etcd(url: &str) -> Result<Arc<dyn LogClient>> {
        let new = Arc::new(EtcdLog::from_url(url).await?);
        let Ok(runtime) = Handle::try_current() else {
            return Ok(new);
        };
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, _, log)| log.strong_count() > 0);
        let same = open
            .iter()
            .find(|(id, other, _)| *id == runtime.id() && other == url);
        if let Some(log) = same.and_then(|(_, _, log)| log.upgrade()) {
            return Ok(log);
        }
        open.push((runtime.id(), url.to_owned(), Arc::downgrade(&new)));
        Ok(new)
    }
}
