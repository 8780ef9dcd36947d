//! Users, roles and tokens: what is renewed, what is refused, and what a role must allow.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use globe_etcd::{EtcdLog, Tls};
use globe_log_client::{
    Epoch, Error, ErrorKind, Keyspace, Lease, LeaseId, LogClient, Position, Precondition,
    Transaction,
};
use globe_test_support::{Certificates, EtcdServer, EtcdVersion, Proxy, wait_until};
use rig::{
    BOUND, Copy, HURRY, PATIENCE, answer, as_app, as_narrow, converges, delete, flags, give_app,
    guard, history, on_each_version, put, puts_of, try_create, try_put, within,
};

on_each_version! {
    an_expired_token_is_renewed_wherever_it_is_used
    an_open_tail_outlives_its_token
    wrong_credentials_are_denied_by_every_call
    what_a_role_does_not_allow_is_denied_and_not_written
    a_role_for_one_keyspace_is_enough
    a_role_that_may_only_read_is_enough_to_follow
    authentication_may_be_switched_on_while_logs_are_in_use
    a_role_that_cannot_name_an_epoch_still_notices_a_restore
    a_commit_of_an_old_life_does_not_land_in_the_next_although_it_would_fit
    without_a_fence_a_lost_reply_is_indeterminate_and_nothing_is_sent_twice
    a_role_taken_and_given_back_is_denied_and_works_again
    a_new_password_shuts_out_who_has_the_old_one
}

/// Tokens live for a second, or two, since they were last used. What the server says of them is written down.
const TOKENS: [&str; 2] = ["--auth-token-ttl=1", "--log-level=debug"];

/// Signed tokens end by the clock alone: how long they live, and longer than that.
const SIGNED: &str = "2s";
const ENDED: Duration = Duration::from_secs(3);

fn with_tokens(version: EtcdVersion) -> globe_test_support::EtcdBuilder {
    let builder = EtcdServer::builder(version);
    TOKENS
        .into_iter()
        .fold(builder, |builder, flag| builder.flag(flag))
}

async fn guarded(version: EtcdVersion) -> EtcdServer {
    rig::guarded(with_tokens(version)).await
}

/// Waits until every token of the user `app` has ended.
async fn tokens_end(server: &EtcdServer) {
    wait_until("the tokens have ended", BOUND, || async {
        let output = server.output();
        let count = |said: &str| {
            output
                .matches(&format!("\"{said}\",\"user-name\":\"app\""))
                .count()
        };
        let given = count("authenticated a user");
        given > 0 && given == count("deleted a simple token")
    })
    .await;
}

fn is_denied<T: std::fmt::Debug>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(done) => panic!("{what}: allowed, with {done:?}"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Denied, "{what}: {error}"),
    }
}

async fn an_expired_token_is_renewed_wherever_it_is_used(version: EtcdVersion) {
    let server = guarded(version).await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    let lease = log.grant(Duration::from_secs(600)).await.unwrap();
    log.renew(lease).await.unwrap();
    let mut last = put(&log, "key", "0").await;
    // Every line of the client logs in for itself; each is the first to find its token expired once.
    for first in ["commit", "head", "tail", "renew", "snapshot"] {
        copy.look_away();
        tokens_end(&server).await;
        match first {
            "commit" => last = put(&log, "key", first).await,
            "head" => last = log.head(&flags()).await.unwrap(),
            "renew" => drop(log.renew(lease).await.unwrap()),
            "snapshot" => drop(log.snapshot(&flags()).await.unwrap()),
            _ => {}
        }
        copy.reach(last).await;
    }
    last = put(&log, "key", "last").await;
    copy.reach(last).await;
    assert_eq!(copy.values()["key"], "last");
    assert_eq!(copy.resyncs, 0);
}

async fn an_open_tail_outlives_its_token(version: EtcdVersion) {
    let server = guarded(version).await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    for round in 0..2 {
        tokens_end(&server).await;
        let position = put(&log, "key", &round.to_string()).await;
        copy.reach(position).await;
    }
    assert_eq!((copy.resyncs, copy.breaks), (0, 0));
}

/// Tokens that are signed (JWT) carry the revision of the users and roles, and are refused after any change of those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_token_older_than_the_users_is_renewed() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_5_16] {
        let certificates = Certificates::new();
        let builder = EtcdServer::builder(version).tls(&certificates);
        let server = rig::guarded(builder.jwt(SIGNED)).await;
        let tls = Tls::new().ca_pem(certificates.authority.clone());
        let log = as_app(server.endpoint()).tls(tls).connect().await.unwrap();
        let mut copy = Copy::open(&log).await;
        put(&log, "key", "before").await;
        for (round, first) in ["commit", "tail", "head"].into_iter().enumerate() {
            copy.look_away();
            let newcomer = format!("newcomer-{round}:newcomer-secret");
            server.etcdctl(&["user", "add", &newcomer]).await;
            let mut position = copy.position;
            match first {
                "commit" => position = put(&log, "key", first).await,
                "head" => position = log.head(&flags()).await.unwrap(),
                _ => {
                    server.etcdctl(&["put", "app/flags/key", first]).await;
                    within("a batch", copy.step()).await.unwrap();
                }
            }
            copy.reach(position).await;
        }
        copy.look_away();
        tokio::time::sleep(ENDED).await;
        let position = put(&log, "key", "after").await;
        copy.reach(position).await;
        assert_eq!(copy.values()["key"], "after");
    }
}

async fn all_denied(what: &str, log: &EtcdLog) {
    let keyspace = flags();
    is_denied(what, within(what, log.head(&keyspace)).await);
    is_denied(what, within(what, log.snapshot(&keyspace)).await);
    is_denied(what, try_put(log, "stolen", "1").await);
    let tail = log.tail(&keyspace, Position::default());
    is_denied(what, within(what, tail).await);
}

async fn wrong_credentials_are_denied_by_every_call(version: EtcdVersion) {
    let server = guarded(version).await;
    let to = || {
        EtcdLog::builder()
            .endpoint(server.endpoint())
            .deadline(PATIENCE)
    };
    let wrong = to().user("app", "a wrong password");
    let unknown = to().user("nobody", "app-secret");
    for (what, builder) in [
        ("a wrong password", wrong),
        ("an unknown user", unknown),
        ("no user", to()),
    ] {
        let log = builder.namespace("app/").connect().await.unwrap();
        all_denied(what, &log).await;
        is_denied(what, within(what, log.grant(HURRY)).await);
        is_denied(what, within(what, log.renew(of_no_log())).await);
        // To who names no user etcd says that there is no such lease.
        if what != "no user" {
            is_denied(what, within(what, log.revoke(LeaseId::new(7))).await);
        }
    }
    assert_eq!(server.etcdctl(&["get", "--prefix", ""]).await, "");
}

async fn what_a_role_does_not_allow_is_denied_and_not_written(version: EtcdVersion) {
    let server = guarded(version).await;
    let elsewhere = as_app(server.endpoint()).namespace("other/");
    let elsewhere = elsewhere.connect().await.unwrap();
    let keyspace = flags();
    is_denied("head", elsewhere.head(&keyspace).await);
    is_denied("snapshot", elsewhere.snapshot(&keyspace).await);
    is_denied("commit", try_put(&elsewhere, "stolen", "1").await);
    is_denied("tail", elsewhere.tail(&keyspace, Position::default()).await);

    let narrow = as_narrow(server.endpoint()).connect().await.unwrap();
    put(&narrow, "own", "1").await;
    let other = Keyspace::new("other").unwrap();
    let both = Transaction::new()
        .put(&keyspace, "half", "1")
        .put(&other, "half", "1");
    is_denied("a commit half allowed", narrow.commit(both).await);
    let reading = Transaction::new()
        .when(&other, "secret", Precondition::Absent)
        .put(&keyspace, "half", "1");
    is_denied(
        "a precondition on what is not allowed",
        narrow.commit(reading).await,
    );
    put(&narrow, "own", "2").await;
    let keys = server
        .etcdctl(&["get", "--prefix", "", "--keys-only"])
        .await;
    assert_eq!(keys.trim(), "flags/own");
}

async fn a_role_for_one_keyspace_is_enough(version: EtcdVersion) {
    let server = guarded(version).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, "put", "1").await;
    try_create(&log, "created", "1").await.unwrap();
    let conflict = try_create(&log, "created", "2").await.unwrap_err();
    assert!(conflict.is_conflict(), "{conflict}");
    put(&log, "gone", "1").await;
    delete(&log, "gone").await;
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.records.len(), 2);
    assert!(!log.capabilities().fenced, "it says what it cannot do");

    let free = as_app(server.endpoint()).connect().await.unwrap();
    put(&free, "put", "1").await;
    assert!(free.capabilities().fenced);
}

async fn a_role_that_may_only_read_is_enough_to_follow(version: EtcdVersion) {
    let server = guarded(version).await;
    let words = ["role", "grant-permission", "narrow", "read", "flags/"];
    let words = [&words[..], &["--prefix=true"]].concat();
    server.etcdctl(&words).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    for value in ["1", "2"] {
        server.etcdctl(&["put", "flags/key", value]).await;
        let head = log.head(&flags()).await.unwrap();
        copy.reach(head).await;
        assert_eq!(copy.values()["key"], value);
    }
    is_denied("a put", try_put(&log, "key", "3").await);
    is_denied("a create", try_create(&log, "new", "1").await);
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.values()["key"], "2");
}

/// Whoever has a user name may use a server that asks for none, and need not be told when it begins to ask.
async fn authentication_may_be_switched_on_while_logs_are_in_use(version: EtcdVersion) {
    let mut server = with_tokens(version).start().await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    let nobody = EtcdLog::builder().endpoint(server.endpoint());
    let nobody = nobody.namespace("app/").deadline(HURRY);
    let nobody = nobody.connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, "key", "1").await;
    put(&nobody, "key", "2").await;
    guard(&mut server).await;
    let position = put(&log, "key", "3").await;
    copy.reach(position).await;
    assert_eq!(copy.values()["key"], "3");
    is_denied("head", nobody.head(&flags()).await);
    is_denied("commit", try_put(&nobody, "key", "4").await);
}

async fn a_role_that_cannot_name_an_epoch_still_notices_a_restore(version: EtcdVersion) {
    let mut server = guarded(version).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, "kept", "1").await;
    let backup = server.save_snapshot().await;
    let before = put(&log, "lost", "1").await;
    copy.reach(before).await;
    server.restore_snapshot(&backup, None).await;
    converges(&mut copy, &log, &server).await;
    assert_ne!(copy.position.epoch, before.epoch);
    assert_eq!(copy.records.len(), 1);
}

/// Without a fence, which would not fit: only the look at the life a new connection leads to is in the way.
async fn a_commit_of_an_old_life_does_not_land_in_the_next_although_it_would_fit(
    version: EtcdVersion,
) {
    let mut server = guarded(version).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, "kept", "1").await;
    let backup = server.save_snapshot().await;
    put(&log, "lost", "1").await;
    let seen = put(&log, "key", "old").await;
    copy.reach(seen).await;
    server.restore_snapshot(&backup, None).await;
    while server.revision().await < seen.revision.0 - 1 {
        server.etcdctl(&["put", "elsewhere", "1"]).await;
    }
    server.etcdctl(&["put", "flags/key", "new"]).await;
    assert_eq!(server.revision().await, seen.revision.0);

    let fits = Transaction::new()
        .within(Some(seen.epoch))
        .when(&flags(), "key", Precondition::At(seen.revision))
        .put(&flags(), "key", "of the old life");
    let refused = answer("an answer", || log.commit(fits.clone())).await;
    assert_eq!(refused.unwrap_err().kind(), &ErrorKind::EpochChanged);
    let value = server
        .etcdctl(&["get", "--print-value-only", "flags/key"])
        .await;
    assert_eq!(value.trim(), "new");
}

async fn without_a_fence_a_lost_reply_is_indeterminate_and_nothing_is_sent_twice(
    version: EtcdVersion,
) {
    let server = guarded(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = as_narrow(proxy.endpoint()).deadline(HURRY);
    let log = log.connect().await.unwrap();
    let straight = as_narrow(server.endpoint()).connect().await.unwrap();
    let start = put(&log, "start", "1").await;
    for key in ["one", "two"] {
        put(&log, "on the way", "1").await;
        proxy.freeze_replies();
        let error = try_create(&log, key, "1").await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");
        delete(&straight, key).await;
        proxy.heal();
        put(&log, "on the way", "2").await;
    }
    put(&straight, "end", "1").await;
    let history = history(&straight, start).await;
    for key in ["one", "two"] {
        assert_eq!(puts_of(&history, key), 1, "{key}");
    }
}

async fn a_role_taken_and_given_back_is_denied_and_works_again(version: EtcdVersion) {
    let server = guarded(version).await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, "key", "1").await;
    server.etcdctl(&["user", "revoke-role", "app", "app"]).await;
    is_denied("head", log.head(&flags()).await);
    is_denied("commit", try_put(&log, "key", "2").await);
    copy.look_away();
    is_denied("tail", copy.step().await);
    server.etcdctl(&["user", "grant-role", "app", "app"]).await;
    let position = put(&log, "key", "3").await;
    copy.reach(position).await;
    assert_eq!(copy.values()["key"], "3");
}

async fn a_new_password_shuts_out_who_has_the_old_one(version: EtcdVersion) {
    let server = guarded(version).await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    put(&log, "key", "1").await;
    give_app(&server, "another-secret").await;
    is_denied("head", log.head(&flags()).await);
    is_denied("commit", try_put(&log, "key", "2").await);
    give_app(&server, "app-secret").await;
    // What was refused is not tried again at once: checking a password costs the server a lot.
    let works_again = async {
        while let Err(error) = try_put(&log, "key", "3").await {
            assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("it works again", works_again).await;
}

/// A lease that no log has granted.
fn of_no_log() -> Lease {
    Lease::new(LeaseId::new(7), HURRY, Epoch::new(7))
}
