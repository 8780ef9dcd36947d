//! From a URL to a log. The only list of backends.
//!
//! It never talks to a log: what it returns reaches out at its first use.

use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, LogClient, Result};
use globe_memory::MemoryLog;

/// Every scheme there is, and the feature that brings it.
const SCHEMES: &str = "memory: (always there), etcd:// and etcds:// (feature `etcd`)";

/// The log that a URL names.
///
/// - `memory:` is a new, empty log in this process. To share one, share a [`MemoryLog`].
/// - `etcd://[user[:password]@]host[:port][,host[:port]…][/namespace][?option=value&…]`, `etcds://` for TLS (feature
///   `etcd`; the options are those of `EtcdLog`). Credentials may come from the environment instead.
///
/// Share what it returns: every map opened on one log shares its connections.
///
/// # Errors
/// `Invalid`, naming the part of the URL that is wrong; `Unsupported` for a scheme this build does not know, with those
/// that exist and the feature that brings them. A log that cannot be reached is no error here.
pub async fn connect(url: &str) -> Result<Arc<dyn LogClient>> {
    let Some((scheme, rest)) = url.split_once(':') else {
        let why = format!("the URL of a log begins with a scheme and a colon; there are {SCHEMES}");
        return Err(Error::new(ErrorKind::Invalid, why));
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryLog::new())),
        "memory" => Err(Error::new(
            ErrorKind::Invalid,
            "nothing may follow memory: in the URL of a log",
        )),
        #[cfg(feature = "etcd")]
        "etcd" | "etcds" => Ok(Arc::new(globe_etcd::EtcdLog::from_url(url).await?)),
        #[cfg(not(feature = "etcd"))]
        "etcd" | "etcds" => {
            let why = format!("this build has no {scheme} log: build with the feature `etcd`");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
        unknown => {
            let why = format!("there is no log of the scheme {unknown:?}; there are {SCHEMES}");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}
