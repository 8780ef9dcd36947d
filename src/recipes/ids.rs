//! Numbers that no two processes ever get: reserved in blocks.
//!
//! Never gives one out before the block it is of was committed, nor again after a restore.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::recipes::counter::{Count, Counts};
use crate::recipes::name::escaped;
use crate::{Epoch, Error, ErrorKind, Result};

/// How far ids are moved on when the log is in another life: farther than anybody can have given out since the backup.
const JUMP: i64 = 1 << 32;

/// Numbers of a name, each of which is given out once, among all processes: the record `ids/{name}` says from where on none is
/// reserved. A process reserves a block at a time, and the next one when half of it is used up, so that most calls cost nothing.
///
/// They grow in each process, and have holes: what a process had reserved when it died is lost. Between processes they have
/// no order.
///
/// After a restore they go on 2³² higher, so that none is given out twice. Of a log that was wiped while no process lived
/// that had seen it, nobody knows anything.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Counts, Globe, Ids, MemoryLog};
/// # let log = MemoryLog::new();
/// let counts: Counts = Globe::open(log, "counts").await?;
/// let orders = Ids::new(&counts, "orders", 1000)?;
/// let (one, two) = (orders.next().await?, orders.next().await?);
/// assert!(one < two);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Ids {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: Counts,
    key: String,
    block: i64,
    reserved: Mutex<Reserved>,
    /// One block is reserved at a time, so that they come in their order.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Reserved {
    blocks: VecDeque<(Epoch, Range<i64>)>,
    /// Beyond every id that this process knows to be reserved, in whatever life of the log.
    known: i64,
}

impl Ids {
    /// The numbers of a name, reserved by so many. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key; and for blocks of none.
    pub fn new(counts: &Counts, name: &str, block: u32) -> Result<Ids> {
        if block == 0 {
            let why = format!("the ids {name} cannot be reserved in blocks of none");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let shared = Shared {
            counts: counts.clone(),
            key: format!("ids/{}", escaped("sequence of ids", name)?),
            block: i64::from(block),
            reserved: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        Ok(Ids {
            shared: Arc::new(shared),
        })
    }

    /// A number that nobody has been given, and nobody will be. Costs nothing, but for a commit when none is reserved. Cancel
    /// safe: a number that was not returned is lost.
    ///
    /// # Errors
    /// As every write, while none is reserved.
    pub async fn next(&self) -> Result<u64> {
        loop {
            let (id, is_low) = self.shared.take();
            if is_low {
                self.reserve_ahead();
            }
            if let Some(id) = id {
                return Ok(id.unsigned_abs());
            }
            self.shared.reserve(false).await?;
        }
    }

    /// Reserves a block beside what the caller does. When it fails, who needs one hears of it.
    fn reserve_ahead(&self) {
        let shared = Arc::clone(&self.shared);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = shared.reserve(true).await;
            });
        }
    }
}

impl Shared {
    fn reserved(&self) -> MutexGuard<'_, Reserved> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch(&self) -> Option<Epoch> {
        self.counts.position().map(|position| position.epoch)
    }

    /// The next number that is reserved, and whether just half a block is left after it.
    fn take(&self) -> (Option<i64>, bool) {
        let epoch = self.epoch();
        let mut reserved = self.reserved();
        // What was reserved in another life may be reserved again in this one.
        reserved
            .blocks
            .retain(|(life, block)| Some(*life) == epoch && !block.is_empty());
        let id = reserved
            .blocks
            .front_mut()
            .and_then(|(_, block)| block.next());
        let left: i64 = reserved
            .blocks
            .iter()
            .map(|(_, block)| block.end - block.start)
            .sum();
        (id, id.is_some() && left == self.block / 2)
    }

    /// Reserves a block, unless another was meanwhile.
    async fn reserve(&self, is_ahead: bool) -> Result<()> {
        let _turn = self.turn.lock().await;
        let epoch = self.epoch();
        let has_some = |reserved: &Reserved| {
            let mut left = reserved
                .blocks
                .iter()
                .filter(|(life, _)| Some(*life) == epoch);
            left.any(|(_, block)| !block.is_empty())
        };
        if !is_ahead && has_some(&self.reserved()) {
            return Ok(());
        }
        let known = self.reserved().known;
        let key = self.key.as_str();
        let reserving = self.counts.transact(|txn| {
            let life = self.counts.view().position().epoch;
            let stands = txn.get(&self.counts, key)?;
            let start = start(stands.as_deref(), life, known);
            let end = start.checked_add(self.block).ok_or_else(|| {
                let why = format!("{key} is at {start}: there are no ids any more");
                Error::new(ErrorKind::Invalid, why)
            })?;
            let (value, epoch) = (end, Some(life));
            txn.put(&self.counts, key, Count { value, epoch })?;
            Ok((life, start..end))
        });
        let committed = reserving.await?;
        let (life, block) = committed.value().clone();
        let mut reserved = self.reserved();
        reserved.known = reserved.known.max(block.end);
        // Written in another life than it was thought to be: it is left unused.
        if committed.position().epoch == life {
            reserved.blocks.push_back((life, block));
        }
        Ok(())
    }
}

/// From where on none is reserved.
fn start(stands: Option<&Count>, life: Epoch, known: i64) -> i64 {
    let next = stands.map_or(0, |count| count.value).max(0);
    let is_of_life = stands.is_some_and(|count| count.epoch == Some(life));
    match (is_of_life, stands.is_none() && known == 0) {
        (true, _) | (_, true) => next,
        _ => next.max(known).saturating_add(JUMP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_another_life_ids_go_on_beyond_all_that_may_be_given_out() {
        let (here, there) = (Epoch::new(1), Epoch::new(2));
        let count = |value, epoch| Count {
            value,
            epoch: Some(epoch),
        };
        assert_eq!(start(None, here, 0), 0);
        assert_eq!(start(Some(&count(70, here)), here, 50), 70);
        assert_eq!(start(Some(&count(70, here)), there, 50), 70 + JUMP);
        assert_eq!(start(Some(&count(70, here)), there, 90), 90 + JUMP);
        // It was wiped, and this process remembers.
        assert_eq!(start(None, there, 90), 90 + JUMP);
        let by_hand = Count {
            value: 70,
            epoch: None,
        };
        assert_eq!(start(Some(&by_hand), here, 0), 70 + JUMP);
    }
}
