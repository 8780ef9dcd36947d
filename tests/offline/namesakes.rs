//! What becomes of a copy whose log was restored while nobody followed it, kept its name, and went on beyond the copy.
//!
//! The truth is always what the log itself holds.

use globe::{Epoch, LogClient, MemoryLog, Phase, Position, ResyncReason};
use tempfile::TempDir;

use crate::namesake::Namesake;
use crate::rig::shown::content;
use crate::rig::truth::{Content, number, text};
use crate::rig::{delete_raw, keyspace, until, within, write_raw};
use crate::{Numbers, copied, is_live, kept};

const OTHER: Option<ResyncReason> = Some(ResyncReason::EpochChanged);

/// A write of a number, or a delete.
type Write = (&'static str, Option<u64>);

/// A log, and the folder of a copy.
struct Stage {
    log: MemoryLog,
    name: Epoch,
    folder: TempDir,
}

impl Stage {
    /// The copy holds what a log held, and was there when these writes came: they were backed up, the others were not.
    async fn new(log: MemoryLog, backed_up: &[Write], not: &[Write]) -> Stage {
        let name = log.head_position().epoch;
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage { log, name, folder };
        let map = kept(&stage.way(), &stage.folder).await;
        stage.write(backed_up).await;
        let backup = stage.log.backup();
        stage.write(not).await;
        stage.is_copied().await;
        map.close().await;
        stage.log.restore(&backup);
        stage
    }

    /// To the present life of the log.
    fn way(&self) -> Namesake {
        Namesake::new(&self.log, self.name)
    }

    async fn write(&self, writes: &[Write]) {
        for (key, value) in writes {
            match value {
                Some(value) => write_raw(&self.log, "numbers", key, value.to_string()).await,
                None => delete_raw(&self.log, "numbers", key).await,
            };
        }
    }

    /// Other keyspaces are written until the log is beyond what the copy holds.
    async fn pass(&self, beyond: u64) {
        for _ in 0..beyond {
            write_raw(&self.log, "others", "key", "value").await;
        }
    }

    fn head(&self) -> Position {
        let head = self.log.head_position();
        Position::new(self.name, head.revision)
    }

    async fn is_copied(&self) {
        copied(&self.folder, self.head()).await;
    }

    fn forget(&self) {
        self.log.compact(self.head().revision).unwrap();
    }

    /// A map as another process begins it, once it is live and shows what the log holds.
    async fn begin(&self, way: &Namesake) -> Numbers {
        let map = kept(way, &self.folder).await;
        self.is_there(&map).await;
        map
    }

    async fn is_there(&self, map: &Numbers) {
        is_live(map).await;
        within("a sync", map.sync()).await.unwrap();
        assert_eq!(content(&map.view()), self.held().await);
    }

    async fn held(&self) -> Content {
        let snapshot = self.log.snapshot(&keyspace("numbers")).await.unwrap();
        let records = snapshot.collect().await.unwrap();
        let each = records.iter();
        each.map(|it| (text(&it.key), number(&it.value))).collect()
    }

    /// A map that begins with the copy finds out that the log is another one, by so many questions, and reads all of it; and
    /// the next one follows it.
    async fn is_found_out(&self, questions: usize) {
        let way = self.way();
        let map = self.begin(&way).await;
        let (status, calls) = (map.status(), way.way.calls());
        assert_eq!((status.last_resync, status.violations), (OTHER, 0));
        assert_eq!((calls.snapshots, calls.differences), (1, 0));
        assert_eq!(calls.looks_back, questions);
        self.is_copied().await;
        map.close().await;
        let way = self.way();
        assert_eq!(self.begin(&way).await.status().resyncs, 0);
        assert_eq!(way.way.calls().snapshots, 0);
    }
}

#[tokio::test]
async fn what_a_restore_undid_that_nobody_saw_is_not_shown_beyond_the_first_answer() {
    let backed_up = [("a", Some(1)), ("b", Some(2))];
    let undone = [("a", Some(10)), ("c", Some(3))];
    let stage = Stage::new(MemoryLog::new(), &backed_up, &undone).await;
    // What comes after the restore and is never written again.
    stage.write(&[("d", Some(4))]).await;
    stage.pass(5).await;
    stage.is_found_out(1).await;
}

#[tokio::test]
async fn another_value_of_the_same_revisions_is_another_history() {
    let (backed_up, undone) = ([("a", Some(1))], [("b", Some(2))]);
    let stage = Stage::new(MemoryLog::new(), &backed_up, &undone).await;
    stage.write(&[("b", Some(20))]).await;
    stage.pass(5).await;
    stage.is_found_out(1).await;
}

#[tokio::test]
async fn an_undone_delete_is_found_by_the_key_that_the_copy_saw_go_last() {
    let backed_up = [("b", Some(2)), ("a", Some(1))];
    let stage = Stage::new(MemoryLog::new(), &backed_up, &[("b", None)]).await;
    stage.pass(5).await;
    stage.is_found_out(1).await;
}

#[tokio::test]
async fn a_copy_without_records_is_shown_and_all_is_read() {
    let backed_up = [("a", Some(1)), ("b", Some(2))];
    // The key that went last is in neither history.
    let undone = [("a", None), ("b", None), ("c", Some(3)), ("c", None)];
    let stage = Stage::new(MemoryLog::new(), &backed_up, &undone).await;
    stage.pass(5).await;
    let way = stage.way();
    way.way.cut(true);
    let map = kept(&way, &stage.folder).await;
    assert!(map.is_empty() && map.status().from_copy);
    way.way.cut(false);
    stage.is_there(&map).await;
    assert_eq!((map.len(), map.status().resyncs), (2, 1));
}

#[tokio::test]
async fn where_the_position_of_the_copy_is_forgotten_what_stands_now_shows_another_history() {
    let backed_up = [("a", Some(1)), ("b", Some(2))];
    let undone = [("a", Some(10)), ("c", Some(3)), ("d", Some(4))];
    let stage = Stage::new(MemoryLog::new(), &backed_up, &undone).await;
    stage.pass(5).await;
    // Of what is asked for first nothing can be told.
    stage.write(&[("d", Some(40))]).await;
    stage.forget();
    // `d` then, and `d`, `c` and `a` now.
    stage.is_found_out(4).await;
}

#[tokio::test]
async fn where_it_is_forgotten_and_nothing_tells_what_has_changed_is_read_by_its_own_proof() {
    let backed_up = [("a", Some(1))];
    let stage = Stage::new(MemoryLog::new(), &backed_up, &[("b", Some(2))]).await;
    stage.write(&[("a", Some(10))]).await;
    stage.pass(5).await;
    stage.write(&[("b", Some(20)), ("a", Some(11))]).await;
    stage.forget();
    let way = stage.way();
    let map = stage.begin(&way).await;
    assert_eq!(map.status().last_resync, Some(ResyncReason::Compacted));
    assert_eq!(way.way.calls().snapshots, 1);
}

/// A log that was not restored, and went on since.
async fn same(log: MemoryLog) -> Stage {
    let stage = Stage::new(log, &[("a", Some(1)), ("b", Some(2))], &[]).await;
    stage.write(&[("a", Some(10)), ("c", Some(3))]).await;
    stage
}

#[tokio::test]
async fn the_same_log_is_known_by_one_question_or_by_two_where_the_last_change_was_a_delete() {
    let stage = same(MemoryLog::new()).await;
    for questions in [1, 2] {
        let way = stage.way();
        let map = stage.begin(&way).await;
        assert_eq!(map.status().resyncs, 0);
        let calls = way.way.calls();
        assert_eq!((calls.snapshots, calls.looks_back), (0, questions));
        stage.write(&[("c", None)]).await;
        stage.is_copied().await;
        map.close().await;
    }
}

#[tokio::test]
async fn the_same_log_is_known_by_what_stands_now_where_it_has_forgotten_the_position() {
    let stage = same(MemoryLog::new()).await;
    stage.write(&[("d", Some(4)), ("d", None)]).await;
    stage.forget();
    let way = stage.way();
    let map = stage.begin(&way).await;
    assert_eq!(map.status().last_resync, Some(ResyncReason::Compacted));
    let calls = way.way.calls();
    // `b` then and now; and once more, for the difference.
    assert_eq!((calls.snapshots, calls.looks_back), (0, 3));
}

#[tokio::test]
async fn a_log_that_knows_no_history_is_followed_as_it_is() {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.history = false;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let stage = same(log).await;
    let way = stage.way();
    assert_eq!(stage.begin(&way).await.status().resyncs, 0);
    assert_eq!(way.way.calls().snapshots, 0);
}

#[tokio::test]
async fn while_the_log_cannot_tell_nothing_is_proved_and_it_is_asked_again_after_a_pause() {
    let stage = Stage::new(MemoryLog::new(), &[("a", Some(1))], &[("a", Some(2))]).await;
    // By its number it stands just where the copy does.
    stage.pass(1).await;
    let way = stage.way();
    way.be_forgetful(true);
    let map = kept(&way, &stage.folder).await;
    until("it was asked a few times", || way.way.calls().heads > 3).await;
    until("it has failed a few times", || map.status().failures > 3).await;
    let (status, calls) = (map.status(), way.way.calls());
    assert_eq!(status.phase, Phase::Stale);
    assert!(status.from_copy);
    assert_eq!((calls.snapshots, calls.differences, calls.tails), (0, 0, 0));
    assert!(calls.looks_back <= map.status().failures as usize + 1);
    way.be_forgetful(false);
    stage.is_there(&map).await;
    assert_eq!(map.status().last_resync, OTHER);
}

#[tokio::test]
async fn a_way_that_is_cut_again_and_again_while_a_copy_is_to_be_proved_costs_a_question_each_time()
{
    let stage = same(MemoryLog::new()).await;
    let way = stage.way();
    way.way.cut(true);
    let map = kept(&way, &stage.folder).await;
    for round in 1..4 {
        way.be_forgetful(true);
        way.way.cut(false);
        let asked = way.way.calls().looks_back;
        until("it was asked", || way.way.calls().looks_back > asked).await;
        way.way.cut(true);
        let failures = map.status().failures;
        until("it is cut", || map.status().failures > failures + round).await;
    }
    way.be_forgetful(false);
    way.way.cut(false);
    stage.is_there(&map).await;
    let (status, calls) = (map.status(), way.way.calls());
    assert_eq!((status.resyncs, calls.snapshots, calls.tails), (0, 0, 1));
    assert!(calls.looks_back <= status.reopens as usize + 1);
}
