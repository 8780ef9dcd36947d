//! One worker: it makes one transaction after the other.
//!
//! It never reads ahead: what it reads is drawn anew each time.

use etcd_client::Client;
use globe::Globe;

use crate::Done;
use crate::stm::Stm;

/// Whose transactions they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Ours,
    ByHand,
}

pub(crate) const BOTH: [Whose; 2] = [Whose::Ours, Whose::ByHand];
pub(crate) const NAMES: [&str; 2] = ["Globe", "STM by hand"];

#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) globe: Globe<String, u64>,
    pub(crate) client: Client,
}

impl Hand {
    /// Reads all of them, and puts the first back, one larger; how often that was tried.
    pub(crate) async fn count_up(&mut self, whose: Whose, keys: &[String]) -> Done<usize> {
        match whose {
            Whose::Ours => self.in_globe(keys).await,
            Whose::ByHand => self.by_hand(keys).await,
        }
    }

    async fn in_globe(&self, keys: &[String]) -> Done<usize> {
        let mut tries = 0;
        let counting = self.globe.transact(|txn| {
            tries += 1;
            let mut read = Vec::with_capacity(keys.len());
            for key in keys {
                let value = txn.get(&self.globe, key.as_str())?;
                read.push(value.map_or(0, |value| *value));
            }
            txn.put(&self.globe, keys[0].as_str(), read[0] + 1)
        });
        counting.await?;
        Ok(tries)
    }

    async fn by_hand(&mut self, keys: &[String]) -> Done<usize> {
        let mut stm = Stm::new(&mut self.client);
        for tries in 1.. {
            let mut read = Vec::with_capacity(keys.len());
            for key in keys {
                read.push(stm.get(&format!("stm/{key}")).await?);
            }
            stm.put(format!("stm/{}", keys[0]), read[0] + 1);
            if stm.commit().await? {
                return Ok(tries);
            }
        }
        Err("it never was committed".into())
    }
}
