//! Where a member runs: which log it shares with the others, and how it is told to stop.
//!
//! Never stops anything by itself: whoever runs there looks at the token.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use globe::LogClient;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::story::Outcome;

/// Which log; as for all examples.
pub(crate) const LOG: &str = "GLOBE_LOG";
/// Which keyspace of it.
pub(crate) const KEYSPACE: &str = "GLOBE_KEYSPACE";
/// The process with which this one ends.
pub(crate) const PARENT: &str = "GLOBE_PARENT";

/// Where a member runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The log that all share.
    pub log: Arc<dyn LogClient>,
    /// The keyspace of this cluster; where there are several, they begin with it.
    pub keyspace: String,
    /// Who it is among the others.
    pub name: String,
    /// Cancelled when it is to finish what it does, leave and return.
    pub stop: CancellationToken,
}

impl Place {
    /// This process, of a name: on the log of `GLOBE_LOG`, in the keyspace of `GLOBE_KEYSPACE` or `keyspace`. It is told to
    /// stop by SIGTERM, by Ctrl-C, and when the process that started it is gone.
    ///
    /// # Errors
    /// If no such log is known, or the signals cannot be heard.
    pub async fn of_this_process(name: &str, keyspace: &str) -> Outcome<Place> {
        let url = env::var(LOG).unwrap_or_else(|_| "memory:".to_owned());
        let stop = CancellationToken::new();
        let told = told_to_stop()?;
        tokio::spawn({
            let stop = stop.clone();
            async move {
                told.await;
                stop.cancel();
            }
        });
        Ok(Place {
            log: globe::connect(&url).await?,
            keyspace: env::var(KEYSPACE).unwrap_or_else(|_| keyspace.to_owned()),
            name: name.to_owned(),
            stop,
        })
    }

    /// The same, if other processes can be there too.
    ///
    /// # Errors
    /// If the log is one inside this process: nobody else has that.
    pub fn shared(self) -> Outcome<Place> {
        match env::var(LOG) {
            Ok(url) if !url.starts_with("memory:") => Ok(self),
            _ => Err(format!(
                "alone it is of no use: say which log all share, {LOG}=etcd://127.0.0.1:2379, and build with --features etcd"
            )
            .into()),
        }
    }
}

/// Waits for what tells a process to stop. It is listened for from the call on, not from the first look on.
#[cfg(unix)]
fn told_to_stop() -> Outcome<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let parent = env::var(PARENT).ok().and_then(|id| id.parse::<u32>().ok());
    Ok(async move {
        let orphaned = async {
            while parent.is_none_or(|parent| std::os::unix::process::parent_id() == parent) {
                sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            () = orphaned => {}
        }
    })
}

/// Waits for what tells a process to stop.
#[cfg(not(unix))]
fn told_to_stop() -> Outcome<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
