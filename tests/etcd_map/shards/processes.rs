//! Members that are processes: restarted one after another, killed, and stopped for longer than their leases live.
//!
//! Never plays that in the process of the test: the members are started for it.

use std::process::Stdio;
use std::time::Duration;

use globe::shards::{Mode, OwnedShard, ShardMember, Table};
use globe::{EtcdLog, Globe, Session, Shards};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::history::{History, Journal, Seen, Work};
use super::{BOUND, TTL};
use crate::node::{TOLD, within};
use crate::sessions::processes::signal;

const SLOTS: u32 = 200;
/// Who a process is, the name of its life, where it writes its journal, and of which mode the table is.
const MEMBER: &str = "GLOBE_TEST_MEMBER";
const LIFE: &str = "GLOBE_TEST_LIFE";
const JOURNAL: &str = "GLOBE_TEST_JOURNAL";
const MODE: &str = "GLOBE_TEST_MODE";

async fn table(log: EtcdLog, mode: Mode) -> Shards {
    let builder = Shards::builder(log, "table").slots(SLOTS).mode(mode);
    let opening = builder.settle(Duration::from_secs(5)).open();
    within("a table", opening).await.unwrap()
}

fn mode_of(text: &str) -> Mode {
    match text {
        "strict" => Mode::Strict,
        _ => Mode::Available,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the tests below, which run it in a process of its own"]
async fn who_serves() {
    let told = |name| std::env::var(name).unwrap();
    let (id, life) = (told(MEMBER), told(LIFE));
    let journal = Journal(told(JOURNAL).into());
    let log = EtcdLog::from_url(&told(TOLD)).await.unwrap();
    let shards = table(log.clone(), mode_of(&told(MODE))).await;
    let works = Globe::<String, Work>::open(log.clone(), "works");
    let orders = Globe::<String, u64>::open(log.clone(), "orders");
    let (works, orders) = (works.await.unwrap(), orders.await.unwrap());
    let session = Session::builder(log).name(&id).ttl(TTL).open();
    let session = within("a session", session).await.unwrap();
    let until = async move {
        let asked = orders.wait_for(|view| view.contains_key(&life)).await;
        drop(asked.unwrap());
    };
    let member = ShardMember::new(&id);
    let work = move |shard: OwnedShard| {
        let (id, journal, works) = (id.clone(), journal.clone(), works.clone());
        async move {
            tokio::select! {
                () = shard.draining() => {}
                () = serve(&id, &shard, &journal, &works) => {}
            }
        }
    };
    shards.run(&session, member, until, work).await.unwrap();
    session.close().await.unwrap();
}

/// Works on a shard, under its fence.
async fn serve(id: &str, shard: &OwnedShard, journal: &Journal, works: &Globe<String, Work>) {
    let key = format!("{:05}", shard.shard());
    loop {
        if journal.serves(id, shard) {
            let term = globe::Fenced::token(shard).number;
            let written = works.transact(|txn| {
                txn.require(shard)?;
                let by = id.to_owned();
                txn.put(works, key.as_str(), Work { by, term })
            });
            // What is not held any more writes nothing.
            let _ = written.await;
        }
        sleep(Duration::from_millis(fastrand::u64(500..1_500))).await;
    }
}

/// A table of processes, and who looks on.
struct Stage {
    server: EtcdServer,
    mode: Mode,
    journal: Journal,
    shards: Shards,
    works: Globe<String, Work>,
    rows: Globe<String, Value>,
    orders: Globe<String, u64>,
    lives: u64,
}

struct Process {
    id: String,
    life: String,
    child: Child,
}

impl Stage {
    async fn new(mode: Mode) -> Stage {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let log = EtcdLog::from_url(&server.url()).await.unwrap();
        Stage {
            mode,
            journal: Journal::of(&server, "table"),
            shards: table(log.clone(), mode).await,
            works: Globe::open(log.clone(), "works").await.unwrap(),
            rows: Globe::open(log.clone(), "table").await.unwrap(),
            orders: Globe::open(log, "orders").await.unwrap(),
            server,
            lives: 0,
        }
    }

    fn start(&mut self, id: &str) -> Process {
        self.lives += 1;
        let life = format!("{id}-{}", self.lives);
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mode = match self.mode {
            Mode::Strict => "strict",
            Mode::Available => "available",
        };
        command
            .args(["--exact", "--ignored", "shards::processes::who_serves"])
            .env(TOLD, self.server.url())
            .env(MEMBER, id)
            .env(LIFE, &life)
            .env(JOURNAL, &self.journal.0)
            .env(MODE, mode)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        Process {
            id: id.to_owned(),
            life,
            child: command.spawn().unwrap(),
        }
    }

    /// Lets a member leave, and waits until its process has ended well.
    async fn ends(&self, process: Process) -> String {
        self.orders.put(process.life.as_str(), 1).await.unwrap();
        let output = timeout(BOUND, process.child.wait_with_output()).await;
        let output = output.expect("it ends").unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let is_done = output.status.success() && said.contains("1 passed");
        assert!(is_done, "{said}");
        process.id
    }

    /// Waits until so many members own all rows, and work on each under the term it has.
    async fn is_served(&self, members: usize) -> Table {
        let is_so = || {
            let table = self.shards.table();
            let works = self.works.view();
            let is_served = |shard: u32, row: &globe::shards::Row| {
                let work = works.get(format!("{shard:05}").as_str());
                let is_worked_on = work.is_some_and(|work| work.term == row.term);
                let is_settled = row.next.is_none() && row.prev.is_none();
                is_settled && is_worked_on && table.is_live(&row.owner)
            };
            let count = table.members().count();
            let all = table.rows().count() == SLOTS as usize;
            count == members && all && { table.rows() }.all(|(shard, _, row)| is_served(shard, row))
        };
        let what = format!("{members} members serve all");
        wait_until(&what, BOUND, || async { is_so() }).await;
        self.shards.table()
    }

    /// What was seen of all that was committed until now.
    async fn saw(&self, history: History) -> Seen {
        within("all is seen", self.works.sync()).await.unwrap();
        within("all is seen", self.rows.sync()).await.unwrap();
        history.ends_sound().await
    }

    fn owned(&self, id: &str) -> usize {
        let table = self.shards.table();
        table
            .rows()
            .filter(|(_, _, row)| row.owner.id() == id)
            .count()
    }
}

async fn rolls(mode: Mode) {
    let mut stage = Stage::new(mode).await;
    let ids = ["w0", "w1", "w2", "w3", "w4"];
    let mut processes: Vec<Process> = ids.iter().map(|id| stage.start(id)).collect();
    stage.is_served(ids.len()).await;
    let history = History::of(&stage.rows, &stage.works);
    let is_spread = || ids.iter().all(|id| stage.owned(id) > 0);
    wait_until("each has its share", BOUND, || async { is_spread() }).await;
    // One after another, while every row has a live owner in every revision.
    for _ in ids {
        let process = processes.remove(0);
        let id = stage.ends(process).await;
        processes.push(stage.start(&id));
        stage.is_served(ids.len()).await;
    }
    let seen = stage.saw(history).await;
    assert!(
        seen.orphaned == 0 && seen.handed >= SLOTS as usize,
        "{seen:?}"
    );
    let history = History::of(&stage.rows, &stage.works);
    // Killed, and started again only when the others have what it had.
    let mut killed = processes.remove(0);
    killed.child.kill().await.unwrap();
    stage.is_served(ids.len() - 1).await;
    processes.push(stage.start(&killed.id));
    stage.is_served(ids.len()).await;
    // Stopped, until the others have what it had; then it goes on, as another life of the same member.
    let stopped = &processes[0];
    signal(&stopped.child, "STOP");
    stage.is_served(ids.len() - 1).await;
    signal(&stopped.child, "CONT");
    stage.is_served(ids.len()).await;
    let seen = stage.saw(history).await;
    assert!(seen.orphaned > 0 && seen.works > 0, "{seen:?}");
    if mode == Mode::Strict {
        assert!(stage.journal.is_sound() > SLOTS as usize);
    }
    std::fs::remove_file(&stage.journal.0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_restarted_killed_and_stopped_never_own_a_shard_twice() {
    rolls(Mode::Strict).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_an_available_table_write_only_what_they_own() {
    rolls(Mode::Available).await;
}
