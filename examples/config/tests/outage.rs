//! The service on a real etcd that is killed and started again while it serves: it shows itself through, and is told the truth.
//!
//! Never decides what is right: the demo does, and says so by its exit code.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows what it ran"
)]

use std::process::Stdio;
use std::time::Duration;

use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn it_serves_while_a_real_etcd_is_away_at_start_and_later() {
    let etcd = EtcdServer::builder(EtcdVersion::Reference);
    let mut etcd = etcd.on_disk().start().await;
    let url = etcd.url();
    etcd.kill();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_config-service"));
    demo.env("GLOBE_LOG", &url).kill_on_drop(true);
    let mut demo = demo.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let shown = async {
        let (mut killed, mut started) = (0, 0);
        while let Some(line) = lines.next_line().await.unwrap() {
            println!("{line}");
            if line.contains(">> start etcd") {
                etcd.restart_unready();
                started += 1;
            } else if line.contains(">> stop etcd") {
                etcd.kill();
                killed += 1;
            }
        }
        (killed, started)
    };
    let asked = timeout(Duration::from_secs(60), shown).await.unwrap();
    assert!(demo.wait().await.unwrap().success());
    assert_eq!(asked, (1, 2), "killed once besides at the start");
}
