//! Records that are larger than an answer this client accepts: each keeps itself out, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use etcd_client::Client;
use globe_etcd::EtcdLog;
use globe_log_client::LogClient;
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{PATIENCE, connect, flags, put, within};

/// More than the limit of this client, and less than that of the server.
const TOO_LARGE: usize = 70 * MIB;
const SERVER_LIMIT: &str = "--max-request-bytes=134217728";

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_over_the_limit_keeps_itself_out_and_nothing_else() {
    let server = EtcdServer::builder(EtcdVersion::Reference);
    let server = server.flag(SERVER_LIMIT).start().await;
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    // The first and the last of all keys, and one in between.
    for key in ["flags/a", "flags/m", "flags/z"] {
        let put = client.put(key, vec![b'x'; TOO_LARGE], None);
        within("a large put", put).await.unwrap();
    }
    let log = connect([server.endpoint()]).await;
    for key in ["b", "c", "n", "o"] {
        put(&log, key, "1").await;
    }
    let snapshot = within("a snapshot", log.snapshot(&flags())).await.unwrap();
    let position = snapshot.position();
    let records = within("its pages", snapshot.collect()).await.unwrap();
    let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys, ["b", "c", "n", "o"]);
    assert!(log.last_failure().is_none(), "no member is to blame");

    let mut tail = log.tail(&flags(), position).await.unwrap();
    let written = put(&log, "m", "small again").await;
    let batch = within("a batch", tail.next()).await.unwrap();
    assert_eq!(batch.revision, written.revision);
    let records = log.snapshot(&flags()).await.unwrap().collect().await;
    assert_eq!(records.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_read_by_who_accepts_it_and_left_out_by_who_does_not() {
    let server = EtcdServer::builder(EtcdVersion::Reference);
    let server = server.flag(SERVER_LIMIT).start().await;
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    for (key, size) in [("flags/large", 5 * MIB), ("flags/small", 1)] {
        let put = client.put(key, vec![b'x'; size], None);
        within("a put", put).await.unwrap();
    }
    let table: [(usize, &[&str]); 3] = [
        (4, &["small"]),
        (6, &["large", "small"]),
        (64, &["large", "small"]),
    ];
    for (accepted, expected) in table {
        let builder = EtcdLog::builder().endpoint(server.endpoint());
        let builder = builder.max_message_bytes(accepted * MIB).deadline(PATIENCE);
        let log = builder.connect().await.unwrap();
        let snapshot = within("a snapshot", log.snapshot(&flags())).await.unwrap();
        let records = within("its pages", snapshot.collect()).await.unwrap();
        let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
        assert_eq!(keys, expected, "{accepted} MiB");
    }
}
