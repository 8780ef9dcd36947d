//! Whether a server orders its progress replies after its events, found out by what it does.
//!
//! Never asks what it is called: for that there is its version, where it is told.

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
        if !is_answered || mutant!("take_order_for_granted") {
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
        if message.canceled() {
            return Ok(false);
        }
        if !message.created() {
            return Ok(true);
        }
    }
    Err(Fault::new(Class::NotExecuted, "the server ended the watch"))
}
