//! Members of one table in one process, each with a map and a session of its own; and who looks on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe::shards::{
    Incarnation, Leaver, Mode, OwnedShard, Phase, Row, ShardMember, ShardsBuilder, Step, Table,
    Worker,
};
use globe::{Fenced, Globe, MemoryLog, Session, Shards, Token};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::rig::Around;

/// How long the lease of a member lives.
pub(crate) const TTL: Duration = Duration::from_secs(3);
/// How long anything is waited for, at most.
pub(crate) const BOUND: Duration = Duration::from_secs(300);

/// A table's log, and who serves what by their own account.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) log: MemoryLog,
    pub(crate) slots: u32,
    pub(crate) mode: Mode,
    pub(crate) replicas: u32,
    /// Whether who joins stands for planner.
    pub(crate) plans: bool,
    /// How many rows of one member move at a time.
    pub(crate) moving: u32,
    pub(crate) journal: Journal,
}

/// Who serves what, told by those who do: a line at each begin and end.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    serving: BTreeMap<u32, Vec<String>>,
    /// The last term in which each was served.
    terms: BTreeMap<u32, Token>,
    /// What must not be: whoever finds it may be a task that nobody waits for.
    breaches: Vec<String>,
}

impl Journal {
    pub(crate) fn begin(&self, mode: Mode, shard: &OwnedShard, who: &str) {
        let (number, token) = (shard.shard(), shard.token());
        let mut lines = self.0.lock().unwrap();
        let serving = lines.serving.entry(number).or_default();
        serving.push(who.to_owned());
        let all = format!("the shard {number} is served by {serving:?} in {token}");
        let is_alone = serving.len() == 1;
        let before = lines.terms.insert(number, token);
        let is_next = before
            .is_none_or(|before| before.epoch != token.epoch || before.number <= token.number);
        // Available: whoever is cut off goes on, and begins, until he hears of the others.
        if mode == Mode::Strict && !(is_alone && is_next) {
            lines.breaches.push(format!("{all} after {before:?}"));
        }
    }

    pub(crate) fn end(&self, shard: u32, who: &str) {
        let mut lines = self.0.lock().unwrap();
        if let Some(serving) = lines.serving.get_mut(&shard) {
            serving.retain(|one| one != who);
        }
    }

    /// What must not be, as somebody saw it whom nobody waits for.
    pub(crate) fn breach(&self, what: String) {
        self.0.lock().unwrap().breaches.push(what);
    }

    /// Who died serves nothing.
    pub(crate) fn forget(&self, who: &str) {
        let mut lines = self.0.lock().unwrap();
        for serving in lines.serving.values_mut() {
            serving.retain(|one| one != who);
        }
    }

    /// How many shards somebody serves.
    pub(crate) fn serving(&self, who: &str) -> usize {
        self.count(|serving| serving.iter().any(|one| one == who))
    }

    /// How many shards are served.
    pub(crate) fn served(&self) -> usize {
        self.count(|serving| !serving.is_empty())
    }

    fn count(&self, which: impl Fn(&[String]) -> bool) -> usize {
        let lines = self.0.lock().unwrap();
        assert!(lines.breaches.is_empty(), "{:?}", lines.breaches);
        let serving = lines.serving.values();
        serving.filter(|serving| which(serving)).count()
    }
}

/// Which steps a member does not answer for now.
#[derive(Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) prepare: bool,
    pub(crate) drain: bool,
}

/// One member: its handles, and the task that takes its steps.
pub(crate) struct Node {
    pub(crate) way: Around,
    pub(crate) id: String,
    pub(crate) shards: Shards,
    pub(crate) session: Session,
    pub(crate) leaver: Option<Leaver>,
    pub(crate) steps: JoinHandle<()>,
    pub(crate) held: watch::Sender<Held>,
}

impl Cluster {
    pub(crate) fn new(slots: u32, mode: Mode) -> Cluster {
        Cluster {
            log: MemoryLog::new(),
            slots,
            mode,
            replicas: 1,
            plans: true,
            moving: 16,
            journal: Journal::default(),
        }
    }

    pub(crate) fn builder(&self, way: &Around) -> ShardsBuilder {
        let builder = Shards::builder(way.clone(), "table");
        let builder = builder
            .slots(self.slots)
            .mode(self.mode)
            .replicas(self.replicas);
        let builder = builder.moving(self.moving).plans(self.plans);
        builder.settle(Duration::from_secs(5))
    }

    /// A process of its own, with its own way to the log.
    pub(crate) async fn process(&self, id: &str, way: &Around) -> (Shards, Session) {
        let shards = self.builder(way).open().await.unwrap();
        let session = Session::builder(way.clone()).name(id).ttl(TTL);
        (shards, session.open().await.unwrap())
    }

    /// Joins a member that does at once what it is told.
    pub(crate) async fn join(&self, id: &str) -> Node {
        self.join_by(id, Around::new(&self.log)).await
    }

    /// As `join`, whose lease the log does not end for a long time, although its owner is told otherwise.
    pub(crate) async fn join_patient(&self, id: &str) -> Node {
        let way = Around::new(&self.log);
        way.lengthen_leases(10_000);
        self.join_by(id, way).await
    }

    pub(crate) async fn join_by(&self, id: &str, way: Around) -> Node {
        let (shards, session) = self.process(id, &way).await;
        let joining = shards.join(&session, ShardMember::new(id));
        let worker = timeout(BOUND, joining).await.unwrap().unwrap();
        let leaver = Some(worker.leaver());
        let held = watch::Sender::default();
        let steps = tokio::spawn(self.clone().serve(id.to_owned(), worker, held.clone()));
        Node {
            way,
            id: id.to_owned(),
            shards,
            session,
            leaver,
            steps,
            held,
        }
    }

    /// Takes steps, and answers those that are not held.
    async fn serve(self, who: String, mut worker: Worker, held: watch::Sender<Held>) {
        let mut owned: BTreeMap<u32, OwnedShard> = BTreeMap::new();
        let mut waiting = JoinSet::new();
        while let Some(step) = worker.next().await {
            while waiting.try_join_next().is_some() {}
            let (mut held, now) = (held.subscribe(), *held.borrow());
            match step {
                Step::Prepare(step) if now.prepare => drop(waiting.spawn(async move {
                    let _ = held.wait_for(|held| !held.prepare).await;
                    drop(step.done());
                })),
                Step::Prepare(step) => drop(step.done()),
                Step::Own(shard) => {
                    self.journal.begin(self.mode, &shard, &who);
                    owned.insert(shard.shard(), shard);
                }
                Step::Drain(step) if now.drain => {
                    let (journal, who) = (self.journal.clone(), who.clone());
                    let shard = owned.remove(&step.shard());
                    waiting.spawn(async move {
                        let lost = async { shard.as_ref().unwrap().lost().await };
                        tokio::select! {
                            _ = held.wait_for(|held| !held.drain) => {}
                            _ = lost => {}
                        }
                        journal.end(step.shard(), &who);
                        drop(step.done());
                    });
                }
                Step::Drain(step) => {
                    self.journal.end(step.shard(), &who);
                    owned.remove(&step.shard());
                    drop(step.done());
                }
                Step::Drop(step) => {
                    self.journal.end(step.shard(), &who);
                    owned.remove(&step.shard());
                }
                _ => {}
            }
        }
    }

    /// The rows as the log has them now, of one that only looks.
    pub(crate) async fn rows(&self) -> Globe<String, serde_json::Value> {
        Globe::open(self.log.clone(), "table").await.unwrap()
    }
}

impl Node {
    /// Waits until the table, as this node sees it, is so.
    pub(crate) async fn wait_for(&self, what: &str, is_so: impl Fn(&Table) -> bool) -> Table {
        let mut last = None;
        let waiting = async {
            loop {
                let table = self.shards.table();
                if is_so(&table) {
                    return table;
                }
                last = Some(table);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match timeout(BOUND, waiting).await {
            Ok(table) => table,
            Err(_) => panic!("never {what}: {}", serde_json::to_string(&last).unwrap()),
        }
    }

    pub(crate) async fn settled(&self, members: usize) -> Table {
        self.wait_for("settled", |table| is_settled(table, members))
            .await
    }

    /// As `settled`, and each has some of it.
    pub(crate) async fn spread(&self, members: usize) -> Table {
        let is_spread =
            |table: &Table| is_settled(table, members) && counts(table).len() == members;
        self.wait_for("spread", is_spread).await
    }

    pub(crate) async fn leave(&mut self) {
        let leaver = self.leaver.take().unwrap();
        timeout(BOUND, leaver.leave()).await.unwrap().unwrap();
    }

    /// Dies: whatever it has, it does nothing any more, and its lease ends by itself.
    pub(crate) fn die(self, cluster: &Cluster) -> Session {
        self.steps.abort();
        cluster.journal.forget(&self.id);
        self.session
    }
}

/// So many members are there, each row has one of them as its owner, and none moves.
pub(crate) fn is_settled(table: &Table, members: usize) -> bool {
    let is_owned =
        |row: &Arc<Row>| table.is_live(&row.owner) && row.next.is_none() && row.prev.is_none();
    table.members().count() == members
        && table.rows().count() == (table.len() * table.replicas()) as usize
        && table.rows().all(|(_, _, row)| is_owned(row))
}

/// How many rows each member owns.
pub(crate) fn counts(table: &Table) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, _, row) in table.rows() {
        *counts.entry(row.owner.id().to_owned()).or_default() += 1;
    }
    counts
}

/// Watches every revision of the table: that no term falls, that no row loses its owner while that is there, and how often rows
/// changed hands, and were given to who was not there.
pub(crate) struct Onlooker {
    task: JoinHandle<Seen>,
    stop: tokio::sync::oneshot::Sender<()>,
}

#[derive(Default, Debug)]
pub(crate) struct Seen {
    pub(crate) handed: usize,
    pub(crate) unowned: usize,
    pub(crate) phases: Vec<Phase>,
}

impl Onlooker {
    pub(crate) async fn new(cluster: &Cluster) -> Onlooker {
        let rows = cluster.rows().await;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (mode, mut watch) = (cluster.mode, rows.watch().every_revision(1 << 20));
        let task = tokio::spawn(async move {
            // The map is open as long as somebody has it.
            let _rows = rows;
            let mut seen = Seen::default();
            tokio::pin!(stopped);
            loop {
                let changes = tokio::select! {
                    biased;
                    changes = watch.next() => changes.unwrap(),
                    _ = &mut stopped => return seen,
                };
                let after = changes.after();
                for change in changes
                    .iter()
                    .filter(|change| change.key().starts_with("row/"))
                {
                    let row = |value: &Arc<serde_json::Value>| {
                        serde_json::from_value::<Row>((**value).clone()).unwrap()
                    };
                    let (old, new) = (change.old_value().map(row), change.new_value().map(row));
                    let Some(new) = new else {
                        panic!("{} was deleted", change.key());
                    };
                    seen.phases.extend(new.phase);
                    let Some(old) = old else {
                        continue;
                    };
                    assert!(new.term >= old.term, "{}: {old:?} {new:?}", change.key());
                    if new.owner != old.owner {
                        assert!(new.term > old.term, "{}: {old:?} {new:?}", change.key());
                        seen.handed += 1;
                        let is_live = |who: &Incarnation| {
                            let member = after.get_entry(format!("member/{}", who.id()).as_str());
                            let created = member.map(|member| member.created().revision().0);
                            created == Some(who.created())
                        };
                        seen.unowned += usize::from(!is_live(&new.owner));
                        // By a step of its owner's, or of who was asked; or because it is gone.
                        let is_moved = old.next.as_ref() == Some(&new.owner)
                            && (mode == Mode::Available || old.phase == Some(Phase::Drain));
                        let is_right = is_moved || !is_live(&old.owner);
                        assert!(is_right, "{}: {old:?} {new:?}", change.key());
                    }
                }
            }
        });
        Onlooker { task, stop }
    }

    pub(crate) async fn seen(self) -> Seen {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}
