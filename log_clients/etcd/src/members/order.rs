//! Whether a server orders its progress replies after its events, found out by what it does.
//!
//! Never asks what it is called: for that there is its version, where it is told.

use etcd_client::proto::PbWatchResponse;
use etcd_client::{Client, WatchFilterType, WatchOptions};

use crate::fault::{Class, Fault};

/// A watch that is behind has caught up after at most a tenth of a second. It is asked for progress at once, so that this can
/// hardly happen in between, and not every time.
const TRIES: usize = 3;

/// The id of the watch.
const BEHIND: i64 = 1;

/// Servers that order progress give none while a watch of the stream is behind (etcd-io/etcd#15220); all others answer at
/// once, whatever the watch was given. So here is one that is behind, on a stream of its own, and is not told anything.
///
/// `revision` is to exist already, and to be a late one: the server reads its history from there on.
pub(crate) async fn is_kept(
    client: &Client,
    (start, end): (Vec<u8>, Vec<u8>),
    revision: i64,
) -> Result<bool, Fault> {
    let nothing = [WatchFilterType::NoPut, WatchFilterType::NoDelete];
    let behind = WatchOptions::new()
        .with_range(end)
        .with_start_revision(revision)
        .with_watch_id(BEHIND)
        .with_filters(nothing);
    for _ in 0..TRIES {
        let is_answered = is_answered(client, start.clone(), behind.clone()).await?;
        if !is_answered {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a request for progress is answered before the next request.
async fn is_answered(client: &Client, start: Vec<u8>, behind: WatchOptions) -> Result<bool, Fault> {
    let mut stream = client.watch_client().watch(start, Some(behind)).await?;
    stream.request_progress().await?;
    stream.cancel(BEHIND).await?;
    while let Some(message) = stream.message().await? {
        match Said::of(&message.0) {
            Said::Created => {}
            Said::Progress => return Ok(true),
            Said::Cancelled => return Ok(false),
            Said::Refused => return Err(Fault::new(Class::NotExecuted, "the watch was refused")),
        }
    }
    Err(Fault::new(Class::NotExecuted, "the server ended the watch"))
}

/// What a message means here. Refusals may overtake a progress reply, and then prove nothing.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Created,
    Progress,
    /// As it was asked to.
    Cancelled,
    /// Not created, or ended for a reason of the server's: the user may not, or its start is compacted.
    Refused,
}

impl Said {
    fn of(message: &PbWatchResponse) -> Said {
        let has_reason = message.compact_revision > 0 || !message.cancel_reason.is_empty();
        match (message.created, message.canceled) {
            (true, false) if !has_reason => Said::Created,
            (false, true) if !has_reason && message.watch_id == BEHIND => Said::Cancelled,
            (false, false) if !has_reason => Said::Progress,
            _ => Said::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_that_was_asked_for_shows_that_a_request_before_it_was_left_unanswered() {
        let message = |watch_id, created, canceled| PbWatchResponse {
            watch_id,
            created,
            canceled,
            ..PbWatchResponse::default()
        };
        let compacted = PbWatchResponse {
            compact_revision: 7,
            ..message(BEHIND, false, true)
        };
        let denied = PbWatchResponse {
            cancel_reason: "etcdserver: permission denied".to_owned(),
            ..message(-1, true, true)
        };
        let lost = PbWatchResponse {
            cancel_reason: "etcdserver: no leader".to_owned(),
            ..message(BEHIND, false, true)
        };
        let table = [
            (message(BEHIND, true, false), Said::Created),
            (message(-1, false, false), Said::Progress),
            (message(BEHIND, false, true), Said::Cancelled),
            (message(-1, true, true), Said::Refused),
            (compacted, Said::Refused),
            (denied, Said::Refused),
            (lost, Said::Refused),
        ];
        for (message, said) in table {
            assert_eq!(Said::of(&message), said, "{message:?}");
        }
    }
}
