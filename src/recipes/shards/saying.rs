//! What a member says of its rows, committed: that it is ready, has stopped, or refuses.
//!
//! Never says it of a row that is in another term than the one it was decided in.

use crate::recipes::shards::change::change;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::jobs::Say;
use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::record::{Record, RowId, row_key};
use crate::{ErrorKind, Position, Result};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Where it landed.
    pub(crate) position: Position,
    /// The rows that nobody can read there: nobody can say anything of them.
    pub(crate) unreadable: Vec<RowId>,
}

/// Commits it in one transaction, while the member is what it was. What a row does not ask for any more is passed over.
pub(crate) async fn say(
    common: &Common,
    membership: &Membership,
    says: &[(RowId, Say)],
) -> Result<Outcome> {
    let (map, mode) = (&common.map, common.settings.shape.mode);
    let me = Some(membership.incarnation());
    let mut unreadable = Vec::new();
    let said = map.transact(|txn| {
        unreadable.clear();
        membership.require_in(txn)?;
        for (row, say) in says {
            let key = row_key(*row);
            let record = match txn.get(map, key.as_str()) {
                Err(error) if *error.kind() == ErrorKind::Codec => {
                    unreadable.push(*row);
                    continue;
                }
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
    let position = match said.await {
        Ok(said) => said.position(),
        Err(error) => match *error.kind() {
            ErrorKind::Behind(position) => position,
            _ => return Err(error),
        },
    };
    Ok(Outcome {
        position,
        unreadable,
    })
}
