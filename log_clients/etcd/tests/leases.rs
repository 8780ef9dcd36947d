//! Leases of a caller, and of the log itself: granted once, in one life of the log, and renewed in no other.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;
mod two_ways;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{
    Epoch, ErrorKind, Keyspace, Lease, LeaseId, LogClient, Position, Result, Transaction,
};
use globe_test_support::{
    Act, EtcdServer, EtcdVersion, Flow, Gateway, Proxy, Rule, Said, Weather, wait_until,
};
use rig::{
    BOUND, answer, as_narrow, connect, flags, guard, hurried, on_each_version, put, record,
    when_reachable, within, write_past,
};
use tokio::time::{Instant, timeout};
use two_ways::TwoWays;

on_each_version! {
    a_grant_whose_reply_is_held_leaves_one_lease_behind
    a_fence_whose_reply_is_held_leaves_one_lease_behind
    a_lease_whose_first_reply_was_lost_has_its_full_time_when_it_is_told
    a_lease_that_is_asked_for_across_a_restore_is_of_the_life_after
    a_lease_in_the_backup_is_lost_to_who_held_it_and_can_be_ended
    a_lease_that_somebody_else_ended_is_lost
    a_renewal_that_nobody_answers_is_unavailable_in_time
    a_role_for_one_keyspace_has_leases_once_it_has_read_there
}

const LONG: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// Every lease of the server, as its own tool lists them.
async fn leases(server: &EtcdServer) -> Vec<LeaseId> {
    let listed = server.etcdctl(&["lease", "list"]).await;
    let lines = listed.lines().map(str::trim);
    let lines = lines.filter(|line| !line.contains("found") && !line.is_empty());
    lines.map(|line| line.parse().unwrap()).collect()
}

async fn grant(log: &EtcdLog) -> Lease {
    within("a lease", log.grant(LONG)).await.unwrap()
}

async fn renew(log: &EtcdLog, lease: Lease) -> Result<Lease> {
    within("a renewal", log.renew(lease)).await
}

fn is_lost(answer: Result<Lease>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost, "{error}");
}

/// What is asked for lands, and its reply is held until the server has done this; then the client can go another way.
async fn goes_another_way<T: Send + 'static>(
    ways: &TwoWays,
    asked: impl Future<Output = T> + Send + 'static,
    meanwhile: impl AsyncFn(LeaseId),
) -> T {
    let before = leases(&ways.server).await;
    ways.first.freeze_replies();
    let answer = tokio::spawn(asked);
    let granted = async {
        loop {
            let now = leases(&ways.server).await;
            if let Some(new) = now.into_iter().find(|lease| !before.contains(lease)) {
                break new;
            }
        }
    };
    meanwhile(within("a lease lands", granted).await).await;
    assert!(!answer.is_finished(), "nobody has told it");
    ways.second.heal();
    let answer = within("an answer", answer).await.unwrap();
    let after = leases(&ways.server).await;
    assert_eq!(after.len(), before.len() + 1, "{after:?} after {before:?}");
    answer
}

async fn a_grant_whose_reply_is_held_leaves_one_lease_behind(version: EtcdVersion) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = connect(ways.both()).await;
    ways.go_the_first(&log).await;
    let asking = log.clone();
    let asked = async move { grant(&asking).await };
    let lease = goes_another_way(&ways, asked, async |_| ()).await;
    let there = leases(&ways.server).await;
    assert!(there.contains(&lease.id), "{} in {there:?}", lease.id);
    assert_eq!(lease.ttl, LONG);
    assert_eq!(renew(&log, lease).await.unwrap(), lease);
}

async fn a_fence_whose_reply_is_held_leaves_one_lease_behind(version: EtcdVersion) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = connect(ways.both()).await;
    ways.second.cut();
    within("the head", log.head(&flags())).await.unwrap();
    let asking = log.clone();
    let asked = async move { put(&asking, "key", "1").await };
    let position = goes_another_way(&ways, asked, async |_| ()).await;
    let record = record(&log, "key").await.unwrap();
    assert_eq!(record.modified, position.revision);
}

/// How long the lease still lives, as the server says: in whole seconds, rounded down.
async fn remaining(server: &EtcdServer, lease: LeaseId) -> Duration {
    let lease = format!("{:016x}", lease.get());
    let told = server.etcdctl(&["lease", "timetolive", &lease]).await;
    let seconds = told.split_once("remaining(").unwrap().1;
    Duration::from_secs(seconds.split_once('s').unwrap().0.parse().unwrap())
}

async fn a_lease_whose_first_reply_was_lost_has_its_full_time_when_it_is_told(
    version: EtcdVersion,
) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = connect(ways.both()).await;
    ways.go_the_first(&log).await;
    let server = &ways.server;
    let asked = async move { grant(&log).await };
    let lease = goes_another_way(&ways, asked, async |lease| {
        let is_old = async || remaining(server, lease).await <= LONG - 4 * SECOND;
        wait_until("some of its time goes by", BOUND, is_old).await;
    });
    let lease = lease.await;
    let told = Instant::now();
    let left = remaining(server, lease.id).await + SECOND;
    let lives = told.elapsed() + left;
    assert!(lives >= lease.ttl, "it lives {lives:?} from its answer on");
}

/// A client that sleeps through a restore, after which the log has passed where it was: no number tells.
struct Asleep {
    server: EtcdServer,
    _proxy: Proxy,
    log: EtcdLog,
    lease: Lease,
    before: Position,
}

impl Asleep {
    async fn through_a_restore(version: EtcdVersion) -> Asleep {
        let mut server = EtcdServer::start(version).await;
        let proxy = Proxy::start(server.port()).await;
        let log = connect([proxy.endpoint()]).await;
        let lease = grant(&log).await;
        let leased = Transaction::new().put_leased(&flags(), "key", "1", lease.id);
        within("a commit", log.commit(leased)).await.unwrap();
        assert_eq!(renew(&log, lease).await.unwrap(), lease);
        let backup = server.save_snapshot().await;
        let before = put(&log, "lost", "1").await;
        proxy.cut();
        server.restore_snapshot(&backup, None).await;
        write_past(&server, before).await;
        proxy.heal();
        Asleep {
            server,
            _proxy: proxy,
            log,
            lease,
            before,
        }
    }

    async fn epoch(&self) -> Epoch {
        within("the head", self.log.head(&flags()))
            .await
            .unwrap()
            .epoch
    }
}

async fn a_lease_that_is_asked_for_across_a_restore_is_of_the_life_after(version: EtcdVersion) {
    let asleep = Asleep::through_a_restore(version).await;
    let lease = when_reachable("a lease", || asleep.log.grant(LONG)).await;
    assert_ne!(lease.epoch, asleep.before.epoch);
    assert_eq!(lease.epoch, asleep.epoch().await);
    assert_eq!(renew(&asleep.log, lease).await.unwrap(), lease);
}

async fn a_lease_in_the_backup_is_lost_to_who_held_it_and_can_be_ended(version: EtcdVersion) {
    let asleep = Asleep::through_a_restore(version).await;
    let Asleep { log, lease, .. } = &asleep;
    is_lost(answer("an answer", || log.renew(*lease)).await);
    assert!(leases(&asleep.server).await.contains(&lease.id));
    is_lost(renew(log, *lease).await);
    // Nor is it believed of a lease that it was granted in the life after.
    assert_ne!(lease.epoch, asleep.epoch().await);
    within("its end", log.revoke(lease.id)).await.unwrap();
    assert!(!leases(&asleep.server).await.contains(&lease.id));
    assert_eq!(record(log, "key").await, None);
}

async fn a_lease_that_somebody_else_ended_is_lost(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let lease = grant(&log).await;
    assert_eq!(renew(&log, lease).await.unwrap(), lease);
    let name = format!("{:016x}", lease.id.get());
    server.etcdctl(&["lease", "revoke", &name]).await;
    is_lost(renew(&log, lease).await);
}

async fn a_renewal_that_nobody_answers_is_unavailable_in_time(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = hurried([proxy.endpoint()]).await;
    let lease = grant(&log).await;
    // Over a line that is known, and over one that has to be dialled.
    for is_warm in [true, false] {
        if is_warm {
            assert_eq!(renew(&log, lease).await.unwrap(), lease);
        }
        server.pause();
        is_unavailable(renew(&log, lease).await);
        server.resume();
        let renewed = when_reachable("a renewal", || log.renew(lease)).await;
        assert_eq!(renewed, lease, "an outage is not its end");
        proxy.cut();
        is_unavailable(renew(&log, lease).await);
        proxy.heal();
    }
    let renewed = when_reachable("a renewal", || log.renew(lease)).await;
    assert_eq!(renewed, lease);
}

fn is_unavailable(answer: Result<Lease>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
}

/// As behind a balancer that led a connection to a member which is dead, whether it answered before or never did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_goes_over_another_connection_beside_one_that_is_silent() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let patience = 6 * SECOND;
    let builder = EtcdLog::builder().endpoint(proxy.endpoint());
    let builder = builder.request_timeout(patience).deadline(BOUND);
    let log = builder.connect().await.unwrap();
    let lease = grant(&log).await;
    for answered_before in [false, true] {
        let silent = proxy.connections() - u64::from(answered_before);
        proxy.set_one(silent, Weather::both(Flow::held()));
        let asked = Instant::now();
        let first = log.clone();
        let first = tokio::spawn(async move { first.renew(lease).await });
        let renewed = loop {
            // Who asks has little time.
            if let Ok(renewed) = timeout(SECOND / 2, log.renew(lease)).await {
                break renewed;
            }
            assert!(asked.elapsed() < patience, "they wait for each other");
        };
        assert_eq!(renewed.unwrap(), lease);
        assert!(!first.is_finished(), "it waits still");
        assert_eq!(proxy.connections(), silent + 2, "one is enough");
        let late = within("the first", first).await.unwrap();
        assert_eq!(late.unwrap(), lease);
        // The member is none the worse for it.
        assert_eq!(renew(&log, lease).await.unwrap(), lease);
        assert_eq!(proxy.connections(), silent + 2);
    }
}

async fn a_role_for_one_keyspace_has_leases_once_it_has_read_there(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    guard(&mut server).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let refused = within("a refusal", log.grant(LONG)).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Denied, "{refused}");
    let elsewhere = Keyspace::new("elsewhere").unwrap();
    let refused = within("a refusal", log.head(&elsewhere)).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Denied, "{refused}");
    let head = within("the head", log.head(&flags())).await.unwrap();
    let lease = grant(&log).await;
    assert_eq!(lease.epoch, head.epoch);
    assert_eq!(renew(&log, lease).await.unwrap(), lease);
    within("its end", log.revoke(lease.id)).await.unwrap();
    is_lost(renew(&log, lease).await);
}

async fn behind_a_gateway() -> (EtcdServer, Gateway, EtcdLog) {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let gateway = Gateway::start(server.address()).await;
    let log = connect([gateway.endpoint()]).await;
    (server, gateway, log)
}

const GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_whose_reply_a_gateway_loses_leaves_one_lease_behind() {
    let (server, gateway, log) = behind_a_gateway().await;
    for said in [Said::Reset, Said::envoy_reset()] {
        let before = leases(&server).await.len();
        gateway.add(Rule::new(GRANT, Act::Lose(said)).times(2));
        let lease = grant(&log).await;
        let after = leases(&server).await;
        assert_eq!(after.len(), before + 1, "{after:?}");
        assert!(after.contains(&lease.id));
    }
    assert_eq!(gateway.broken_at(GRANT), 4);
}

/// What was granted to the first copy might as well be another's, so it is left to end by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_a_gateway_repeats_is_had_under_another_name() {
    let (server, gateway, log) = behind_a_gateway().await;
    gateway.add(Rule::new(GRANT, Act::Repeat).times(1));
    let lease = grant(&log).await;
    assert_eq!(gateway.broken_at(GRANT), 1);
    assert_eq!(leases(&server).await.len(), 2);
    assert_eq!(renew(&log, lease).await.unwrap(), lease);
}

/// The connection goes on, so that only the answer shows where it comes from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_another_life_over_a_known_connection_is_none_of_this_life() {
    let (mut server, gateway, log) = behind_a_gateway().await;
    let another = connect([gateway.endpoint()]).await;
    let lease = grant(&log).await;
    for log in [&log, &another] {
        assert_eq!(renew(log, lease).await.unwrap(), lease);
    }
    let backup = server.save_snapshot().await;
    for log in [&log, &another] {
        put(log, "lost", "1").await;
        put(log, "lost", "2").await;
    }
    server.restore_snapshot(&backup, None).await;
    assert!(leases(&server).await.contains(&lease.id));
    is_lost(answer("an answer", || log.renew(lease)).await);
    let new = when_reachable("a lease", || another.grant(LONG)).await;
    let now = within("the head", another.head(&flags())).await.unwrap();
    assert_eq!(new.epoch, now.epoch);
    assert_ne!(new.epoch, lease.epoch);
}

/// As two processes do of which one is a copy of the other, memory and all.
#[tokio::test]
async fn clients_that_draw_the_same_names_never_share_a_lease() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let mut granted = Vec::new();
    for _ in 0..2 {
        let log = connect([server.endpoint()]).await;
        within("the head", log.head(&flags())).await.unwrap();
        fastrand::seed(7);
        granted.push(grant(&log).await.id);
    }
    fastrand::seed(7);
    let drawn = LeaseId::new(fastrand::u64(1..1 << 63));
    assert_eq!(granted[0], drawn);
    assert_ne!(granted[1], drawn);
}
