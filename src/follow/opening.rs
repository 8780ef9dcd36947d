//! Waiting until a map that was just started is hydrated, or it is plain that it will not be.
//!
//! It hurries nothing: the tasks try on whoever waits.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Result};
use tokio::time::{sleep, timeout};

use crate::entry::key::Key;
use crate::replica::Replica;
use crate::replica::health::Health;

/// How long a log is asked again that refuses what only a person can mend, before it is reported.
const REFUSED: Duration = Duration::from_secs(2);

/// Waits until the first snapshot is there, for so long at most, and not while the log refuses to be read.
pub(crate) async fn opened<K: Key, V>(
    replica: &Replica<K, V>,
    log: &dyn LogClient,
    bound: Duration,
) -> Result<()> {
    let hydrated = async {
        tokio::select! {
            hydrated = replica.hydrated() => hydrated,
            refusal = refusal(replica.health()) => Err(refusal),
        }
    };
    timeout(bound, hydrated).await.unwrap_or_else(|_| {
        let last = replica.health().last_error();
        Err(not_in_time(bound, last.or_else(|| log.last_failure())))
    })
}

/// The refusal of a log, when it has stood for a while.
async fn refusal(health: &Health) -> Error {
    loop {
        if let Some(refusal) = health.refusal(REFUSED) {
            return refusal;
        }
        sleep(REFUSED / 40).await;
    }
}

/// What is said of a map that was not hydrated in time: its kind is that of the last failure, which it names.
fn not_in_time(bound: Duration, last: Option<Error>) -> Error {
    let why = format!("it was not hydrated within {bound:?}");
    let Some(last) = last else {
        return Error::new(ErrorKind::Unavailable, why);
    };
    let is_refusal = matches!(last.kind(), ErrorKind::Denied | ErrorKind::Unsupported);
    let kind = match is_refusal {
        true => last.kind().clone(),
        false => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{why}: {last}")).with_source(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_not_opened_in_time_says_what_stood_in_the_way() {
        let table = [
            (None, ErrorKind::Unavailable),
            (Some(ErrorKind::Unavailable), ErrorKind::Unavailable),
            (Some(ErrorKind::Stale), ErrorKind::Unavailable),
            (Some(ErrorKind::Denied), ErrorKind::Denied),
            (Some(ErrorKind::Unsupported), ErrorKind::Unsupported),
        ];
        for (last, kind) in table {
            let last = last.map(|kind| Error::new(kind, "no such user"));
            let error = not_in_time(Duration::from_secs(3), last.clone());
            assert_eq!(*error.kind(), kind);
            let named = error.to_string().contains("within 3s: ");
            assert_eq!(named, last.is_some(), "{error}");
        }
    }
}
