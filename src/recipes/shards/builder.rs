//! Opens a shard table: with what settings, and as what.
//!
//! Never changes what a table is: it is that for good, from who opened it first.

use std::sync::Arc;
use std::time::Duration;

use crate::recipes::shards::balance::Balance;
use crate::recipes::shards::common::Common;
use crate::recipes::shards::draft::Draft;
use crate::recipes::shards::following::follow;
use crate::recipes::shards::handle::Shards;
use crate::recipes::shards::planner::Planner;
use crate::recipes::shards::record::{Record, SHAPE, Shape};
use crate::recipes::shards::row::Mode;
use crate::recipes::shards::settings::{TableSettings, check_time, shape};
use crate::{Builder, Error, ErrorKind, Globe, LogClient, Result};

/// Opens a shard table. Made by [`Shards::builder`].
#[must_use = "nothing is opened yet"]
#[derive(Debug)]
pub struct ShardsBuilder {
    map: Builder<String, Record>,
    keyspace: String,
    slots: Option<u32>,
    ranges: bool,
    mode: Option<Mode>,
    replicas: u32,
    settle: Duration,
    prepare_timeout: Duration,
    planner: Option<Arc<dyn Planner>>,
    balance: Balance,
    plans: bool,
}

impl Shards {
    /// Opens a table with settings: its shape and its mode have to be said.
    pub fn builder(log: impl LogClient, keyspace: &str) -> ShardsBuilder {
        ShardsBuilder {
            map: Globe::builder(log, keyspace),
            keyspace: keyspace.to_owned(),
            slots: None,
            ranges: false,
            mode: None,
            replicas: 1,
            settle: Duration::from_secs(30),
            prepare_timeout: Duration::from_secs(60),
            planner: None,
            balance: Balance::default(),
            plans: true,
        }
    }
}

impl ShardsBuilder {
    /// So many shards, over which keys are spread by their hash: 1 to 1,000,000. For good: choose some hundred for each
    /// member there may ever be.
    pub fn slots(mut self, slots: u32) -> ShardsBuilder {
        self.slots = Some(slots);
        self
    }

    /// Shards are ranges of keys: one at first, of all keys, and more by [`Shards::split`].
    pub fn ranges(mut self) -> ShardsBuilder {
        self.ranges = true;
        self
    }

    /// What is more important where a shard moves. It has to be said.
    pub fn mode(mut self, mode: Mode) -> ShardsBuilder {
        self.mode = Some(mode);
        self
    }

    /// How many members own each shard: 1 to 16. (1.)
    pub fn replicas(mut self, replicas: u32) -> ShardsBuilder {
        self.replicas = replicas;
        self
    }

    /// How long no member must have come or gone before shards move only for balance. (30 s.) In a rolling restart it should
    /// be longer than a member takes to come back.
    pub fn settle(mut self, time: Duration) -> ShardsBuilder {
        self.settle = time;
        self
    }

    /// How far a member may be above or below its share before shards move for it: 0 to 1. (0.05.)
    pub fn tolerance(mut self, tolerance: f64) -> ShardsBuilder {
        self.balance = self.balance.tolerance(tolerance);
        self
    }

    /// How many shards of one member move at the same time, in or out, in planned moves. (16.)
    pub fn moving(mut self, moving: u32) -> ShardsBuilder {
        self.balance = self.balance.moving(moving);
        self
    }

    /// How long a member may take to prepare for a shard, before it is given to another. (60 s.)
    pub fn prepare_timeout(mut self, time: Duration) -> ShardsBuilder {
        self.prepare_timeout = time;
        self
    }

    /// Who plans, instead of the default.
    pub fn planner(mut self, planner: impl Planner) -> ShardsBuilder {
        self.planner = Some(Arc::new(planner));
        self
    }

    /// Whether members that join here also stand for planner. (They do.) At least one member of a table has to.
    pub fn plans(mut self, plans: bool) -> ShardsBuilder {
        self.plans = plans;
        self
    }

    /// For how long the log may be away while the table is opened. (10 s.)
    pub fn open_timeout(mut self, bound: Duration) -> ShardsBuilder {
        self.map = self.map.open_timeout(bound);
        self
    }

    /// Opens the table: reads it, and says what it is, where nobody has. Cancel safe.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot be meant, and where the table is another (of another number of slots, mode or number
    /// of owners); otherwise as [`Globe::open`](crate::Globe::open).
    pub async fn open(self) -> Result<Shards> {
        let shape = shape(self.slots, self.ranges, self.mode, self.replicas)?;
        check_time("settle", self.settle)?;
        check_time("prepare_timeout", self.prepare_timeout)?;
        self.balance.check()?;
        let settings = TableSettings {
            shape,
            settle: self.settle,
            prepare_timeout: self.prepare_timeout,
            planner: self.planner.unwrap_or_else(|| Arc::new(self.balance)),
            plans: self.plans,
        };
        let map = self.map.open().await?;
        agree(&map, &self.keyspace, shape).await?;
        let view = map.view();
        let draft = Draft::new(&view, shape);
        let common = Arc::new(Common::new(map.clone(), settings, draft.table().clone()));
        let watch = map.watch().since(&view);
        Ok(Shards::new(common, |common, stop| {
            follow(common, watch, draft, stop)
        }))
    }
}

/// Says what the table is, where nobody has; all must say the same.
async fn agree(map: &Globe<String, Record>, keyspace: &str, shape: Shape) -> Result<()> {
    if !map.contains_key(SHAPE) {
        match map.create(SHAPE, Record::Shape(shape)).await {
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
        map.sync().await?;
    }
    match map.get(SHAPE).as_deref() {
        Some(Record::Shape(known)) if *known == shape => Ok(()),
        Some(Record::Shape(known)) => {
            let why = format!("the shard table {keyspace} is {known}, and was opened as {shape}");
            Err(Error::new(ErrorKind::Invalid, why))
        }
        _ => {
            let why = format!("{keyspace}/{SHAPE} does not say what the shard table is");
            Err(Error::new(ErrorKind::Invalid, why))
        }
    }
}
