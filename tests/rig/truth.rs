//! What the log really held at each of its revisions: folded from its own history, without any map.
//!
//! Never asks a Globe: it is what Globes are compared with.

use std::collections::{BTreeMap, HashMap};

use super::within;
use globe::log_client::{Batch, Change, Tail};
use globe::{Epoch, Keyspace, LogClient, MemoryLog, Position, Revision};

pub(crate) type Content = BTreeMap<String, u64>;

/// Everything one keyspace of numbers held, at each revision of each life of its log.
pub(crate) struct Truth {
    log: MemoryLog,
    keyspace: Keyspace,
    lives: HashMap<Epoch, BTreeMap<Revision, Content>>,
    /// Which keys each commit of each life touched.
    touched: HashMap<Epoch, BTreeMap<Revision, Vec<String>>>,
    /// Where each value was committed.
    commits: HashMap<u64, Vec<Position>>,
    tail: Tail,
    at: Position,
}

impl Truth {
    /// Begins with a snapshot of the log.
    pub(crate) async fn begin(log: &MemoryLog, keyspace: Keyspace) -> Truth {
        let at = log.head_position();
        let tail = log.tail(&keyspace, at).await.unwrap();
        let mut truth = Truth {
            log: log.clone(),
            keyspace,
            lives: HashMap::new(),
            touched: HashMap::new(),
            commits: HashMap::new(),
            tail,
            at,
        };
        truth.begin_life().await;
        truth
    }

    async fn begin_life(&mut self) {
        let snapshot = self.log.snapshot(&self.keyspace).await.unwrap();
        self.at = snapshot.position();
        let records = snapshot.collect().await.unwrap();
        let content = records
            .iter()
            .map(|record| (text(&record.key), number(&record.value)));
        let life = BTreeMap::from([(self.at.revision, content.collect())]);
        self.lives.insert(self.at.epoch, life);
        self.tail = self.log.tail(&self.keyspace, self.at).await.unwrap();
    }

    /// Reads the history up to the log's head; afterwards nothing has been committed that is not known here.
    pub(crate) async fn catch_up(&mut self) {
        while self.at != self.log.head_position() {
            let batch = within("the history", self.tail.next()).await.unwrap();
            self.take(batch);
        }
    }

    /// After the open tails of the log were silenced.
    pub(crate) async fn reopen(&mut self) {
        self.tail = self.log.tail(&self.keyspace, self.at).await.unwrap();
    }

    /// After the log began another life, at what it holds now.
    pub(crate) async fn follow_restore(&mut self) {
        self.begin_life().await;
    }

    fn take(&mut self, batch: Batch) {
        let position = Position::new(self.at.epoch, batch.revision);
        self.at = position;
        let mut content = self.at(position);
        for change in &batch.changes {
            match change {
                Change::Put(record) => {
                    let value = number(&record.value);
                    self.commits.entry(value).or_default().push(position);
                    content.insert(text(&record.key), value)
                }
                deleted => content.remove(&text(deleted.key())),
            };
        }
        if !batch.changes.is_empty() {
            let keys = batch
                .changes
                .iter()
                .map(|change| text(change.key()))
                .collect();
            self.touched
                .entry(position.epoch)
                .or_default()
                .insert(position.revision, keys);
            self.lives
                .entry(position.epoch)
                .or_default()
                .insert(position.revision, content);
        }
    }

    /// How far the history has been read.
    pub(crate) fn known(&self) -> Position {
        self.at
    }

    /// What the log held at a position.
    pub(crate) fn at(&self, position: Position) -> Content {
        let life = self.lives.get(&position.epoch).expect("a life of this log");
        let newest = life.range(..=position.revision).next_back();
        newest.expect("a position this life has passed").1.clone()
    }

    /// Where a value was committed: never more than once, if nothing was repeated.
    pub(crate) fn commits_of(&self, value: u64) -> &[Position] {
        self.commits.get(&value).map_or(&[], Vec::as_slice)
    }

    /// The commits after `from`, up to `to`, that touched a key that `covers`.
    pub(crate) fn commits_between(
        &self,
        from: Position,
        to: Position,
        covers: impl Fn(&str) -> bool,
    ) -> Vec<Revision> {
        assert_eq!(from.epoch, to.epoch, "one life");
        let commits = self.touched.get(&to.epoch).into_iter().flatten();
        let between =
            commits.filter(|(revision, _)| from.revision < **revision && **revision <= to.revision);
        let touching = between.filter(|(_, keys)| keys.iter().any(|key| covers(key)));
        touching.map(|(revision, _)| *revision).collect()
    }
}

pub(crate) fn text(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap()
}

pub(crate) fn number(value: &[u8]) -> u64 {
    serde_json::from_slice(value).unwrap()
}
