//! What a member says of its rows, committed: that it is ready, has stopped, or refuses.
//!
//! Never says it of a row that is in another term than the one it was decided in.

use crate::recipes::shards::change::change;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::jobs::Say;
use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::record::{Record, RowId, row_key};
use crate::{ErrorKind, Position, Result};

/// Commits it in one transaction, while the member is what it was. What a row does not ask for any more is passed over.
pub(crate) async fn say(
    common: &Common,
    membership: &Membership,
    says: &[(RowId, Say)],
) -> Result<Position> {
    let (map, mode) = (&common.map, common.settings.shape.mode);
    let me = Some(membership.incarnation());
    let said = map.transact(|txn| {
        membership.require_in(txn)?;
        for (row, say) in says {
            let key = row_key(*row);
            let record = match txn.get(map, key.as_str()) {
                // Nobody can read it: nobody can say anything of it.
                Err(error) if *error.kind() == ErrorKind::Codec => continue,
                record => record?,
            };
            let Some(Record::Row(now)) = record.as_deref() else {
                continue;
            };
            let made = change(mode, Some(now), &say.change, me, |_| false);
            if let Some(made) = made.filter(|_| now.term == say.term) {
                txn.put(map, key, Record::Row(made))?;
            }
        }
        Ok(())
    });
    match said.await {
        Ok(said) => Ok(said.position()),
        Err(error) => match *error.kind() {
            ErrorKind::Behind(position) => Ok(position),
            _ => Err(error),
        },
    }
}
