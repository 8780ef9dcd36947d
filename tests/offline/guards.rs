//! Guarded maps that begin with their copies: what was wiped meanwhile is withheld, and is no copy before it is accepted.
//!
//! The guard itself is another file's to try: `tests/guards/`.

use globe::log_client::Transaction;
use globe::{Builder, Guard, LogClient, MemoryLog, Position, Withheld};
use tempfile::TempDir;

use crate::rig::{delete_raw, keyspace, put_all, until, within, write_raw};
use crate::{Numbers, builder, copied, in_folder, is_live};

fn guarded(log: &(impl LogClient + Clone), folder: &TempDir) -> Builder<String, u64> {
    builder(log, in_folder(folder)).guard(Guard::hold().share(1.0).until_accepted())
}

async fn begin(log: &MemoryLog, folder: &TempDir) -> Numbers {
    let opened = guarded(log, folder).open();
    within("a map is opened", opened).await.unwrap()
}

/// A log and a folder in which a guarded map was open of three entries.
async fn was_open() -> (MemoryLog, TempDir) {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    let map = begin(&log, &folder).await;
    put_all(&map, [("a", 1), ("b", 2), ("c", 3)]).await;
    map.close().await;
    (log, folder)
}

async fn withheld(map: &Numbers, at: Position) -> Withheld {
    let holds = || {
        let withheld = map.status().withheld;
        withheld.is_some_and(|withheld| withheld.position == at)
    };
    until("it is withheld", holds).await;
    map.status().withheld.unwrap()
}

/// The log has nothing any more, and one more record.
async fn wipe(log: &MemoryLog, in_another_life: bool) -> Position {
    match in_another_life {
        true => log.wipe(),
        false => {
            let (space, none) = (keyspace("numbers"), Transaction::new());
            let delete = ["a", "b", "c"].into_iter();
            let delete = delete.fold(none, |write, key| write.delete(&space, key));
            log.commit(delete).await.unwrap();
        }
    }
    write_raw(log, "numbers", "new", "9").await
}

#[tokio::test]
async fn what_was_wiped_while_no_map_was_there_is_withheld_however_it_is_heard_of() {
    for (in_another_life, is_forgotten) in [(false, false), (false, true), (true, false)] {
        let (log, folder) = was_open().await;
        let last = wipe(&log, in_another_life).await;
        if is_forgotten {
            log.compact(last.revision).unwrap();
        }
        let map = begin(&log, &folder).await;
        let alert = withheld(&map, last).await;
        assert_eq!((alert.gone, alert.entries), (3, 1));
        assert_eq!(alert.is_new_epoch, in_another_life);
        assert_eq!(map.len(), 3);
        assert!(map.accept_withheld());
        until("it is shown", || map.len() == 1).await;
        is_live(&map).await;
        // And this is what the next process begins with.
        copied(&folder, last).await;
        map.close().await;
        log.set_available(false);
        let map = begin(&log, &folder).await;
        assert_eq!((map.len(), map.get("new").as_deref()), (1, Some(&9)));
    }
}

#[tokio::test]
async fn what_is_withheld_is_not_what_the_next_process_begins_with() {
    for in_another_life in [false, true] {
        let (log, folder) = was_open().await;
        let map = begin(&log, &folder).await;
        let last = wipe(&log, in_another_life).await;
        withheld(&map, last).await;
        map.close().await;
        log.set_available(false);
        let map = begin(&log, &folder).await;
        assert_eq!(map.len(), 3);
        log.set_available(true);
        withheld(&map, last).await;
        assert_eq!(map.len(), 3);
        // What is put right passes, whoever has withheld it.
        let last = write_raw(&log, "numbers", "a", "4").await;
        until("it is shown", || map.len() == 2).await;
        copied(&folder, last).await;
        let gone = delete_raw(&log, "numbers", "new").await;
        copied(&folder, gone).await;
        assert_eq!(map.get("a").as_deref(), Some(&4));
    }
}
