//! Ways to have a keyspace of etcd at hand, or at least to read it.
//!
//! Each reads all of it, and none goes on following it while it is measured.

use std::collections::HashMap;
use std::sync::Arc;

use etcd_client::{Client, KeyValue};
use globe::{EtcdLog, Globe};
use globe_bench::{Done, Reflected};
use serde::de::DeserializeOwned;
use tokio::time::Duration;

use crate::pages::{Ends, read};

/// How long the largest may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    /// Globe's map.
    Globe,
    /// Pages that are dropped.
    Ranges(Ends),
    /// A map of counted values, of pages whose ends are known.
    HashMap,
    /// The store of a reflector, of the same pages: an object for each record.
    Store,
}

/// What is kept of a keyspace: it is measured while this is there.
pub(crate) enum Kept<V> {
    Globe(Globe<String, V>),
    Nothing,
    HashMap(HashMap<String, Arc<V>>),
    Store(Reflected),
}

/// Where the records are.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) log: EtcdLog,
    pub(crate) client: Client,
    pub(crate) keyspace: &'static str,
    pub(crate) entries: usize,
}

/// What values are made of.
pub(crate) trait Value:
    DeserializeOwned + serde::Serialize + ToString + Send + Sync + 'static
{
}

impl<V: DeserializeOwned + serde::Serialize + ToString + Send + Sync + 'static> Value for V {}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Globe => "Globe",
            Subject::Ranges(Ends::Counted) => "bare ranges",
            Subject::Ranges(Ends::Known) => "ranges of known ends",
            Subject::HashMap => "`HashMap` of these",
            Subject::Store => "kube-runtime's `Store` of these",
        }
    }
}

impl Source {
    pub(crate) async fn connect(
        endpoint: &str,
        keyspace: &'static str,
        entries: usize,
    ) -> Done<Source> {
        Ok(Source {
            log: EtcdLog::connect([endpoint]).await?,
            client: Client::connect([endpoint], None).await?,
            keyspace,
            entries,
        })
    }

    /// Reads all, and keeps what that subject keeps.
    pub(crate) async fn take<V: Value>(&self, subject: Subject) -> Done<Kept<V>> {
        match subject {
            Subject::Globe => {
                let opening = Globe::builder(self.log.clone(), self.keyspace);
                Ok(Kept::Globe(opening.open_timeout(PATIENCE).open().await?))
            }
            Subject::Ranges(ends) => {
                self.pages(ends, |_| Ok(())).await?;
                Ok(Kept::Nothing)
            }
            Subject::HashMap => {
                let mut map = HashMap::new();
                let add = |record: &KeyValue| {
                    let (key, value) = self.decoded(record)?;
                    map.insert(key, Arc::new(value));
                    Ok(())
                };
                self.records(add).await?;
                Ok(Kept::HashMap(map))
            }
            Subject::Store => {
                let mut store = Reflected::begun();
                let add = |record: &KeyValue| {
                    let (key, value): (String, V) = self.decoded(record)?;
                    store.list(&key, value.to_string());
                    Ok(())
                };
                self.records(add).await?;
                store.done();
                Ok(Kept::Store(store))
            }
        }
    }

    async fn records(&self, mut add: impl FnMut(&KeyValue) -> Done) -> Done {
        self.pages(Ends::Known, |page| page.iter().try_for_each(&mut add))
            .await
    }

    async fn pages(&self, ends: Ends, look: impl FnMut(&[KeyValue]) -> Done) -> Done {
        let mut client = self.client.clone();
        read(&mut client, self.keyspace, self.entries, ends, look).await
    }

    fn decoded<V: Value>(&self, record: &KeyValue) -> Done<(String, V)> {
        let key = record.key_str()?.strip_prefix(self.keyspace);
        let key = key.and_then(|key| key.strip_prefix('/'));
        let key = key.ok_or("a key of another keyspace")?.to_owned();
        Ok((key, serde_json::from_slice(record.value())?))
    }

    /// Takes leave of what was kept, and says whether it was all.
    pub(crate) async fn leave<V: Value>(&self, kept: Kept<V>) -> Done {
        let count = match &kept {
            Kept::Globe(globe) => globe.len(),
            Kept::HashMap(map) => map.len(),
            Kept::Store(store) => store.store().len(),
            // Who reads pages has counted.
            Kept::Nothing => self.entries,
        };
        if let Kept::Globe(globe) = &kept {
            globe.close().await;
        }
        drop(kept);
        match count == self.entries {
            true => Ok(()),
            false => Err(format!("{count} entries of {}", self.entries).into()),
        }
    }
}
