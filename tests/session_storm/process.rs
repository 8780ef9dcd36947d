//! One process of a storm: a map, a session that is closed and begun anew, and workers, each with keys of its own.
//!
//! It writes down what it was told, and judges nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use globe::{Error, ErrorKind, Globe, Result, Session, SessionEvent};
use tokio::sync::RwLock;
use tokio::time::{sleep, timeout};

use crate::expected::{Expected, Told, Write};
use crate::way::Way;

pub(crate) type Numbers = Globe<String, u64>;

/// How long anything may take to begin.
const BOUND: Duration = Duration::from_secs(600);

/// What stands at each key of a process, as far as it was told.
pub(crate) type Book = Arc<Mutex<BTreeMap<String, Expected>>>;

#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) way: Way,
    pub(crate) map: Numbers,
    pub(crate) session: Arc<RwLock<Session>>,
    pub(crate) book: Book,
    ttl: Duration,
    name: String,
}

/// The keys of each worker.
const KEYS: usize = 4;

impl Process {
    pub(crate) async fn begin(name: String, way: Way, ttl: Duration) -> Process {
        let map = Globe::builder(way.clone(), "numbers").open_timeout(BOUND);
        let book = Book::default();
        Process {
            map: map.open().await.unwrap(),
            session: Arc::new(RwLock::new(session(&way, ttl, &book).await)),
            way,
            book,
            ttl,
            name,
        }
    }

    /// Writes at random under keys of its own.
    pub(crate) async fn work(self, worker: usize, mut rng: Rng, writes: usize) {
        let keys: Vec<String> = (0..KEYS)
            .map(|key| format!("{}/{worker}/{key}", self.name))
            .collect();
        for key in &keys {
            self.note(key, |_| {});
        }
        for _ in 0..writes {
            let pause = rng.u64(..1500);
            sleep(Duration::from_millis(pause)).await;
            // A close waits for what is under way, and what comes then is of the next session.
            let session = self.session.read().await;
            self.write(&session, &keys, &mut rng).await;
        }
    }

    async fn write(&self, session: &Session, keys: &[String], rng: &mut Rng) {
        let value = rng.u64(1..1_000_000);
        let key = &keys[rng.usize(..keys.len())];
        let hasty = Duration::from_millis(rng.u64(100..8_000));
        let map = self.map.with_deadline(hasty);
        let patience = match rng.u8(..4) {
            0 => Duration::from_millis(rng.u64(..300)),
            _ => BOUND,
        };
        let (write, outcome) = match rng.u8(..10) {
            0..=2 => {
                let put = map.put_ephemeral(session, key.as_str(), value);
                (
                    Write::Ephemeral(value),
                    timeout(patience, drained(put)).await,
                )
            }
            3 => {
                let create = map.create_ephemeral(session, key.as_str(), value);
                (
                    Write::Ephemeral(value),
                    timeout(patience, drained(create)).await,
                )
            }
            4 => {
                let put = map.put(key.as_str(), value);
                (Write::Put(value), timeout(patience, drained(put)).await)
            }
            5 => {
                let update = map.update(key, |_| value);
                (Write::Put(value), timeout(patience, drained(update)).await)
            }
            6 => {
                let put = map.put_detached(key.as_str(), value);
                (
                    Write::Detached(value),
                    timeout(patience, drained(put)).await,
                )
            }
            7 | 8 => {
                let delete = map.delete(key);
                (Write::Delete, timeout(patience, drained(delete)).await)
            }
            _ => {
                return self
                    .transact(&map, session, (keys, value), patience, rng)
                    .await;
            }
        };
        self.note(key, |expected| expected.told(write, told(outcome)));
    }

    /// Writes one key and deletes another.
    async fn transact(
        &self,
        map: &Numbers,
        session: &Session,
        (keys, value): (&[String], u64),
        patience: Duration,
        rng: &mut Rng,
    ) {
        let first = rng.usize(..keys.len());
        let put = keys[first].as_str();
        let deleted = keys[(first + 1) % keys.len()].as_str();
        let both = map.transact(|txn| {
            txn.put_ephemeral(map, session, put, value)?;
            txn.delete(map, deleted)
        });
        let told = told(timeout(patience, drained(both)).await);
        self.note(put, |expected| expected.told(Write::Ephemeral(value), told));
        self.note(deleted, |expected| expected.told(Write::Delete, told));
    }

    /// Ends its session, and begins another one.
    pub(crate) async fn begin_anew(&self) {
        let mut current = self.session.write().await;
        let _ = current.close().await;
        for expected in self.book.lock().unwrap().values_mut() {
            expected.session_ended();
        }
        *current = session(&self.way, self.ttl, &self.book).await;
    }

    pub(crate) fn note(&self, key: &str, note: impl FnOnce(&mut Expected)) {
        let mut book = self.book.lock().unwrap();
        let expected = book.entry(key.to_owned());
        note(expected.or_insert_with(Expected::nothing));
    }
}

/// A session, and a task that writes down what it says it has given up.
async fn session(way: &Way, ttl: Duration, book: &Book) -> Session {
    let builder = Session::builder(way.clone()).ttl(ttl).open_timeout(BOUND);
    let session = builder.open().await.unwrap();
    let (mut events, book) = (session.events(), Arc::clone(book));
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let given_up: Vec<String> = match event {
                SessionEvent::Displaced { key, .. } => vec![key],
                SessionEvent::Restored { kept_out, .. } => {
                    kept_out.iter().map(|(_, key)| key.clone()).collect()
                }
                _ => vec![],
            };
            let mut book = book.lock().unwrap();
            for key in given_up {
                book.entry(key).or_insert_with(Expected::nothing).given_up();
            }
        }
    });
    session
}

async fn drained<T>(write: impl Future<Output = Result<T>>) -> Result<()> {
    write.await.map(drop)
}

/// What its caller knows of a write that was answered like this, or dropped.
fn told(outcome: std::result::Result<Result<()>, tokio::time::error::Elapsed>) -> Told {
    match outcome {
        Ok(Ok(())) => Told::Done,
        Ok(Err(error)) if is_done(&error) => Told::Done,
        Ok(Err(error)) if !error.may_be_committed() => Told::Refused,
        Ok(Err(_)) | Err(_) => Told::Unknown,
    }
}

fn is_done(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Behind(_))
}
