//! Follows the log, and puts each table that it makes of it where it is read.
//!
//! Never waits for anybody but the log.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::Watch;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::draft::Draft;
use crate::recipes::shards::record::Record;

/// Keeps the table of an opened one current, until it is told to stop or the map ends.
pub(crate) async fn follow(
    common: Arc<Common>,
    mut watch: Watch<String, Record>,
    mut draft: Draft,
    stop: CancellationToken,
) {
    loop {
        let changes = tokio::select! {
            () = stop.cancelled() => return,
            changes = watch.next() => changes,
        };
        let Some(changes) = changes else {
            return;
        };
        let mut is_same = true;
        for change in changes.iter() {
            is_same &= draft.change(change.key(), change.old(), change.new());
        }
        if is_same {
            draft.end(changes.to());
        } else {
            draft = Draft::new(&changes.after(), common.settings.shape);
        }
        common.put(draft.table().clone());
    }
}
