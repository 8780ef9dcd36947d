//! Which member a key belongs to: 16,384 buckets of keys, each with the two members that score best in it.
//!
//! Never depends on the order in which members came: all processes that see the same members find the same.

use std::collections::{BTreeMap, HashMap};

use crate::recipes::hash::{finished, hash};

/// How many buckets there are: 2 to the power of this.
const BITS: u32 = 14;
pub(crate) const BUCKETS: usize = 1 << BITS;

/// So many scores are computed in a turn: less than a millisecond.
const TURN: usize = 1 << 16;

/// Nobody.
pub(crate) const NONE: u32 = u32::MAX;

/// The bucket of a key, by its hash.
pub(crate) fn bucket_of(hash: u64) -> u32 {
    (hash >> (64 - BITS)) as u32
}

/// What a member has to pay for a bucket: whoever pays least gets it. A number that is distributed exponentially with the
/// weight as its rate: so each gets a share by its weight, who comes only takes, and who leaves only gives.
pub(crate) fn price(member: u64, weight: u32, bucket: u32) -> f64 {
    let random = finished(member ^ finished(u64::from(bucket) + 1));
    minus_log(random) / f64::from(weight)
}

/// Minus the natural logarithm of a number drawn from (0, 1]. By sums and products alone, which every machine rounds alike.
fn minus_log(random: u64) -> f64 {
    // As m · 2^e with m in [1, 2), of 64 bits after the point.
    let random = random | 1;
    let zeros = random.leading_zeros();
    let mantissa = (random << zeros) as f64 / (1_u64 << 63) as f64;
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = 1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square / 9.0)));
    f64::from(zeros + 1) * std::f64::consts::LN_2 - 2.0 * ratio * series
}

/// What is known of a member here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seat {
    hash: u64,
    weight: u32,
}

/// The two that pay least in a bucket: by price and seat.
type Best = [(f64, u32); 2];

const NOBODY: (f64, u32) = (f64::INFINITY, NONE);

/// Every member has a seat for as long as it is there.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    seats: Vec<Option<Seat>>,
    seat_of: HashMap<String, u32>,
    best: Vec<Best>,
}

impl Buckets {
    /// Takes these members, by their ids and weights, instead of those it had, in turns. Costs 16,384 scores for each that is
    /// new, and twice that for each that is gone.
    pub(crate) async fn take(&mut self, members: &BTreeMap<&str, u32>) {
        if self.best.is_empty() {
            self.best = vec![[NOBODY; 2]; BUCKETS];
        }
        let mut pace = Pace(0);
        self.leave(members, &mut pace).await;
        for (id, weight) in members {
            if !self.seat_of.contains_key(*id) {
                let seat = Seat {
                    hash: hash(id.as_bytes()),
                    weight: *weight,
                };
                self.join(id, seat);
                pace.spend(BUCKETS).await;
            }
        }
    }

    /// Lets those go that are not there any more, or have another weight.
    async fn leave(&mut self, members: &BTreeMap<&str, u32>, pace: &mut Pace) {
        let (seats, before) = (&mut self.seats, self.seat_of.len());
        self.seat_of.retain(|id, seat| {
            let place = &mut seats[*seat as usize];
            let weight = place.map(|seat| seat.weight);
            let stays = members.get(id.as_str()).copied() == weight;
            if !stays {
                *place = None;
            }
            stays
        });
        if self.seat_of.len() == before {
            return;
        }
        for bucket in 0..BUCKETS {
            let is_gone =
                |(_, seat): &(f64, u32)| *seat != NONE && self.seats[*seat as usize].is_none();
            if self.best[bucket].iter().any(is_gone) {
                self.best[bucket] = self.best_of(bucket as u32);
                pace.spend(self.seats.len()).await;
            }
        }
    }

    fn best_of(&self, bucket: u32) -> Best {
        let seats = self.seats.iter().enumerate();
        let taken = seats.filter_map(|(seat, taken)| Some((seat as u32, (*taken)?)));
        taken.fold([NOBODY; 2], |best, (number, seat)| {
            better(best, (price(seat.hash, seat.weight, bucket), number))
        })
    }

    fn join(&mut self, id: &str, seat: Seat) {
        let free = self.seats.iter().position(Option::is_none);
        let number = free.unwrap_or(self.seats.len()) as u32;
        match free {
            Some(free) => self.seats[free] = Some(seat),
            None => self.seats.push(Some(seat)),
        }
        self.seat_of.insert(id.to_owned(), number);
        for (bucket, best) in self.best.iter_mut().enumerate() {
            let price = price(seat.hash, seat.weight, bucket as u32);
            *best = better(*best, (price, number));
        }
    }

    /// How many seats there are, taken or not.
    pub(crate) fn seats(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn seat_of(&self, id: &str) -> Option<usize> {
        self.seat_of.get(id).map(|seat| *seat as usize)
    }

    /// The seats of the best and the second best of each bucket.
    pub(crate) fn winners(&self) -> Vec<[u32; 2]> {
        let seats = |best: &Best| best.map(|(_, seat)| seat);
        self.best.iter().map(seats).collect()
    }
}

fn better(best: Best, other: (f64, u32)) -> Best {
    let [first, second] = best;
    if other.0 < first.0 {
        [other, first]
    } else if other.0 < second.0 {
        [first, other]
    } else {
        best
    }
}

/// How much of a turn is used up.
struct Pace(usize);

impl Pace {
    async fn spend(&mut self, scores: usize) {
        self.0 += scores;
        if self.0 >= TURN {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose each bucket is.
    async fn owners(buckets: &mut Buckets, members: &[(&str, u32)]) -> Vec<String> {
        let members: BTreeMap<&str, u32> = members.iter().copied().collect();
        buckets.take(&members).await;
        let seats: BTreeMap<usize, &str> = members
            .keys()
            .filter_map(|id| Some((buckets.seat_of(id)?, *id)))
            .collect();
        let winners = buckets.winners();
        let owners = winners.iter().map(|[first, _]| seats[&(*first as usize)]);
        owners.map(str::to_owned).collect()
    }

    #[test]
    fn a_logarithm_is_one() {
        let mut rng = fastrand::Rng::with_seed(7);
        for random in (0..10_000).map(|_| rng.u64(..)).chain([0, 1, u64::MAX]) {
            let uniform = (random | 1) as f64 / 2.0_f64.powi(64);
            let expected = -uniform.ln();
            assert!((minus_log(random) - expected).abs() < 1e-5, "{random}");
        }
    }

    #[tokio::test]
    async fn a_join_only_takes_and_a_leave_only_gives() {
        let mut buckets = Buckets::default();
        let four = [("a", 100), ("b", 100), ("c", 100), ("d", 100)];
        let before = owners(&mut buckets, &four[..3]).await;
        let after = owners(&mut buckets, &four).await;
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(one, other)| one != other);
        let to: Vec<&String> = moved.map(|(_, to)| to).collect();
        assert!(to.iter().all(|to| *to == "d"));
        assert!(
            to.len().abs_diff(BUCKETS / 4) < BUCKETS / 40,
            "{}",
            to.len()
        );
        let again = owners(&mut buckets, &four[..3]).await;
        assert_eq!(again, before);
        // Whoever comes to it by another way finds the same.
        let mut other = Buckets::default();
        owners(&mut other, &[("x", 7), ("d", 100), ("c", 1)]).await;
        assert_eq!(owners(&mut other, &four).await, after);
    }

    #[tokio::test]
    async fn shares_are_by_weight_and_the_second_is_who_would_have_it() {
        let mut buckets = Buckets::default();
        let members = [("a", 100), ("b", 300), ("c", 0), ("d", 200)];
        let owners_now = owners(&mut buckets, &members).await;
        for (id, weight) in members {
            let share = owners_now.iter().filter(|owner| *owner == id).count();
            let expected = BUCKETS * weight as usize / 600;
            assert!(share.abs_diff(expected) <= BUCKETS / 40, "{id}: {share}");
        }
        let seat = buckets.seat_of("b");
        let winners = buckets.winners();
        let without = owners(&mut buckets, &[members[0], members[3]]).await;
        for ([first, second], owner) in winners.iter().zip(without) {
            let of = if Some(*first as usize) == seat {
                second
            } else {
                first
            };
            assert_eq!(buckets.seat_of(&owner), Some(*of as usize));
        }
    }
}
