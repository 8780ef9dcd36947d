//! Callers of `sync` and `view_at`, who then look.
//!
//! It writes nothing.

use globe::Consistency;
use tokio::time::Duration;

use super::Map;
use super::client::Client;
use super::recording::{failure, shown};
use crate::history::{Action, Asked, At, Outcome, Read};

impl Client {
    pub(crate) async fn wait(&mut self) {
        let map = self.map();
        match self.rng.u8(..10) {
            0..4 => self.sync(&map).await,
            4..6 => {
                let (asked, consistency) = (Asked::Linearizable, Consistency::Linearizable);
                self.view_at(&map, asked, consistency).await;
            }
            6..8 => {
                let Some(position) = self.board.read(map.keyspace().as_str()) else {
                    return;
                };
                let consistency = Consistency::AtLeast(position);
                self.view_at(&map, Asked::AtLeast(position), consistency)
                    .await;
            }
            _ => {
                let micros = self.rng.u64(1..2_000_000);
                let within = Consistency::Within(Duration::from_micros(micros));
                self.view_at(&map, Asked::Within(micros), within).await;
            }
        }
    }

    async fn sync(&mut self, map: &Map) {
        let underway = self.begin(Action::Sync(map.keyspace().to_string()));
        let outcome = match map.sync().await {
            Ok(position) => Outcome::Done(Some(position)),
            Err(error) => failure(&error),
        };
        underway.ends(outcome);
        self.look(map);
    }

    /// What is seen is recorded with the position it is true at, as the answer.
    async fn view_at(&mut self, map: &Map, asked: Asked, consistency: Consistency) {
        let call = self.recorder.now();
        let underway = self.begin(Action::ViewAt(map.keyspace().to_string(), asked));
        let (outcome, seen) = match map.view_at(consistency).await {
            Ok(view) => {
                let position = view.position();
                let read = Read::View(position, shown(&view));
                (Outcome::Done(Some(position)), Some(read))
            }
            Err(error) => (failure(&error), None),
        };
        underway.ends(outcome);
        if let Some(read) = seen {
            self.sampled(map, call, read);
        }
    }

    /// A view right afterwards.
    fn look(&mut self, map: &Map) {
        let call = self.recorder.now();
        let view = map.view();
        self.sampled(map, call, Read::View(view.position(), shown(&view)));
    }

    fn sampled(&self, map: &Map, call: At, read: Read) {
        let node = u32::try_from(self.home).unwrap_or(u32::MAX);
        let seen = (call, self.recorder.now());
        let who = (self.number, node);
        self.recorder.sample(who, map.keyspace(), seen, read);
    }
}
