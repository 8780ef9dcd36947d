//! A table that is played without a log: members come and go, and what is planned is made by the eight changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::recipes::shards::balance::Balance;
use crate::recipes::shards::change::{Change, change};
use crate::recipes::shards::draft::Draft;
use crate::recipes::shards::due::{becomes, due};
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::{Planner, Situation};
use crate::recipes::shards::record::{Record, RowId, Shape};
use crate::recipes::shards::row::{Mode, Row, Stage};
use crate::recipes::shards::shard_member::{MemberState, Peer, ShardMember};
use crate::recipes::shards::table::{Cell, Table};
use crate::{Globe, MemoryLog};

/// A table, and what is done to it.
pub(crate) struct World {
    pub(crate) table: Table,
    numbers: HashMap<Incarnation, u32>,
    commits: u64,
    /// How many changes gave a row to somebody.
    pub(crate) handed: usize,
}

pub(crate) fn row(shard: u32, replica: u32) -> RowId {
    RowId { shard, replica }
}

impl World {
    pub(crate) fn new(mode: Mode, slots: u32, replicas: u32) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let slots = Some(slots);
        let table = runtime.block_on(async {
            let map: Globe<String, Record> = Globe::open(MemoryLog::new(), "t").await.unwrap();
            let shape = Shape {
                slots,
                mode,
                replicas,
            };
            Draft::new(&map.view(), shape).table().clone()
        });
        World {
            table,
            numbers: HashMap::new(),
            commits: 0,
            handed: 0,
        }
    }

    /// With so many equal members, `a00` and on.
    pub(crate) fn of(mode: Mode, slots: u32, replicas: u32, members: u32) -> World {
        let mut world = World::new(mode, slots, replicas);
        for number in 0..members {
            world.join(&format!("a{number:02}"));
        }
        world
    }

    pub(crate) fn join(&mut self, id: &str) -> Incarnation {
        self.enter(ShardMember::new(id))
    }

    pub(crate) fn enter(&mut self, member: ShardMember) -> Incarnation {
        self.commits += 1;
        self.enter_in(member, self.commits)
    }

    /// In a life of this number.
    pub(crate) fn enter_as(&mut self, id: &str, life: u64) -> Incarnation {
        self.enter_in(ShardMember::new(id), life)
    }

    fn enter_in(&mut self, member: ShardMember, life: u64) -> Incarnation {
        let id = Peer::new(Incarnation::new("", 0), member.clone())
            .id()
            .to_owned();
        let incarnation = Incarnation::new(id.as_str(), life);
        self.leave(&id);
        self.put(Peer::new(incarnation.clone(), member));
        incarnation
    }

    fn put(&mut self, peer: Peer) {
        let peer = Arc::new(peer);
        let number = self.number(peer.incarnation()) as usize;
        Arc::make_mut(&mut self.table.peers)[number] = Some(Arc::clone(&peer));
        Arc::make_mut(&mut self.table.members).insert(peer.id().to_owned(), peer);
    }

    pub(crate) fn leave(&mut self, id: &str) {
        if let Some(peer) = Arc::make_mut(&mut self.table.members).remove(id) {
            let number = self.number(peer.incarnation()) as usize;
            Arc::make_mut(&mut self.table.peers)[number] = None;
        }
    }

    pub(crate) fn change_member(&mut self, id: &str, of: impl FnOnce(ShardMember) -> ShardMember) {
        let peer = Arc::clone(&self.table.members[id]);
        let member = of(peer.member().clone());
        self.put(Peer::new(peer.incarnation().clone(), member));
    }

    pub(crate) fn drain(&mut self, id: &str) {
        self.change_member(id, |member| member.with_state(MemberState::Draining));
    }

    fn number(&mut self, who: &Incarnation) -> u32 {
        if let Some(number) = self.numbers.get(who) {
            return *number;
        }
        let peers = Arc::make_mut(&mut self.table.peers);
        let number = u32::try_from(peers.len()).unwrap();
        peers.push(None);
        self.numbers.insert(who.clone(), number);
        number
    }

    pub(crate) fn set(&mut self, id: RowId, row: Row) {
        let owner = self.number(&row.owner);
        let at = self.table.at(id);
        let cell = Cell {
            row: Arc::new(row),
            owner,
        };
        self.table.rows.set(at, Some(cell));
    }

    pub(crate) fn write(&mut self, id: RowId, text: &str) {
        self.set(id, serde_json::from_str(&text.replace('\'', "\"")).unwrap());
    }

    pub(crate) fn row(&self, id: RowId) -> Option<Row> {
        self.table.cell(id).map(|cell| (*cell.row).clone())
    }

    /// Makes a change, which must be possible.
    pub(crate) fn make(&mut self, id: RowId, wanted: &Change, by: Option<&Incarnation>) {
        let before = self.row(id);
        let table = &self.table;
        let made = change(table.mode(), before.as_ref(), wanted, by, |who| {
            table.is_live(who)
        });
        let made = made.unwrap_or_else(|| panic!("{wanted:?} of {before:?}"));
        if before.is_none_or(|before| before.owner != made.owner) {
            self.handed += 1;
        }
        self.set(id, made);
    }

    /// What is due, then what is planned; how many changes that were.
    pub(crate) fn step(&mut self, planner: &Balance, is_settled: bool) -> usize {
        self.step_in(|table| planner.plan(&Situation::new(table).settled(is_settled)))
    }

    pub(crate) fn step_in(&mut self, plan: impl Fn(&Table) -> Vec<crate::shards::Move>) -> usize {
        let mut wanted = due(&self.table, |_, _| false);
        let moves = plan(&self.table);
        let planned = moves.iter().map(|one| {
            becomes(&self.table, one).unwrap_or_else(|| panic!("{one:?} is not possible"))
        });
        wanted.extend(planned);
        let ids: std::collections::BTreeSet<RowId> = wanted.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), wanted.len(), "a row changes twice: {wanted:?}");
        for (id, wanted) in &wanted {
            self.make(*id, wanted, None);
        }
        wanted.len()
    }

    /// Members do what rows ask of them, one step each, where `which` says so; how many they were.
    pub(crate) fn work(&mut self, mut which: impl FnMut(RowId) -> bool) -> usize {
        let rows = self.table.rows();
        let moving = rows.filter(|(_, _, row)| row.stage() != Stage::Settled);
        let rows: Vec<_> = moving
            .map(|(shard, replica, one)| (row(shard, replica), Arc::clone(one)))
            .collect();
        let mut done = 0;
        for (id, row) in rows.into_iter().filter(|(id, _)| which(*id)) {
            let (wanted, by) = match row.stage() {
                Stage::Prepare(next) => (Change::Ready, next),
                Stage::Drain(_) => (Change::Done, &row.owner),
                Stage::Leaving(prev) => (Change::Done, prev),
                Stage::Settled => continue,
            };
            let can = change(self.table.mode(), Some(&row), &wanted, Some(by), |_| true).is_some();
            if can && self.table.is_live(by) {
                self.make(id, &wanted, Some(by));
                done += 1;
            }
        }
        done
    }

    /// Plans and works until nothing is left to do; how many rounds that were.
    pub(crate) fn rest(&mut self, planner: &Balance, is_settled: bool) -> usize {
        for round in 0..2_000 {
            if self.step(planner, is_settled) + self.work(|_| true) == 0 {
                return round;
            }
        }
        panic!("it never comes to rest: {:?}", self.loads());
    }

    /// What each that is there has.
    pub(crate) fn loads(&self) -> BTreeMap<String, u64> {
        let mut loads: BTreeMap<String, u64> = self
            .table
            .members()
            .map(|peer| (peer.id().to_owned(), 0))
            .collect();
        for (_, _, row) in self.table.rows() {
            if self.table.is_live(&row.owner) {
                *loads.get_mut(row.owner.id()).unwrap() += u64::from(row.weight.max(1));
            }
        }
        loads
    }

    pub(crate) fn owner(&self, id: RowId) -> Option<String> {
        let owner = self.row(id)?.owner;
        self.table.is_live(&owner).then(|| owner.id().to_owned())
    }

    /// Nobody that is there and up has more than its share by more than the tolerance and one row.
    pub(crate) fn assert_level(&self, tolerance: f64) {
        let up = || self.table.members().filter(|peer| peer.is_up());
        let capacity: f64 = up().map(|peer| f64::from(peer.weight().max(1))).sum();
        let weights = self
            .table
            .rows()
            .map(|(_, _, row)| u64::from(row.weight.max(1)));
        let (total, heaviest) = weights.fold((0, 0), |(sum, most), one| (sum + one, most.max(one)));
        let loads = self.loads();
        for peer in up() {
            let share = total as f64 * f64::from(peer.weight().max(1)) / capacity;
            let most = share * (1.0 + tolerance) + heaviest as f64;
            let load = loads[peer.id()] as f64;
            assert!(
                load <= most * 1.000_001,
                "{} has {load} of {share}: {loads:?}",
                peer.id()
            );
        }
    }
}
