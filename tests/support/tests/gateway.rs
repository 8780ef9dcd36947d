//! The gateway does to requests what it is told, to no others, and etcd's own tools work through it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken set-up is a failure"
)]

use std::process::Stdio;
use std::time::Duration;

use globe_test_support::{Act, EtcdServer, EtcdVersion, Gateway, Rule, Said, wait_until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(20);
const PUT: &str = "/etcdserverpb.KV/Put";

async fn gateway() -> (EtcdServer, Gateway) {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let gateway = Gateway::start(server.address()).await;
    (server, gateway)
}

/// Runs `etcdctl` through the gateway.
async fn through(
    (server, gateway): &(EtcdServer, Gateway),
    words: &[&str],
) -> Result<String, String> {
    let endpoint = format!("--endpoints={}", gateway.address());
    let all = [&[endpoint.as_str()], words].concat();
    server.try_etcdctl(&all).await
}

/// How often a key was written, as the server itself says.
async fn version(server: &EtcdServer, key: &str) -> u64 {
    let json = server.etcdctl(&["get", key, "-w", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    json["kvs"][0]["version"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn what_is_not_to_be_broken_is_passed_on_whole_both_ways() {
    let both = gateway().await;
    let value = "x".repeat(100_000);
    for number in 0..40 {
        let key = format!("key/{number:02}");
        through(&both, &["put", &key, &value]).await.unwrap();
    }
    let all = through(&both, &["get", "key/", "--prefix", "--print-value-only"]).await;
    assert!(all.unwrap() == format!("{value}\n").repeat(40));
    let refused = through(&both, &["get", "k", "--rev=1000"]).await;
    assert!(refused.unwrap_err().contains("future revision"));
    assert_eq!((both.1.delivered(PUT), both.1.broken()), (40, 0));
}

#[tokio::test]
async fn what_is_lost_after_delivery_was_done_and_is_told_as_it_was_said() {
    let both = gateway().await;
    let answers = [
        (Said::envoy_reset(), "connection termination"),
        (Said::Http(503), "503"),
        (Said::Reset, "INTERNAL_ERROR"),
        (Said::Status(14, String::new()), "Unavailable"),
    ];
    for (number, (said, told)) in answers.into_iter().enumerate() {
        let key = format!("key-{number}");
        let rule = Rule::new(PUT, Act::Lose(said)).carrying(&key).times(1);
        both.1.add(rule);
        through(&both, &["put", "another", "1"]).await.unwrap();
        let error = through(&both, &["put", &key, "1"]).await.unwrap_err();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(version(&both.0, &key).await, 1, "{told}");
        through(&both, &["put", &key, "2"]).await.unwrap();
    }
    assert_eq!(both.1.broken(), 4);
}

#[tokio::test]
async fn what_is_repeated_is_done_twice_and_answered_once() {
    let both = gateway().await;
    both.1.add(Rule::new(PUT, Act::Repeat).one_in(2));
    for times in [1, 3] {
        through(&both, &["put", "key", "1"]).await.unwrap();
        assert_eq!(version(&both.0, "key").await, times);
    }
    assert_eq!(both.1.delivered(PUT), 3);
    both.1.heal();
    through(&both, &["put", "key", "1"]).await.unwrap();
    assert_eq!(version(&both.0, "key").await, 4);
}

#[tokio::test]
async fn what_the_gateway_answers_itself_is_not_delivered() {
    let both = gateway().await;
    let answers = [
        (Said::rbac(), "RBAC"),
        (
            Said::Status(12, "unknown service".into()),
            "unknown service",
        ),
        (Said::Http(404), "404"),
    ];
    for (said, told) in answers {
        both.1.heal();
        let path = "/etcdserverpb.Maintenance/";
        both.1.add(Rule::new(path, Act::Answer(said)));
        let error = through(&both, &["alarm", "list"]).await.unwrap_err();
        assert!(error.contains(told), "{told}: {error}");
        through(&both, &["put", "key", told]).await.unwrap();
        assert_eq!(both.1.delivered(path), 0);
    }
}

#[tokio::test]
async fn a_server_that_died_is_told_as_a_gateway_does_and_found_again() {
    let (mut server, gateway) = gateway().await;
    let endpoint = format!("--endpoints={}", gateway.address());
    let put = [endpoint.as_str(), "put", "key", "1", "--command-timeout=2s"];
    server.etcdctl(&put).await;
    server.kill();
    let error = server.try_etcdctl(&put).await.unwrap_err();
    assert!(error.contains("upstream connect error"), "{error}");
    server.restart().await;
    server.etcdctl(&put).await;
}

/// An interactive watch of `etcdctl`, and what it prints.
struct Watching {
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    _child: Child,
}

impl Watching {
    fn start((server, gateway): &(EtcdServer, Gateway)) -> Watching {
        let mut command = Command::new(server.version().program("etcdctl"));
        command.env("ETCDCTL_API", "3").kill_on_drop(true);
        command.arg(format!("--endpoints={}", gateway.address()));
        command.args(["watch", "-i"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Watching {
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            input: child.stdin.take().unwrap(),
            _child: child,
        }
    }

    async fn says(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    async fn hears(&mut self, part: &str) {
        let heard = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains(part) {
                    return;
                }
            }
            panic!("the watch ended before {part}");
        };
        timeout(BOUND, heard).await.expect(part);
    }
}

#[tokio::test]
async fn progress_is_swallowed_when_told_and_events_are_not() {
    let both = gateway().await;
    let mut watching = Watching::start(&both);
    watching.says("watch key").await;
    wait_until("a watch", BOUND, || async {
        both.0.metric("etcd_debugging_mvcc_watcher_total", "").await >= 1.0
    })
    .await;
    watching.says("progress").await;
    watching.hears("progress notify").await;
    both.1.drop_progress(true);
    watching.says("progress").await;
    wait_until("it is swallowed", BOUND, || async { both.1.dropped() == 1 }).await;
    both.0.etcdctl(&["put", "key", "event"]).await;
    watching.hears("event").await;
}

#[tokio::test]
async fn quiet_streams_are_reset_and_busy_ones_are_not() {
    let both = gateway().await;
    let mut watching = Watching::start(&both);
    both.1.limit_idle(Some(Duration::from_secs(2)));
    watching.says("watch key").await;
    let opened = async || both.1.delivered("/etcdserverpb.Watch/Watch");
    wait_until("a stream", BOUND, || async { opened().await == 1 }).await;
    for number in 0..8 {
        // Together longer than the limit, each much shorter.
        tokio::time::sleep(Duration::from_millis(500)).await;
        both.0.etcdctl(&["put", "key", "event"]).await;
        watching.hears("event").await;
        assert_eq!(both.1.cut(), 0, "{number}");
    }
    wait_until("the quiet stream is reset", BOUND, || async {
        both.1.cut() > 0
    })
    .await;
}
