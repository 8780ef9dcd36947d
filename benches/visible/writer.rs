//! Who puts, in every way there is.
//!
//! It never waits until somebody else has seen it.

use std::collections::HashMap;

use etcd_client::{Client, WatchOptions};
use globe::{EtcdLog, Globe};
use globe_bench::{Done, guarded_put};

use crate::put::Put;

/// One who puts by himself, with others of the same process or alone.
pub(crate) struct Writer {
    globe: Globe<String, u64>,
    client: Client,
    lease: i64,
    /// By hand: the slot, where it is, and where what was written is.
    slot: String,
    slot_at: i64,
    at: HashMap<String, i64>,
}

impl Writer {
    /// Opens what the writers of a process share.
    pub(crate) async fn open(endpoint: &str) -> Done<Writer> {
        let log = EtcdLog::connect([endpoint]).await?;
        let globe = Globe::open(log, "latency").await?;
        let mut client = Client::connect([endpoint], None).await?;
        let lease = client.lease_grant(3_600, None).await?.id();
        let options = WatchOptions::new().with_prefix();
        let mut watch = client.watch("raw/by-hand/", Some(options)).await?;
        tokio::spawn(async move { while let Ok(Some(_)) = watch.message().await {} });
        Ok(Writer::of(globe, client, lease, "slots/probe"))
    }

    /// Another, of the same process: it has a slot of its own, and nothing else.
    pub(crate) fn other(&self) -> Writer {
        Writer::of(
            self.globe.clone(),
            self.client.clone(),
            self.lease,
            "slots/noise",
        )
    }

    fn of(globe: Globe<String, u64>, client: Client, lease: i64, slot: &str) -> Writer {
        Writer {
            globe,
            client,
            lease,
            slot: slot.to_owned(),
            slot_at: 0,
            at: HashMap::new(),
        }
    }

    /// Puts a number.
    pub(crate) async fn put(&mut self, put: Put, key: &str, number: usize) -> Done {
        let value = number.to_string();
        match put {
            Put::Ours => drop(self.globe.put(key, number as u64).await?),
            Put::ByHand => {
                self.put_by_hand(format!("raw/by-hand/{key}"), value)
                    .await?
            }
            Put::Bare => drop(self.client.put(format!("raw/{key}"), value, None).await?),
            Put::Foreign => {
                let key = format!("latency/{key}");
                drop(self.client.put(key, value, None).await?);
            }
        }
        Ok(())
    }

    async fn put_by_hand(&mut self, key: String, value: String) -> Done {
        let revision = self.at.get(&key).copied().unwrap_or(0);
        let slot = (self.slot.as_str(), Some(self.slot_at));
        let transaction = guarded_put((&key, Some(revision)), &value, slot, self.lease);
        let answer = self.client.txn(transaction).await?;
        if !answer.succeeded() {
            return Err(format!("{key} was not as it was left").into());
        }
        self.slot_at = answer.header().ok_or("no header")?.revision();
        self.at.insert(key, self.slot_at);
        Ok(())
    }
}
