//! Where each row of a table stands for its planner: lost, waiting, settled or moving, and with whom it counts.
//!
//! Never moves any: it says what may be moved.

use crate::recipes::shards::fleet::Fleet;
use crate::recipes::shards::planner::Situation;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::row::{Mode, Row, Stage};

/// What may be planned of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has no owner: it can be given to anybody.
    Lost,
    /// The same, but only this one can have it: its former owner, who still serves it.
    Back(usize),
    /// Its owner has stopped for one that is dead.
    Waiting,
    /// Its owner serves it, and nobody else is to.
    Settled,
    /// It moves, or what is due of it comes first.
    Moving,
}

/// One row as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) id: RowId,
    pub(crate) standing: Standing,
    pub(crate) weight: u64,
    /// Who serves it.
    pub(crate) at: Option<usize>,
    /// With whom it counts: who serves it once it has moved.
    pub(crate) counts: Option<usize>,
    /// The life that came after its dead owner's.
    pub(crate) successor: Option<usize>,
    /// Whom an operator wants to have it, if that one is there and takes it.
    pub(crate) pin: Option<usize>,
}

/// All rows, those of one shard beside each other.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) spots: Vec<Spot>,
    replicas: usize,
}

impl Survey {
    /// Looks at every row, and counts it with the member that has it.
    pub(crate) fn new(situation: &Situation<'_>, fleet: &mut Fleet<'_>) -> Survey {
        let table = situation.table();
        // Who of all that own anything is there, looked up once.
        let owners = table.peers.iter().map(|peer| {
            let peer = peer.as_ref()?;
            fleet.find(peer.incarnation())
        });
        let owners: Vec<Option<usize>> = owners.collect();
        let mut spots = Vec::with_capacity(table.len() as usize * table.replicas() as usize);
        for shard in table.shards() {
            for replica in 0..table.replicas() {
                let id = RowId { shard, replica };
                let spot = match table.cell(id) {
                    Some(cell) => {
                        let at = owners.get(cell.owner as usize).copied().flatten();
                        spot(id, &cell.row, at, table.mode(), fleet)
                    }
                    None => lost(id, 1),
                };
                if let Some(counts) = spot.counts {
                    fleet.count(counts, spot.weight);
                }
                spots.push(spot);
            }
        }
        let weight = spots
            .iter()
            .fold(0_u64, |sum, spot| sum.saturating_add(spot.weight));
        fleet.begin(weight, spots.len());
        let replicas = table.replicas().max(1) as usize;
        Survey { spots, replicas }
    }

    /// The other rows of the same shard.
    pub(crate) fn siblings(&self, row: usize) -> impl Iterator<Item = &Spot> + '_ {
        let first = row - row % self.replicas;
        let shard = self.spots.get(first..first + self.replicas);
        let shard = shard.unwrap_or_default().iter().enumerate();
        shard
            .filter(move |(at, _)| first + at != row)
            .map(|(_, spot)| spot)
    }

    pub(crate) fn has_siblings(&self) -> bool {
        self.replicas > 1
    }
}

fn lost(id: RowId, weight: u64) -> Spot {
    Spot {
        id,
        standing: Standing::Lost,
        weight,
        at: None,
        counts: None,
        successor: None,
        pin: None,
    }
}

fn spot(id: RowId, row: &Row, at: Option<usize>, mode: Mode, fleet: &mut Fleet<'_>) -> Spot {
    let (standing, counts) = match (row.stage(), at) {
        (Stage::Prepare(next) | Stage::Drain(next), None) => match fleet.find(next) {
            Some(next) => (Standing::Moving, Some(next)),
            None => (Standing::Lost, None),
        },
        (Stage::Leaving(_), _) if mode == Mode::Strict => (Standing::Moving, at),
        (Stage::Leaving(prev), None) => match fleet.find(prev) {
            Some(prev) => (Standing::Back(prev), None),
            None => (Standing::Lost, None),
        },
        (Stage::Settled, None) => (Standing::Lost, None),
        (Stage::Settled, Some(_)) => (Standing::Settled, at),
        (Stage::Prepare(next), Some(_)) => {
            // To one that is gone, or drains, it is cancelled.
            let next = fleet.find(next).filter(|next| !fleet.is_draining(*next));
            if next.is_some() {
                fleet.moves(at, next);
            }
            (Standing::Moving, next.or(at))
        }
        (Stage::Drain(_), Some(_)) if mode == Mode::Available => (Standing::Moving, at),
        (Stage::Drain(next), Some(_)) => match fleet.find(next) {
            Some(next) => {
                fleet.moves(at, Some(next));
                (Standing::Moving, Some(next))
            }
            None => (Standing::Waiting, None),
        },
        (Stage::Leaving(prev), Some(_)) => {
            fleet.moves(fleet.find(prev), at);
            (Standing::Moving, at)
        }
    };
    let is_lost = matches!(standing, Standing::Lost);
    let successor = is_lost.then(|| fleet.find_id(row.owner.id())).flatten();
    let pin = row.pin.as_deref().and_then(|pin| fleet.find_id(pin));
    Spot {
        standing,
        weight: u64::from(row.weight.max(1)),
        at,
        counts,
        successor: successor.filter(|successor| fleet.takes(*successor)),
        pin: pin.filter(|pin| fleet.takes(*pin)),
        ..lost(id, 1)
    }
}
