//! What a member has to say of a row, when the row is another meanwhile, or nobody can read it.

use std::time::Duration;

use futures::FutureExt;
use globe::LogClient;
use globe::log_client::Transaction;
use globe::shards::{Mode, Prepare, Row, ShardMember, Step};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::cluster::{BOUND, Cluster, Node, is_settled};
use crate::rig::{Around, keyspace};

const SECOND: Duration = Duration::from_secs(1);

/// A row of `a` that is about to move to `b`, which takes its steps by hand and does not plan.
struct Asked {
    cluster: Cluster,
    owner: Node,
    way: Around,
    step: Option<Prepare>,
    row: serde_json::Value,
    _steps: JoinHandle<()>,
}

async fn asked() -> Asked {
    let cluster = Cluster::new(1, Mode::Strict);
    let owner = cluster.join("a").await;
    owner.settled(1).await;
    let way = Around::new(&cluster.log);
    let shards = cluster.builder(&way).plans(false).open().await.unwrap();
    let session = globe::Session::open(way.clone()).await.unwrap();
    let mut worker = shards.join(&session, ShardMember::new("b")).await.unwrap();
    owner.shards.pin(0, Some("b")).await.unwrap();
    let Some(Step::Prepare(step)) = timeout(BOUND, worker.next()).await.unwrap() else {
        panic!("not asked");
    };
    let row = serde_json::to_value(&**shards.table().row(0, 0).unwrap()).unwrap();
    assert_eq!(row["phase"], "prepare");
    Asked {
        cluster,
        owner,
        way,
        step: Some(step),
        row,
        _steps: tokio::spawn(async move { while worker.next().await.is_some() {} }),
    }
}

impl Asked {
    /// Another program writes the row, at this very moment.
    fn writes(&self) -> impl Fn(Vec<u8>) + Send + 'static {
        let log = self.cluster.log.clone();
        move |value| put(&log, "row/00000", value)
    }

    async fn is_with(&self, id: &str, bound: Duration) {
        let is_there = |row: &Row| row.owner.id() == id && row.next.is_none();
        let there = self.owner.wait_for("there", |table| {
            is_settled(table, 2) && table.row(0, 0).is_some_and(|row| is_there(row))
        });
        timeout(bound, there).await.unwrap();
    }
}

fn put(log: &impl LogClient, key: &'static str, value: Vec<u8>) {
    let write = Transaction::new().put(&keyspace("table"), key, value);
    log.commit(write).now_or_never().unwrap().unwrap();
}

/// It is passed over in a commit that lands after what the table shows: the row changes no more, only the table comes to that.
#[tokio::test(start_paused = true)]
async fn what_was_passed_over_is_said_again_when_the_table_shows_what_stands_there() {
    let mut asked = asked().await;
    let (writes, log, way) = (asked.writes(), asked.cluster.log.clone(), asked.way.clone());
    let mut row = asked.row.clone();
    row["term"] = json!(7);
    let (told, happened) = tokio::sync::oneshot::channel();
    asked.way.before_the_next_commit(move || {
        writes(serde_json::to_vec(&row).unwrap());
        way.before_the_next_commit(move || {
            log.hold_tails(true);
            put(&log, "of-another-program", b"1".to_vec());
            told.send(()).unwrap();
        });
    });
    let _ready = asked.step.take().unwrap().done();
    happened.await.unwrap();
    // Longer than a write waits until it sees itself.
    sleep(20 * SECOND).await;
    asked.cluster.log.hold_tails(false);
    asked.is_with("b", 5 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_row_does_not_ask_for_any_more_is_no_commit() {
    let mut asked = asked().await;
    let writes = asked.writes();
    let mut row = asked.row.clone();
    let fields = row.as_object_mut().unwrap();
    fields.retain(|name, _| name == "owner" || name == "term");
    let before = asked.way.calls().commits;
    let ready = asked.step.take().unwrap().done();
    // While it is collected what is to be said.
    sleep(Duration::from_millis(1)).await;
    writes(serde_json::to_vec(&row).unwrap());
    ready.await.unwrap();
    sleep(SECOND).await;
    assert_eq!(asked.way.calls().commits, before);
}

/// Nor for ever not: it goes on when the row can be read again, be it the very same row.
#[tokio::test(start_paused = true)]
async fn a_row_that_nobody_can_read_is_tried_again_once_a_second() {
    let mut asked = asked().await;
    let writes = asked.writes();
    writes(b"nonsense".to_vec());
    sleep(SECOND).await;
    let before = asked.way.calls().commits;
    let ready = asked.step.take().unwrap().done();
    sleep(20 * SECOND).await;
    let tried = asked.way.calls().commits - before;
    assert!((10..=21).contains(&tried), "{tried}");
    writes(serde_json::to_vec(&asked.row).unwrap());
    ready.await.unwrap();
    asked.is_with("b", 5 * SECOND).await;
}
