//! A log that is wiped, or restored from a backup, under the eyes of its clients.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::path::PathBuf;

use globe_etcd::EtcdLog;
use globe_log_client::{Epoch, ErrorKind, LogClient, Position};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy};
use rig::{
    Copy, answer, connect, converges, delete, flags, on_each_version, put, received, truth,
    try_put, when_reachable, within, write_past,
};

on_each_version! {
    a_wipe_is_noticed_at_the_first_answer
    a_wipe_is_noticed_although_the_new_history_has_passed_ours
    a_restored_backup_is_noticed_at_the_first_answer
    a_restored_backup_is_noticed_although_its_history_has_passed_ours
    a_backup_of_this_very_moment_is_followed_on
    clients_that_see_the_same_restore_agree_on_the_epoch
    a_tail_alone_hears_of_a_restore
    a_restore_that_undoes_nothing_but_a_delete_is_noticed_by_the_next_tail
    a_delete_that_is_remembered_no_more_or_stands_is_followed_on
}

async fn head(log: &EtcdLog) -> Position {
    let keyspace = flags();
    when_reachable("the head", || log.head(&keyspace)).await
}

/// A tail after `position` is refused, because that was another life.
async fn is_of_another_life(log: &EtcdLog, position: Position) {
    let refusal = answer("the refusal of an old position", || async {
        let mut tail = log.tail(&flags(), position).await?;
        tail.next().await.map(drop)
    });
    let refusal = refusal.await;
    assert_eq!(refusal.unwrap_err().kind(), &ErrorKind::EpochChanged);
}

async fn ten_records(log: &EtcdLog) -> Position {
    let mut last = Position::default();
    for number in 0..10 {
        last = put(log, &format!("old-{number}"), "1").await;
    }
    last
}

async fn a_wipe_is_noticed_at_the_first_answer(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let before = ten_records(&log).await;
    copy.reach(before).await;

    server.wipe().await;
    let after = head(&log).await;
    assert_ne!(after.epoch, before.epoch);
    is_of_another_life(&log, before).await;
    let written = put(&log, "new", "1").await;
    assert_eq!(written.epoch, after.epoch);
    copy.reach(written).await;
    assert_eq!(copy.values(), truth(&server).await);
    assert_eq!(copy.records.len(), 1);
}

async fn a_wipe_is_noticed_although_the_new_history_has_passed_ours(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([proxy.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let before = ten_records(&log).await;
    copy.reach(before).await;

    proxy.cut();
    server.wipe().await;
    write_past(&server, before).await;
    proxy.heal();

    let after = head(&log).await;
    assert!(after.revision >= before.revision);
    assert_ne!(after.epoch, before.epoch, "no number told, and it was seen");
    is_of_another_life(&log, before).await;
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.records.len(), 1);
}

/// A server with a backup, and a copy that has followed to where the backup is not.
struct BackedUp {
    server: EtcdServer,
    proxy: Proxy,
    log: EtcdLog,
    copy: Copy,
    backup: PathBuf,
    before: Position,
}

impl BackedUp {
    async fn start(version: EtcdVersion) -> BackedUp {
        let server = EtcdServer::start(version).await;
        let proxy = Proxy::start(server.port()).await;
        let log = connect([proxy.endpoint()]).await;
        let mut copy = Copy::open(&log).await;
        put(&log, "kept", "1").await;
        put(&log, "deleted later", "1").await;
        let backup = server.save_snapshot().await;
        put(&log, "kept", "2").await;
        delete(&log, "deleted later").await;
        let before = put(&log, "lost", "1").await;
        copy.reach(before).await;
        BackedUp {
            server,
            proxy,
            log,
            copy,
            backup,
            before,
        }
    }

    async fn restore(&mut self, bump: Option<u64>) {
        self.server.restore_snapshot(&self.backup, bump).await;
    }

    /// The copy comes to hold what the backup holds.
    async fn goes_back(&mut self) {
        converges(&mut self.copy, &self.log, &self.server).await;
        assert_eq!(self.copy.records["kept"].value, "1");
        assert!(self.copy.records.contains_key("deleted later"));
        assert!(!self.copy.records.contains_key("lost"));
    }
}

async fn a_restored_backup_is_noticed_at_the_first_answer(version: EtcdVersion) {
    let mut it = BackedUp::start(version).await;
    it.restore(None).await;
    assert_ne!(head(&it.log).await.epoch, it.before.epoch);
    is_of_another_life(&it.log, it.before).await;
    it.goes_back().await;
}

async fn a_restored_backup_is_noticed_although_its_history_has_passed_ours(version: EtcdVersion) {
    let mut it = BackedUp::start(version).await;
    it.proxy.cut();
    it.restore(None).await;
    write_past(&it.server, it.before).await;
    it.proxy.heal();

    assert_ne!(head(&it.log).await.epoch, it.before.epoch);
    is_of_another_life(&it.log, it.before).await;
    it.goes_back().await;
}

async fn a_backup_of_this_very_moment_is_followed_on(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    copy.reach(ten_records(&log).await).await;
    let backup = server.save_snapshot().await;
    server.restore_snapshot(&backup, None).await;
    // Nothing was lost, so both are true: the same life, or another.
    let written = when_reachable("a put", || rig::try_put(&log, "new", "1")).await;
    copy.reach(written).await;
    assert_eq!(copy.values(), truth(&server).await);
    assert_eq!(copy.records.len(), 11);
}

async fn clients_that_see_the_same_restore_agree_on_the_epoch(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let (one, two) = (
        connect([server.endpoint()]).await,
        connect([server.endpoint()]).await,
    );
    for restore in 0..3 {
        let backup = server.save_snapshot().await;
        let before = put(&one, "key", &restore.to_string()).await;
        assert_eq!(head(&two).await.epoch, before.epoch);
        server.restore_snapshot(&backup, None).await;
        let (first, second) = tokio::join!(head(&one), head(&two));
        assert_ne!(first.epoch, before.epoch);
        assert_eq!(agreed(&one, &two).await, agreed(&two, &one).await);
        assert!(first.epoch == second.epoch || second.epoch != before.epoch);
        let newcomer = connect([server.endpoint()]).await;
        assert_eq!(head(&newcomer).await.epoch, head(&one).await.epoch);
    }
}

/// The epoch of `log`, once `other` says the same.
async fn agreed(log: &EtcdLog, other: &EtcdLog) -> Epoch {
    let agreement = async {
        loop {
            let (mine, theirs) = (head(log).await.epoch, head(other).await.epoch);
            if mine == theirs {
                break mine;
            }
        }
    };
    within("both name the same epoch", agreement).await
}

async fn a_tail_alone_hears_of_a_restore(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let backup = server.save_snapshot().await;
    let before = put(&log, "lost", "1").await;
    copy.reach(before).await;
    server.restore_snapshot(&backup, None).await;
    // Nobody asks for the head: the tail breaks, and opening the next one tells.
    let told = async {
        loop {
            let error = copy.until_it_breaks().await;
            if *error.kind() != ErrorKind::Unavailable {
                break error;
            }
        }
    };
    let told = within("the tail is told", told).await;
    assert_eq!(told.kind(), &ErrorKind::EpochChanged, "{told}");
    converges(&mut copy, &log, &server).await;
    assert!(copy.records.is_empty());
}

/// Nobody but the server's own tool writes, so that neither a fence nor a marker tells.
async fn a_restore_that_undoes_nothing_but_a_delete_is_noticed_by_the_next_tail(
    version: EtcdVersion,
) {
    let mut server = EtcdServer::start(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([proxy.endpoint()]).await;
    for key in ["flags/kept", "flags/deleted"] {
        server.etcdctl(&["put", key, "1"]).await;
    }
    let mut copy = Copy::open(&log).await;
    let backup = server.save_snapshot().await;
    server.etcdctl(&["del", "flags/deleted"]).await;
    let before = head(&log).await;
    copy.reach(before).await;
    assert_eq!(copy.records.len(), 1);

    proxy.cut();
    server.restore_snapshot(&backup, None).await;
    while server.revision().await <= before.revision.0 {
        server.etcdctl(&["put", "elsewhere/key", "1"]).await;
    }
    proxy.heal();

    is_of_another_life(&log, before).await;
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.records.len(), 2, "the delete was undone");
    assert_ne!(copy.position.epoch, before.epoch);
}

async fn a_delete_that_is_remembered_no_more_or_stands_is_followed_on(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    put(&log, "kept", "1").await;
    put(&log, "deleted", "1").await;
    copy.reach(delete(&log, "deleted").await).await;
    for compacts in [false, true] {
        copy.look_away();
        if compacts {
            server.compact(copy.position.revision.0).await;
        }
        server.etcdctl(&["put", "elsewhere/key", "1"]).await;
        copy.reach(head(&log).await).await;
    }
    assert_eq!(copy.resyncs, 0, "nothing was missed");
    assert_eq!(copy.values(), truth(&server).await);
}

/// `--bump-revision --mark-compacted`, as etcd advises: the numbers go on far ahead, and all before is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_restored_with_a_bump_is_never_taken_for_what_came_next() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_5_16] {
        let mut it = BackedUp::start(version).await;
        it.restore(Some(1_000_000)).await;
        it.goes_back().await;
        assert_eq!(it.copy.resyncs, 1, "no tail could tell what is gone");
        let written = put(&it.log, "new", "1").await;
        it.copy.reach(written).await;
        assert_eq!(it.copy.values(), truth(&it.server).await);
    }
}

/// Nothing is read in between: the writer's own fence, which the backup does not know as it was, has to tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_comes_first_after_a_bumped_restore_names_the_new_epoch() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    put(&log, "kept", "1").await;
    let backup = server.save_snapshot().await;
    let before = put(&log, "lost", "1").await;

    server.restore_snapshot(&backup, Some(1_000_000)).await;
    let after = when_reachable("a put", || try_put(&log, "new", "1")).await;
    assert_ne!(after.epoch, before.epoch);
    let head = log.head(&flags()).await.unwrap();
    assert_eq!(head.epoch, after.epoch, "and it stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_record_that_no_client_wrote_is_replaced_once() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let (one, two) = (
        connect([server.endpoint()]).await,
        connect([server.endpoint()]).await,
    );
    let backup = server.save_snapshot().await;
    let before = put(&one, "lost", "1").await;
    assert_eq!(head(&two).await.epoch, before.epoch);
    server.restore_snapshot(&backup, None).await;
    server.etcdctl(&["put", ".globe/epoch", "not ours"]).await;

    let (first, _) = tokio::join!(head(&one), head(&two));
    assert_ne!(first.epoch, before.epoch);
    assert_eq!(agreed(&one, &two).await, head(&one).await.epoch);
    let newcomer = connect([server.endpoint()]).await;
    assert_eq!(head(&newcomer).await.epoch, head(&one).await.epoch);
    let asked = received(&server, "Txn").await;
    assert!(asked < 100.0, "{asked} transactions for one record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_record_that_is_overwritten_all_the_time_is_not_fought_over() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = rig::hasty([server.endpoint()]).await;
    let backup = server.save_snapshot().await;
    put(&log, "lost", "1").await;
    server.restore_snapshot(&backup, None).await;
    let vandals = (0..4).map(|_| {
        let endpoint = server.endpoint();
        tokio::spawn(async move {
            let mut client = etcd_client::Client::connect([endpoint], None)
                .await
                .unwrap();
            loop {
                let put = client.put(".globe/epoch", "not ours", None);
                drop(put.await.unwrap());
            }
        })
    });
    let vandals: Vec<_> = vandals.collect();
    let before = received(&server, "Txn").await;
    let answer = within("the head", log.head(&flags())).await;
    let asked = received(&server, "Txn").await - before;
    for vandal in vandals {
        vandal.abort();
    }
    // It may have got a look in between two of them.
    if let Err(error) = answer {
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }
    assert!(asked < 200.0, "{asked} transactions for one head");
}
