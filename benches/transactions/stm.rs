//! A software transactional memory over etcd-client, as etcd's `concurrency.NewSTM` for Go is at its default (serializable, with
//! snapshots): step by step what that sends.
//!
//! It keeps nothing between transactions, and never pauses before it tries again.

use std::collections::HashMap;

use etcd_client::{Client, Compare, CompareOp, GetOptions, GetResponse, Txn, TxnOp, TxnOpResponse};

use crate::Done;

/// What was read of a key.
#[derive(Clone, Copy)]
struct Read {
    value: u64,
    /// The revision of the key; 0 where there is none.
    modified: i64,
    /// The revision of the answer.
    at: i64,
}

pub(crate) struct Stm<'a> {
    client: &'a mut Client,
    reads: HashMap<String, Read>,
    writes: HashMap<String, u64>,
    /// What a refused commit has read for the next attempt.
    fetched: HashMap<String, Read>,
    /// The revision that all are read at after the first.
    snapshot: Option<i64>,
}

impl Stm<'_> {
    pub(crate) fn new(client: &mut Client) -> Stm<'_> {
        Stm {
            client,
            reads: HashMap::new(),
            writes: HashMap::new(),
            fetched: HashMap::new(),
            snapshot: None,
        }
    }

    pub(crate) async fn get(&mut self, key: &str) -> Done<u64> {
        if let Some(value) = self.writes.get(key) {
            return Ok(*value);
        }
        let is_first = self.reads.is_empty();
        let read = match (self.fetched.remove(key), self.reads.get(key)) {
            (Some(read), _) => read,
            (None, Some(read)) => *read,
            (None, None) => self.fetch(key).await?,
        };
        self.reads.insert(key.to_owned(), read);
        if is_first {
            self.snapshot = Some(read.at);
        }
        Ok(read.value)
    }

    /// The first linearizable, each later one at its revision.
    async fn fetch(&mut self, key: &str) -> Done<Read> {
        let at = |revision| {
            GetOptions::new()
                .with_revision(revision)
                .with_serializable()
        };
        let get = TxnOp::get(key, self.snapshot.map(at));
        let answer = self.client.txn(Txn::new().and_then([get])).await?;
        let at = answer.header().ok_or("no header")?.revision();
        match &answer.op_responses()[..] {
            [TxnOpResponse::Get(got)] => read(got, at),
            other => Err(format!("{other:?} is not what was read").into()),
        }
    }

    pub(crate) fn put(&mut self, key: String, value: u64) {
        self.writes.insert(key, value);
    }

    /// Whether it was committed. If not, another attempt begins.
    pub(crate) async fn commit(&mut self) -> Done<bool> {
        let first = self.reads.values().map(|read| read.at).min();
        let first = first.unwrap_or(i64::MAX - 1);
        let stands = self.reads.iter().map(|(key, read)| {
            Compare::mod_revision(key.as_str(), CompareOp::Equal, read.modified)
        });
        let older = self
            .writes
            .keys()
            .map(|key| Compare::mod_revision(key.as_str(), CompareOp::Less, first + 1));
        let writes = self.writes.iter();
        let puts = writes.map(|(key, value)| TxnOp::put(key.as_str(), value.to_string(), None));
        let keys: Vec<String> = self.reads.keys().cloned().collect();
        let gets = keys.iter().map(|key| TxnOp::get(key.as_str(), None));
        let transaction = Txn::new()
            .when(stands.chain(older).collect::<Vec<_>>())
            .and_then(puts.collect::<Vec<_>>())
            .or_else(gets.collect::<Vec<_>>());
        let answer = self.client.txn(transaction).await?;
        if answer.succeeded() {
            return Ok(true);
        }
        let at = answer.header().ok_or("no header")?.revision();
        self.reads.clear();
        self.writes.clear();
        self.snapshot = None;
        for (key, response) in keys.into_iter().zip(answer.op_responses()) {
            if let TxnOpResponse::Get(got) = response {
                self.fetched.insert(key, read(&got, at)?);
            }
        }
        Ok(false)
    }
}

fn read(got: &GetResponse, at: i64) -> Done<Read> {
    let Some(entry) = got.kvs().first() else {
        let (value, modified) = (0, 0);
        return Ok(Read {
            value,
            modified,
            at,
        });
    };
    Ok(Read {
        value: entry.value_str()?.parse()?,
        modified: entry.mod_revision(),
        at,
    })
}
