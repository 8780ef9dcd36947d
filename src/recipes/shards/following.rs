//! Follows the log, and puts each table that it makes of it where it is read.
//!
//! Never waits for anybody but the log.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::recipes::shards::common::Common;
use crate::recipes::shards::draft::Draft;
use crate::recipes::shards::record::Record;
use crate::{Changes, Position, Watch};

/// Keeps the table of an opened one current, until it is told to stop or the map ends.
pub(crate) async fn follow(
    common: Arc<Common>,
    mut watch: Watch<String, Record>,
    mut draft: Draft,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changes = watch.next() => match changes {
                Some(changes) => take(&common, &mut draft, &changes),
                None => return,
            },
            () = common.asked() => if !catch_up(&common, &mut draft, &mut watch) {
                continue;
            },
        }
        common.put(draft.table().clone());
    }
}

fn take(common: &Common, draft: &mut Draft, changes: &Changes<String, Record>) {
    let mut is_same = true;
    for change in changes.iter() {
        is_same &= draft.change(change.key(), change.old(), change.new());
    }
    if is_same {
        draft.end(changes.to());
    } else {
        *draft = Draft::new(&changes.after(), common.settings.shape);
    }
}

/// Takes all there is, and comes to where the map stands: what is written elsewhere in the log, or changes nothing here, is no
/// change that is heard of. Whether that is further than it was.
fn catch_up(common: &Common, draft: &mut Draft, watch: &mut Watch<String, Record>) -> bool {
    let before = draft.table().position();
    let here = loop {
        // Asked before looking: all up to there can be heard of.
        let here = common.map.position();
        match watch.try_next() {
            Some(changes) => take(common, draft, &changes),
            None => break here,
        }
    };
    // One that is just being published, of another life of the log, may have been taken already.
    let is_latest = |here: &Position| here.epoch == common.map.view().position().epoch;
    if let Some(here) = here.filter(is_latest)
        && !(draft.table().epoch() == here.epoch && draft.table().position().covers(here))
    {
        draft.end(here);
    }
    draft.table().position() != before
}
