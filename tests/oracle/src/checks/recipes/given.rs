//! Who has left has given away what he had, where there was somebody to take it.
//!
//! It asks nothing of who ended in another way.

use super::records::{rows, up};
use super::{Book, Life, TABLES, record_of};
use crate::checks::claims::stays::stays;
use crate::checks::timeline::Timeline;
use crate::history::{At, History};

/// So much later than it was said the truth may hear of it.
const LATE_MICROS: u64 = 1_000_000;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in TABLES {
        let stays = stays(book.timeline, table);
        let lives = book.lives.values().filter(|life| life.keyspace == table);
        for life in lives {
            let (Some(leaves), Some(left)) = (life.leaves, life.left) else {
                continue;
            };
            let key = record_of(life);
            let gone = stays.iter().rev().find_map(|stay| {
                let is_it = |heard: At| {
                    let late = heard.micros > left.micros + LATE_MICROS;
                    leaves < heard && !late && stay.key == key && stay.heard < left
                };
                let (moment, _) = stay.gone.filter(|(_, heard)| is_it(*heard))?;
                Some((stay.created.revision, moment))
            });
            let Some((created, moment)) = gone else {
                continue;
            };
            let Some(state) = book.timeline.before(table, moment) else {
                continue;
            };
            // In another life of the log it is no member any more.
            if book.timeline.began(moment.epoch) > Some(leaves) {
                continue;
            }
            // Who is no member at that moment, because its session was lost, has nothing to give.
            if up(state).any(|(id, _)| id == life.id) {
                continue;
            }
            let me = format!("{}@{created}", life.id);
            // Who was there all the while it left, and takes shards.
            let takes = up(state).any(|(id, since)| {
                let key = format!("member/{id}");
                let others = stays.iter().filter(|stay| stay.key == key);
                let mut there = others.filter(|stay| stay.created.revision == since);
                id != life.id && there.any(|stay| stay.heard < leaves)
            });
            let kept = rows(state).filter(|(_, row)| {
                let named = [Some(&row.owner), row.next.as_ref(), row.prev.as_ref()];
                named.into_iter().flatten().any(|who| who.to_string() == me)
            });
            let kept: Vec<_> = kept.map(|(shard, _)| shard).collect();
            if takes && !kept.is_empty() {
                wrong.push(describe(table, life, &kept));
            }
        }
    }
    wrong
}

fn describe(table: &str, life: &Life<'_>, kept: &[u32]) -> String {
    format!(
        "{table}: {} has left, and rows name it still: {kept:?}",
        life.id
    )
}
