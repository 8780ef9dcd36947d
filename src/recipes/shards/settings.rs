//! Every setting of a shard table as a number: its default, and what is refused.
//!
//! Settings are data: none of them changes whose a shard may be, only when it moves.

use std::sync::Arc;
use std::time::Duration;

use crate::recipes::shards::planner::Planner;
use crate::recipes::shards::record::Shape;
use crate::recipes::shards::row::Mode;
use crate::{Error, ErrorKind, Result};

/// The most shards of a table: every node holds each of their rows.
const SLOTS: u32 = 1_000_000;
/// The most owners of one shard.
const REPLICAS: u32 = 16;
/// No time may be longer: a longer one is a mistake in its unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of one opened table.
#[derive(Clone, Debug)]
pub(crate) struct TableSettings {
    pub(crate) shape: Shape,
    /// How long memberships must have been quiet before shards move only for balance.
    pub(crate) settle: Duration,
    /// How long a member may take to prepare.
    pub(crate) prepare_timeout: Duration,
    pub(crate) planner: Arc<dyn Planner>,
    /// Whether members that join here stand for planner.
    pub(crate) plans: bool,
}

/// What the shape of a table has to say.
pub(crate) fn shape(
    slots: Option<u32>,
    ranges: bool,
    mode: Option<Mode>,
    replicas: u32,
) -> Result<Shape> {
    let Some(mode) = mode else {
        return refuse("no mode is said: Mode::Strict or Mode::Available".to_owned());
    };
    match (slots, ranges) {
        (None, false) => return refuse("neither slots nor ranges are said".to_owned()),
        (Some(_), true) => return refuse("both slots and ranges are said".to_owned()),
        (Some(slots), false) if slots == 0 || slots > SLOTS => {
            return refuse(format!("{slots} slots: 1 to {SLOTS} are allowed"));
        }
        _ => {}
    }
    if replicas == 0 || replicas > REPLICAS {
        return refuse(format!(
            "{replicas} owners of each shard: 1 to {REPLICAS} are allowed"
        ));
    }
    Ok(Shape {
        slots,
        mode,
        replicas,
    })
}

pub(crate) fn check_time(name: &str, time: Duration) -> Result<()> {
    if time.is_zero() || time > LONGEST {
        let why =
            format!("{name} is {time:?}: more than none, and at most {LONGEST:?}, is allowed");
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    Ok(())
}

fn refuse(why: String) -> Result<Shape> {
    let why = format!("a shard table: {why}");
    Err(Error::new(ErrorKind::Invalid, why))
}
