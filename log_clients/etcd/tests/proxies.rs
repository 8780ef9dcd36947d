//! What stands before servers in the field: gateways that lose answers or repeat requests, etcd's own proxy, load balancers.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod field;
mod rig;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use field::{ROUNDS, beside_a_busy_neighbour, passes, times_written};
use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
use globe_log_client::{Error, ErrorKind, LogClient, Position, Precondition, Transaction};
use globe_test_support::{
    Act, Backend, Balancer, Certificates, EtcdCluster, EtcdServer, EtcdVersion, Gateway, GrpcProxy,
    Rule, Said, free_port, wait_until,
};
use rig::{
    BOUND, Copy, connect, converges, delete, flags, history, on_each_version, put, puts_of,
    try_create, try_put, within,
};

on_each_version! {
    a_commit_whose_answer_was_lost_lands_once_and_succeeds
    a_commit_that_was_repeated_lands_once_and_succeeds
    a_tail_passes_a_busy_neighbour_where_progress_is_swallowed
    a_tail_passes_a_busy_neighbour_behind_etcds_own_proxy
    a_cluster_whose_maintenance_is_closed_is_followed_without_reading_it_again_if_it_orders_progress
}

const TXN: &str = "/etcdserverpb.KV/Txn";
const KV: &str = "/etcdserverpb.KV/";
const MAINTENANCE: &str = "/etcdserverpb.Maintenance/";
const ANY: &str = "/etcdserverpb.";

async fn gateway(version: EtcdVersion) -> (EtcdServer, Gateway) {
    let server = EtcdServer::start(version).await;
    let gateway = Gateway::start(server.address()).await;
    (server, gateway)
}

/// One after the other: a put of a new key, one of a key that is there, a guarded one, a create, a delete. Each must
/// succeed, and the server must have carried it out once.
async fn each_lands_once(what: &str, server: &EtcdServer, log: &EtcdLog) {
    let start = put(log, "start", "1").await;
    put(log, "put", "1").await;
    assert_eq!(times_written(server, "flags/put").await, 1, "{what}: put");
    let last = put(log, "put", "2").await;
    assert_eq!(times_written(server, "flags/put").await, 2, "{what}: again");
    let guarded = Transaction::new()
        .when(&flags(), "put", Precondition::At(last.revision))
        .put(&flags(), "put", "3");
    let guarded = within("a guarded put", log.commit(guarded)).await;
    guarded.unwrap_or_else(|error| panic!("{what}: a guarded put: {error}"));
    assert_eq!(times_written(server, "flags/put").await, 3, "{what}: once");
    let created = try_create(log, "create", "1").await;
    created.unwrap_or_else(|error| panic!("{what}: a create: {error}"));
    assert_eq!(times_written(server, "flags/create").await, 1, "{what}");
    delete(log, "create").await;
    let history = history(log, start).await;
    assert_eq!(puts_of(&history, "put"), 3, "{what}: {history:?}");
    assert_eq!(puts_of(&history, "create"), 1, "{what}: {history:?}");
    delete(log, "put").await;
}

async fn a_commit_whose_answer_was_lost_lands_once_and_succeeds(version: EtcdVersion) {
    let (server, gateway) = gateway(version).await;
    let log = connect([gateway.endpoint()]).await;
    let answers = [
        ("as Envoy says it", Said::envoy_reset()),
        ("said to be a connect error", Said::envoy_refused()),
        ("503", Said::Http(503)),
        ("a reset", Said::Reset),
        ("no message", Said::Status(14, String::new())),
    ];
    for (what, said) in answers {
        for key in ["flags/put", "flags/create"] {
            let rule = Rule::new(TXN, Act::Lose(said.clone()));
            // Never what is sent to find out what became of the one before.
            gateway.add(rule.carrying(key));
        }
        let before = gateway.broken();
        each_lands_once(what, &server, &log).await;
        assert!(gateway.broken() > before, "{what}: something was lost");
        gateway.heal();
    }
}

async fn a_commit_that_was_repeated_lands_once_and_succeeds(version: EtcdVersion) {
    let (server, gateway) = gateway(version).await;
    let log = connect([gateway.endpoint()]).await;
    for (what, carried) in [("the commits", "flags/"), ("every transaction", "")] {
        gateway.add(Rule::new(TXN, Act::Repeat).carrying(carried));
        each_lands_once(what, &server, &log).await;
        assert!(gateway.broken() > 0);
        gateway.heal();
    }
}

/// Every other request is lost after delivery, what the client sends to find out included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_succeeds_where_every_other_answer_is_lost_landed_once() {
    let (server, gateway) = gateway(EtcdVersion::Reference).await;
    let log = connect([gateway.endpoint()]).await;
    put(&log, "start", "1").await;
    for path in [TXN, "/etcdserverpb.KV/Range"] {
        gateway.add(Rule::new(path, Act::Lose(Said::envoy_refused())).one_in(3));
    }
    for number in 0..20 {
        let key = format!("key-{number}");
        try_create(&log, &key, "1").await.unwrap();
        put(&log, &key, "2").await;
        let written = times_written(&server, &format!("flags/{key}")).await;
        assert_eq!(written, 2, "{key}");
    }
}

async fn a_tail_passes_a_busy_neighbour_where_progress_is_swallowed(version: EtcdVersion) {
    let (server, gateway) = gateway(version).await;
    gateway.drop_progress(true);
    let log = connect([gateway.endpoint()]).await;
    follows_beside_a_busy_neighbour(&server, &log).await;
}

async fn a_tail_passes_a_busy_neighbour_behind_etcds_own_proxy(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    for proxy_version in [version, EtcdVersion::Reference] {
        let proxy = GrpcProxy::start(proxy_version, &[server.address()]).await;
        let log = connect([proxy.endpoint()]).await;
        let breaks = follows_beside_a_busy_neighbour(&server, &log).await;
        assert_eq!(breaks, 0, "one tail is enough");
    }
}

/// How many tails broke meanwhile.
async fn follows_beside_a_busy_neighbour(server: &EtcdServer, log: &EtcdLog) -> u32 {
    put(log, "key", "0").await;
    let mut copy = Copy::open(log).await;
    beside_a_busy_neighbour(server, passes(&mut copy, log, ROUNDS)).await;
    for number in 1..=5 {
        let position = put(log, "key", &number.to_string()).await;
        copy.reach(position).await;
    }
    converges(&mut copy, log, server).await;
    assert_eq!(copy.resyncs, 0, "tails are enough");
    copy.breaks
}

async fn a_cluster_whose_maintenance_is_closed_is_followed_without_reading_it_again_if_it_orders_progress(
    version: EtcdVersion,
) {
    let unknown = "unknown service etcdserverpb.Maintenance";
    for said in [
        Said::rbac(),
        Said::Status(12, unknown.into()),
        Said::Http(404),
    ] {
        let (server, gateway) = gateway(version).await;
        gateway.add(Rule::new(MAINTENANCE, Act::Answer(said)));
        // Whatever asks for the whole keyspace is counted, and delivered.
        let whole = Rule::new(KV, Act::Repeat).carrying("flags0");
        gateway.add(whole);
        let log = connect([gateway.endpoint()]).await;
        put(&log, "key", "0").await;
        let mut copy = Copy::open(&log).await;
        let read = gateway.broken_at(KV);
        assert!(read > 0, "for the snapshot");
        let first = log.head(&flags()).await.unwrap().revision.0;
        let passing = async {
            while copy.position.revision.0 < first + 5 {
                passes(&mut copy, &log, 1).await;
            }
        };
        beside_a_busy_neighbour(&server, passing).await;
        let again = gateway.broken_at(KV) - read;
        let is_ordered = version != EtcdVersion::V3_4_23;
        assert_eq!(again == 0, is_ordered, "it was read {again} times again");
        follows_beside_a_busy_neighbour(&server, &log).await;
        assert_eq!(gateway.delivered(MAINTENANCE), 0);
    }
}

/// Envoy ends a stream on which nothing came for five minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_streams_that_are_ended_lose_nothing() {
    let (server, gateway) = gateway(EtcdVersion::Reference).await;
    let log = connect([gateway.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    gateway.limit_idle(Some(Duration::from_millis(500)));
    for round in 0..3_u32 {
        let ended = gateway.cut();
        wait_until("the stream is ended", BOUND, || async {
            gateway.cut() > ended
        })
        .await;
        server
            .etcdctl(&["put", "flags/key", &round.to_string()])
            .await;
        let head = log.head(&flags()).await.unwrap();
        copy.reach(head).await;
        assert_eq!(copy.values()["key"], round.to_string());
    }
    assert_eq!(copy.resyncs, 0, "tails are enough");
}

/// What reads say of a gateway that answers everything itself.
async fn told_by(said: Said) -> Vec<Error> {
    let nobody = (Ipv4Addr::LOCALHOST, free_port()).into();
    let gateway = Gateway::start(nobody).await;
    gateway.add(Rule::new(ANY, Act::Answer(said)));
    let builder = EtcdLog::builder().endpoint(gateway.endpoint());
    let log = builder.deadline(Duration::from_secs(2));
    let log = log.connect().await.unwrap();
    let keyspace = flags();
    let (head, snapshot) = (log.head(&keyspace), log.snapshot(&keyspace));
    let tail = log.tail(&keyspace, Position::default());
    let reads = async { tokio::join!(head, snapshot, tail) };
    let (head, snapshot, tail) = within("the reads", reads).await;
    let told = [head.unwrap_err(), snapshot.unwrap_err()];
    told.into_iter().chain(tail.err()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_etcds_is_a_guess_and_not_final() {
    let unknown = "unknown service etcdserverpb.KV";
    let table = [
        (Said::Http(404), "404"),
        (Said::Http(503), "503"),
        (Said::Status(12, unknown.into()), unknown),
        (Said::envoy_refused(), "upstream connect error"),
    ];
    for (said, text) in table {
        for error in told_by(said.clone()).await {
            assert_eq!(error.kind(), &ErrorKind::Unavailable, "{said:?}: {error}");
            assert!(error.to_string().contains(text), "{said:?}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_refusal_is_told_in_its_own_words() {
    for error in told_by(Said::rbac()).await {
        let is_told = matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable);
        assert!(is_told, "{error}");
        let text = error.to_string();
        assert!(text.contains("RBAC: access denied"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_without_a_message_is_named_by_its_code() {
    let table = [
        (14, "unavailable"),
        (13, "internal"),
        (2, "unknown"),
        (4, "deadline"),
    ];
    for (code, name) in table {
        for error in told_by(Said::Status(code, String::new())).await {
            let text = error.to_string().to_lowercase();
            // The kind of the error is called so as well, and says nothing of the code.
            let text = text.replacen("unavailable", "", usize::from(code != 14));
            assert!(text.contains(name), "{code}: {text}");
        }
    }
}

fn trusting(certificates: &Certificates, address: SocketAddr) -> EtcdBuilder {
    let tls = Tls::new().ca_pem(certificates.authority.clone());
    EtcdLog::builder()
        .endpoint(format!("https://{address}"))
        .tls(tls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_with_a_dead_backend_and_tls_is_good_enough() {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(EtcdVersion::Reference).tls(&certificates);
    let server = builder.start().await;
    let live = Backend::Live(server.address());
    for backends in [
        vec![Backend::Closes, live],
        vec![Backend::Resets, live],
        vec![live, Backend::Closes, Backend::Resets],
    ] {
        let balancer = Balancer::start(backends.clone()).await;
        let log = trusting(&certificates, balancer.address()).deadline(rig::PATIENCE);
        let log = log.connect().await.unwrap();
        let mut copy = Copy::open(&log).await;
        put(&log, "key", "1").await;
        copy.look_away();
        let position = put(&log, "key", "2").await;
        copy.reach(position).await;
        converges(&mut copy, &log, &server).await;
        assert_eq!(copy.resyncs, 0, "{backends:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_a_balancer_leads_to_nobody_costs_no_other() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let live = Backend::Live(server.address());
    let balancer = Balancer::start(vec![live, Backend::Resets]).await;
    let log = rig::connect([format!("http://{}", balancer.address())]).await;
    within("the head", log.head(&flags())).await.unwrap();
    assert_eq!(balancer.given(), [1, 0]);
    // What concerns leases has a connection of its own. The first leads to nobody.
    let lease = within("a lease", log.grant(Duration::from_secs(60))).await;
    within("a renewal", log.renew(lease.unwrap()))
        .await
        .unwrap();
    within("the head", log.head(&flags())).await.unwrap();
    assert_eq!(balancer.given(), [2, 1], "the first one is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_with_only_dead_backends_is_unavailable_and_not_for_good() {
    let certificates = Certificates::new();
    for dead in [Backend::Closes, Backend::Resets] {
        let balancer = Balancer::start(vec![dead]).await;
        let log = trusting(&certificates, balancer.address()).deadline(Duration::from_secs(2));
        let log = log.connect().await.unwrap();
        for error in [
            within("the head", log.head(&flags())).await.unwrap_err(),
            try_put(&log, "key", "1").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), &ErrorKind::Unavailable, "{dead:?}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_balancer_over_mixed_versions_no_event_is_lost() {
    follows_many_versions(EtcdServer::builder, |address| {
        EtcdLog::builder().endpoint(format!("http://{address}"))
    })
    .await;
}

/// Each version has a TLS of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_balancer_over_mixed_versions_with_tls_no_event_is_lost() {
    let certificates = Certificates::new();
    follows_many_versions(
        |version| EtcdServer::builder(version).tls(&certificates),
        |address| trusting(&certificates, address),
    )
    .await;
}

/// The balancer leads every new connection to another member, and to another version of etcd: what was learned of one must
/// not be believed of the next. One of them gives progress that lies.
async fn follows_many_versions(
    server: impl Fn(EtcdVersion) -> globe_test_support::EtcdBuilder,
    reached_at: impl Fn(SocketAddr) -> EtcdBuilder,
) {
    use EtcdVersion::{Reference, V3_4_23, V3_5_16};
    let servers = [V3_4_23, V3_5_16, Reference].map(server);
    let cluster = EtcdCluster::start_all(servers.into()).await;
    let members = (0..3).map(|member| Backend::Live(cluster[member].address()));
    let balancer = Balancer::start(members.collect()).await;
    let log = reached_at(balancer.address()).deadline(rig::PATIENCE);
    let log = log.connect().await.unwrap();
    let straight = reached_at(cluster[2].address()).connect().await.unwrap();
    let start = put(&straight, "key", "0").await;
    let mut copy = Copy::open(&log).await;
    let following = async {
        for number in 0..60 {
            // From now on by another connection, if not by another member.
            copy.look_away();
            let position = put(&straight, "key", &number.to_string()).await;
            copy.reach(position).await;
            assert_eq!(copy.values()["key"], number.to_string());
        }
    };
    beside_a_busy_neighbour(&cluster[2], following).await;
    assert_eq!(copy.resyncs, 0, "tails are enough");
    let history = history(&log, start).await;
    assert_eq!(puts_of(&history, "key"), 60);
}
