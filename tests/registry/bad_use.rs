//! What cannot be meant: a typed error that names what was wrong.

use globe::registry::{Member, Vanish};
use globe::{ErrorKind, MemoryLog, Registry, Session};

use crate::rig::fails_with;
use crate::{SECOND, SERVICE, two};

#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_keys_are_invalid() {
    let (_log, one, _other) = two().await;
    let long = "x".repeat(513);
    let table = [
        ("", "a", "service"),
        (SERVICE, "", "member"),
        (long.as_str(), "a", "512"),
        (SERVICE, long.as_str(), "512"),
    ];
    for (service, id, named) in table {
        let registering = one
            .registry
            .register(&one.session, service, Member::new(id, 80));
        let error = fails_with(registering.await, ErrorKind::Invalid);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_another_log_or_one_that_is_closed_registers_nobody() {
    let (_log, one, _other) = two().await;
    let elsewhere = Session::open(MemoryLog::new()).await.unwrap();
    let registering = one
        .registry
        .register(&elsewhere, SERVICE, Member::new("a", 80));
    fails_with(registering.await, ErrorKind::Invalid);
    one.session.close().await.unwrap();
    let registering = one
        .registry
        .register(&one.session, SERVICE, Member::new("a", 80));
    fails_with(registering.await, ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_member_cannot_become_another() {
    let (_log, one, _other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    let error = fails_with(
        mine.set(|me| me.id = "b".to_owned()).await,
        ErrorKind::Invalid,
    );
    assert!(error.to_string().contains("cannot become b"), "{error}");
    assert_eq!(one.ids(), ["a"]);
    mine.set(|me| me.weight = 7).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_be_meant_are_invalid() {
    let builder = || Registry::<u16>::builder(MemoryLog::new(), "services");
    let vanish = Vanish::hold(2.0, SECOND, SECOND);
    fails_with(builder().vanish(vanish).open().await, ErrorKind::Invalid);
    fails_with(builder().vanish(vanish).start(), ErrorKind::Invalid);
    fails_with(builder().zone("").open().await, ErrorKind::Invalid);
    fails_with(
        builder().deadline(std::time::Duration::ZERO).open().await,
        ErrorKind::Invalid,
    );
    let keyspace = Registry::<u16>::open(MemoryLog::new(), "a/b\n").await;
    fails_with(keyspace, ErrorKind::Invalid);
}
