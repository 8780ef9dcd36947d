//! Where transactions are made: a map, a client beside it, and the numbers of each.
//!
//! It never takes a transaction's word: when all are over, what has been counted up has to be there.

use etcd_client::{Client, GetOptions};
use globe::{EtcdLog, Globe};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::hand::{Hand, Whose};
use crate::numbers::Numbers;
use crate::run::{Made, Run};
use crate::{Done, WORKERS, a_while};

pub(crate) struct Stand(Hand);

impl Stand {
    pub(crate) async fn open(endpoint: &str) -> Done<Stand> {
        let globe = Globe::open(EtcdLog::connect([endpoint]).await?, "numbers").await?;
        let mut client = Client::connect([endpoint], None).await?;
        let most = WORKERS.into_iter().max().unwrap_or_default();
        globe
            .put_all(Numbers::all(most).map(|key| (key, 0)))
            .await?;
        for key in Numbers::all(most) {
            client.put(format!("stm/{key}"), "0", None).await?;
        }
        Ok(Stand(Hand { globe, client }))
    }

    /// Each of the workers makes transactions for a while.
    pub(crate) async fn run(&self, whose: Whose, numbers: Numbers, workers: usize) -> Done<Run> {
        let before = self.total(whose).await?;
        let mut tasks = JoinSet::new();
        let begun = Instant::now();
        for worker in 0..workers {
            let mut hand = self.0.clone();
            tasks.spawn(async move {
                let mut all = Vec::new();
                while begun.elapsed() < a_while() {
                    let sent = Instant::now();
                    let tries = hand.count_up(whose, &numbers.draw(worker)).await?;
                    all.push(Made {
                        took: sent.elapsed(),
                        tries,
                        in_time: begun.elapsed() < a_while(),
                    });
                }
                Done::Ok(all)
            });
        }
        let mut run = Run::default();
        while let Some(made) = tasks.join_next().await {
            run.0.extend(made??);
        }
        let counted = self.total(whose).await? - before;
        if counted != run.0.len() as u64 {
            return Err(format!("{counted} were counted of {}", run.0.len()).into());
        }
        Ok(run)
    }

    /// All numbers together.
    async fn total(&self, whose: Whose) -> Done<u64> {
        match whose {
            Whose::Ours => Ok(self.0.globe.view().iter().map(|(_, value)| **value).sum()),
            Whose::ByHand => {
                let all = GetOptions::new().with_prefix();
                let mut client = self.0.client.clone();
                let all = client.get("stm/", Some(all)).await?;
                let numbers = all.kvs().iter();
                let numbers = numbers.map(|entry| Ok(entry.value_str()?.parse::<u64>()?));
                Ok(numbers.collect::<Done<Vec<_>>>()?.iter().sum())
            }
        }
    }
}
