//! Writes of single keys, in every form the map has.
//!
//! It touches only the keys `k…`, so that each of them is a register.

use globe::{Entry, Position, Revision, Version};
use tokio::time::{Duration, timeout};

use super::Map;
use super::client::{Client, place};
use super::recording::{failure, outcome};
use crate::history::{Action, Outcome, Value};

/// How many keys are seldom written.
const COLD: usize = 20;

impl Client {
    pub(crate) async fn write(&mut self) {
        let map = self.map();
        let key = format!("k{}", self.rng.usize(..self.keys));
        match self.rng.u8(..100) {
            0..35 => self.put(&map, &key).await,
            35..45 => self.create(&map, &key).await,
            45..60 => self.put_if(&map, &key).await,
            60..70 => self.delete(&map, &key).await,
            70..76 => self.delete_if(&map, &key).await,
            76..88 => self.update(&map, &key).await,
            88..94 => self.put_all(&map).await,
            _ => self.abandoned_put(&map, &key).await,
        }
    }

    /// Writes a key that is seldom written, where what was left behind finds everything as it was, and could land late.
    pub(crate) async fn write_cold(&mut self) {
        let map = self.map();
        let key = format!("k{}", self.keys + self.rng.usize(..COLD));
        match self.rng.u8(..4) {
            0 => self.delete(&map, &key).await,
            1 => self.create(&map, &key).await,
            _ => self.put(&map, &key).await,
        }
    }

    async fn put(&mut self, map: &Map, key: &str) {
        let mut underway = self.begin(Action::Put(place(map, key)));
        let value = underway.attempt();
        let returned = map.put(key, value).await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    async fn create(&mut self, map: &Map, key: &str) {
        let mut underway = self.begin(Action::Create(place(map, key)));
        let value = underway.attempt();
        let returned = map.create(key, value).await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    /// A version to compare with: usually what stands there, sometimes a wrong one.
    fn expected(&mut self, map: &Map, key: &str) -> Version {
        let view = map.view();
        let stands = view.get(key).is_some();
        let version = match view.get_entry(key) {
            Some(entry) => entry.version(),
            None => Version::new(view.position().epoch, Revision(1)),
        };
        let wrong = u64::from(stands && version.revision().0 > 1 && self.rng.u8(..8) == 0);
        Version::new(version.epoch(), Revision(version.revision().0 - wrong))
    }

    async fn put_if(&mut self, map: &Map, key: &str) {
        let version = self.expected(map, key);
        let revision = version.revision().0;
        let mut underway = self.begin(Action::PutIf(place(map, key), revision));
        let value = underway.attempt();
        let returned = map.put_if(key, value, version).await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    async fn delete(&mut self, map: &Map, key: &str) {
        let underway = self.begin(Action::Delete(place(map, key)));
        let outcome = match map.delete(key).await {
            Ok(deleted) if deleted.replaced() => Outcome::Done(None),
            Ok(_) => Outcome::Nothing,
            Err(error) => failure(&error),
        };
        underway.ends(outcome);
    }

    async fn delete_if(&mut self, map: &Map, key: &str) {
        let version = self.expected(map, key);
        let revision = version.revision().0;
        let underway = self.begin(Action::DeleteIf(place(map, key), revision));
        let returned = map.delete_if(key, version).await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    async fn update(&mut self, map: &Map, key: &str) {
        let target = place(map, key);
        let mut underway = self.begin(Action::Update(target.clone(), None));
        let returned = map
            .update(key, |old| {
                let read = old.map(|old| old.tag.clone());
                underway.does(Action::Update(target.clone(), read));
                underway.attempt()
            })
            .await;
        let position = |entry: Entry<Value>| {
            let version = entry.version();
            Some(Position::new(version.epoch(), version.revision()))
        };
        underway.ends(outcome(returned.map(position)));
    }

    async fn put_all(&mut self, map: &Map) {
        let count = self.rng.usize(1..=self.keys.max(1));
        let keys: Vec<String> = (0..count).map(|number| format!("k{number}")).collect();
        let places = keys.iter().map(|key| place(map, key)).collect();
        let mut underway = self.begin(Action::PutAll(places));
        let value = underway.attempt();
        let entries = keys.into_iter().map(|key| (key, value.clone()));
        let returned = map.put_all(entries).await;
        underway.ends(outcome(returned.map(|all| all.position())));
    }

    /// A put whose caller loses patience.
    async fn abandoned_put(&mut self, map: &Map, key: &str) {
        let patience = Duration::from_micros(self.rng.u64(..5_000));
        let mut underway = self.begin(Action::Put(place(map, key)));
        let value = underway.attempt();
        let outcome = match timeout(patience, map.put(key, value)).await {
            Ok(returned) => outcome(returned.map(|it| Some(it.position()))),
            Err(_) => Outcome::Never,
        };
        underway.ends(outcome);
    }
}
