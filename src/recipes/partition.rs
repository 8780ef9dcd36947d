//! A partition: which of some members each of so many slots belongs to, computed by each process for itself.
//!
//! Never agreed upon: who sees other members computes another one.

use std::sync::Arc;

use crate::recipes::hash::{finished, hash, part};
use crate::{Error, ErrorKind, Result};

/// So many terms of the logarithm, of which the last is below what a double can tell.
const TERMS: u32 = 17;

/// The slots `0..slots`, spread over members by their weights: the plain form of [`shards`](crate::shards), without a log, a
/// planner, or a hand-over. All who pass the same members, slots and bound get the same, on every machine and in any order of the
/// members; while they see different members they disagree, so it is for what may be done twice.
///
/// Each slot goes to the member it suits best (rendezvous hashing), among those that are not full: nobody gets more than `bound`
/// times its share, rounded up. Without any bound (`f64::INFINITY`) a member that joins only takes, and gives nothing else to
/// move; one that leaves only gives. With one, some more slots move, because what is full changes as well: at 1.25, in tests with
/// 3 to 50 members, less than the same number again.
///
/// ```
/// # fn main() -> globe::Result<()> {
/// use globe::Partition;
///
/// let members = [("web-1", 1), ("web-2", 1), ("web-3", 2)];
/// let partition = Partition::over(members, 1_000, 1.25)?;
/// let owner = partition.owner_of("order-4711");
/// assert!(owner.is_some());
/// let of_web_3 = partition.iter().filter(|(_, owner)| *owner == "web-3").count();
/// assert!((450..=625).contains(&of_web_3)); // its share is 500
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    ids: Arc<[String]>,
    /// Whose each slot is, by the number of the member.
    owners: Arc<[u32]>,
}

impl Partition {
    /// Spreads slots over members, given by id and weight. Of no members, no slot belongs to anybody. Costs slots × members
    /// steps of some ten nanoseconds; looking up costs one.
    ///
    /// # Errors
    /// `Invalid` for an id that comes twice, a weight of 0, a bound below 1, and for members that are more than a `u32` counts.
    pub fn over<I: Into<String>>(
        members: impl IntoIterator<Item = (I, u32)>,
        slots: u32,
        bound: f64,
    ) -> Result<Partition> {
        let members = members.into_iter().map(|(id, weight)| (id.into(), weight));
        let mut members: Vec<(String, u32)> = members.collect();
        members.sort_unstable();
        check(&members, bound)?;
        let total: u64 = members.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut seats: Vec<Seat> = members
            .iter()
            .map(|(id, weight)| {
                let share = f64::from(slots) * f64::from(*weight) / total as f64;
                Seat {
                    hash: hash(id.as_bytes()),
                    weight: f64::from(*weight),
                    // Never below the share rounded up, so that all together have room for all.
                    room: (share * bound).ceil().max(share.ceil()),
                }
            })
            .collect();
        let owners = (0..slots)
            .map_while(|slot| best(&mut seats, slot))
            .collect();
        let ids = members.into_iter().map(|(id, _)| id).collect();
        Ok(Partition { ids, owners })
    }

    /// Whose a slot is; nobody's if there is no member, or no such slot.
    #[must_use]
    pub fn owner(&self, slot: u32) -> Option<&str> {
        let owner = self.owners.get(slot as usize)?;
        self.ids.get(*owner as usize).map(String::as_str)
    }

    /// Whose the slot of a key is: keys fall into slots as in a table of [`shards`](crate::shards) with as many.
    #[must_use]
    pub fn owner_of(&self, key: impl AsRef<[u8]>) -> Option<&str> {
        let slots = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
        self.owner(part(hash(key.as_ref()), slots))
    }

    /// All slots that belong to somebody, and to whom.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).map_while(|slot| Some((slot, self.owner(slot)?)))
    }
}

/// A member in the making of a partition.
struct Seat {
    hash: u64,
    weight: f64,
    /// How many slots it can still have.
    room: f64,
}

fn check(members: &[(String, u32)], bound: f64) -> Result<()> {
    let refuse = |why: String| {
        Err(Error::new(
            ErrorKind::Invalid,
            format!("a partition: {why}"),
        ))
    };
    if bound.is_nan() || bound < 1.0 {
        return refuse(format!("a bound of {bound}: 1 or more is allowed"));
    }
    if u32::try_from(members.len()).is_err() {
        return refuse(format!(
            "{} members: at most {} are allowed",
            members.len(),
            u32::MAX
        ));
    }
    if let Some((id, _)) = members.iter().find(|(_, weight)| *weight == 0) {
        return refuse(format!(
            "the member {id} has the weight 0: 1 or more is allowed"
        ));
    }
    let mut pairs = members.iter().zip(members.iter().skip(1));
    match pairs.find(|((one, _), (other, _))| one == other) {
        Some(((id, _), _)) => refuse(format!("there are two members {id}")),
        None => Ok(()),
    }
}

/// Who has room and suits a slot best.
fn best(seats: &mut [Seat], slot: u32) -> Option<u32> {
    let salt = finished(u64::from(slot).wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mut best: Option<(f64, usize)> = None;
    for (number, seat) in seats.iter().enumerate() {
        if seat.room < 1.0 {
            continue;
        }
        // As long as it would have to wait for something that happens at random, as often as it weighs: first come, first served.
        let wait = waits(finished(seat.hash ^ salt)) / seat.weight;
        if best.is_none_or(|(known, _)| wait < known) {
            best = Some((wait, number));
        }
    }
    let (_, number) = best?;
    if let Some(seat) = seats.get_mut(number) {
        seat.room -= 1.0;
    }
    u32::try_from(number).ok()
}

/// Minus the natural logarithm of a hash, taken as a number between 0 and 1. By additions, multiplications and divisions only,
/// which are the same on every machine, as logarithms of the system are not.
fn waits(hash: u64) -> f64 {
    let hash = hash.max(1);
    // hash / 2^64 = whole × 2^-zeros, with `whole` from a half to 1.
    let zeros = hash.leading_zeros();
    let whole = ((hash << zeros) >> 11) as f64 / (1_u64 << 53) as f64;
    let step = (1.0 - whole) / (1.0 + whole);
    let square = step * step;
    let (mut power, mut sum) = (step, 0.0);
    for term in 0..TERMS {
        sum += power / f64::from(2 * term + 1);
        power *= square;
    }
    2.0 * sum + f64::from(zeros) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests;
