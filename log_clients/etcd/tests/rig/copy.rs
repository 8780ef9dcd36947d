//! A copy of a keyspace that follows as a map does, and counts how often it had to begin again.
//!
//! Never gives up for what passes, and never goes on after anything else.

use std::collections::BTreeMap;

use globe_etcd::EtcdLog;
use globe_log_client::{
    Batch, Change, Error, ErrorKind, Keyspace, LogClient, Position, Record, Result, Tail,
};
use globe_test_support::EtcdServer;

use super::{flags, truth, when_reachable, within};

pub(crate) struct Copy {
    log: EtcdLog,
    pub(crate) keyspace: Keyspace,
    pub(crate) position: Position,
    pub(crate) records: BTreeMap<String, Record>,
    tail: Option<Tail>,
    /// How many snapshots it took after the first.
    pub(crate) resyncs: u32,
    /// How many tails broke.
    pub(crate) breaks: u32,
}

impl Copy {
    /// Takes a snapshot, and tails from it.
    pub(crate) async fn open(log: &EtcdLog) -> Copy {
        let mut copy = Copy::empty(log);
        copy.begin().await.unwrap();
        copy
    }

    /// The same, however often the log cannot be reached.
    pub(crate) async fn open_when_reachable(log: &EtcdLog) -> Copy {
        let mut copy = Copy::empty(log);
        let opening = async {
            while let Err(error) = copy.begin().await {
                assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
            }
        };
        within("a copy", opening).await;
        copy
    }

    /// That of another client, which tails from here without a snapshot of its own.
    pub(crate) async fn hand_to(&self, log: &EtcdLog) -> Copy {
        let mut copy = Copy {
            position: self.position,
            records: self.records.clone(),
            ..Copy::empty(log)
        };
        copy.open_tail().await.unwrap();
        copy
    }

    fn empty(log: &EtcdLog) -> Copy {
        Copy {
            log: log.clone(),
            keyspace: flags(),
            position: Position::default(),
            records: BTreeMap::new(),
            tail: None,
            resyncs: 0,
            breaks: 0,
        }
    }

    async fn begin(&mut self) -> Result<()> {
        self.take_snapshot().await?;
        self.open_tail().await
    }

    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let text = |record: &Record| String::from_utf8(record.value.to_vec()).unwrap();
        let records = self.records.iter();
        records
            .map(|(key, record)| (key.clone(), text(record)))
            .collect()
    }

    /// Gives up its tail, as if its process were busy elsewhere.
    pub(crate) fn look_away(&mut self) {
        self.tail = None;
    }

    async fn take_snapshot(&mut self) -> Result<()> {
        let snapshot = self.log.snapshot(&self.keyspace).await?;
        let position = snapshot.position();
        let records = snapshot.collect().await?;
        let key = |record: &Record| String::from_utf8(record.key.to_vec()).unwrap();
        self.records = records.into_iter().map(|r| (key(&r), r)).collect();
        self.position = position;
        Ok(())
    }

    async fn open_tail(&mut self) -> Result<()> {
        self.tail = Some(self.log.tail(&self.keyspace, self.position).await?);
        Ok(())
    }

    /// The next batch, applied.
    pub(crate) async fn step(&mut self) -> Result<Batch> {
        if self.tail.is_none() {
            self.open_tail().await?;
        }
        let batch = self.tail.as_mut().unwrap().next().await;
        if batch.is_err() {
            self.tail = None;
            self.breaks += 1;
        }
        let batch = batch?;
        assert!(
            batch.revision > self.position.revision,
            "{batch:?} after {}",
            self.position
        );
        self.position.revision = batch.revision;
        for change in &batch.changes {
            let key = String::from_utf8(change.key().to_vec()).unwrap();
            match change {
                Change::Put(record) => self.records.insert(key, record.clone()),
                _ => self.records.remove(&key),
            };
        }
        Ok(batch)
    }

    /// Follows up to a position, through whatever breaks on the way.
    pub(crate) async fn reach(&mut self, target: Position) {
        let follow = async {
            while !self.position.covers(target) {
                if let Err(error) = self.step().await {
                    self.recover(&error).await;
                }
            }
        };
        within("the copy reaches the log", follow).await;
    }

    /// Follows until its tail breaks, and says by what. It must not have been behind by more than what was committed.
    pub(crate) async fn until_it_breaks(&mut self) -> Error {
        let broken = async {
            loop {
                if let Err(error) = self.step().await {
                    break error;
                }
            }
        };
        within("the tail breaks", broken).await
    }

    async fn recover(&mut self, error: &Error) {
        match error.kind() {
            ErrorKind::Unavailable => {}
            ErrorKind::Compacted | ErrorKind::EpochChanged => {
                self.resyncs += 1;
                while let Err(error) = self.take_snapshot().await {
                    let is_passing = matches!(
                        error.kind(),
                        ErrorKind::Unavailable | ErrorKind::Compacted | ErrorKind::EpochChanged
                    );
                    assert!(is_passing, "{error}");
                }
            }
            _ => panic!("the tail ended for good: {error}"),
        }
    }
}

/// Waits until a copy, as it follows, holds exactly what the server holds; the server must be quiet.
pub(crate) async fn converges(copy: &mut Copy, log: &EtcdLog, server: &EtcdServer) {
    let head = when_reachable("the head", || log.head(&copy.keyspace)).await;
    copy.reach(head).await;
    assert_eq!(copy.values(), truth(server).await);
}
