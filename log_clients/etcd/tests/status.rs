//! What a log says of itself: which member, which cluster, what is open, and why it is away.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{LogClient, LogStatus};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use rig::{BOUND, as_narrow, flags, hurried, within};

fn detail<'a>(status: &'a LogStatus, name: &str) -> Option<&'a str> {
    status.details.get(name).map(String::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_tells_the_member_the_cluster_and_what_is_open_as_far_as_they_told() {
    let mut server = EtcdServer::start(EtcdVersion::V3_5_16).await;
    let log = hurried([server.endpoint()]).await;
    let status = log.status();
    let endpoint = server.endpoint();
    assert_eq!(detail(&status, "member"), Some(&*endpoint));
    assert_eq!(detail(&status, "version"), None, "nobody was asked");
    assert_eq!(detail(&status, "cluster"), None, "nobody was asked");
    assert_eq!(status.last_failure, None);

    let head = within("the head", log.head(&flags())).await.unwrap();
    let status = log.status();
    assert_eq!(detail(&status, "version"), Some("3.5.16"));
    let cluster = detail(&status, "cluster").map(|id| u64::from_str_radix(id, 16));
    assert!(matches!(cluster, Some(Ok(1..))), "{status}");
    assert_eq!(detail(&status, "streams"), Some("0"));

    let tail = within("a tail", log.tail(&flags(), head)).await.unwrap();
    assert_eq!(detail(&log.status(), "streams"), Some("1"));
    drop(tail);
    wait_until("its stream is gone", BOUND, || async {
        detail(&log.status(), "streams") == Some("0")
    })
    .await;

    server.kill();
    within("an answer", log.head(&flags())).await.unwrap_err();
    let why = log.status().last_failure.unwrap();
    assert!(
        why.contains(endpoint.trim_start_matches("http://")),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_a_member_keeps_to_itself_is_not_told() {
    let server = rig::guarded(EtcdServer::builder(EtcdVersion::Reference)).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    within("the head", log.head(&flags())).await.unwrap();
    let status = log.status();
    assert_eq!(detail(&status, "version"), None, "{status}");
    assert_eq!(status.last_failure, None);
}
