//! A session on each node, with an entry that stands as long as it does; and whether what it says of itself is so.
//!
//! Never asks Globe what stands in the log: a bare client reads that, linearizably, from whichever member answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use etcd_client::Client;
use futures::FutureExt;
use globe::{ErrorKind, EtcdLog, Globe, Loss, Session, SessionEvent, SessionEvents, SessionState};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::ear::Source;
use crate::scenario::Scenario;
use crate::site::{SESSIONS, Site, TTL};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long a member may take to answer. The next is asked after that.
const ANSWER: Duration = Duration::from_millis(500);
/// Of each session, so many things that are wrong are told.
const TOLD: usize = 5;
/// When half of the sessions are closed, whatever is broken then.
const CLOSE: Duration = Duration::from_secs(2);

/// The sessions of a round.
#[derive(Debug)]
pub(crate) struct Presence {
    stop: watch::Sender<Option<Instant>>,
    lookers: JoinSet<Vec<String>>,
}

/// What is promised of the sessions in a scenario.
#[derive(Clone, Debug)]
struct Promise {
    /// No lease ends: a node that knows all members reaches one all the time.
    no_loss: bool,
    /// The log has one life, so that who is live by its clocks has what it wrote, and who has closed has nothing.
    no_other_life: bool,
    /// Nobody else ends its leases, nor deletes its entries.
    no_meddler: bool,
    /// Not even a member that takes itself for the leader.
    in_doubt: Arc<AtomicBool>,
}

impl Promise {
    /// A lease that lives is not ended by anybody.
    fn keeps_leases(&self) -> bool {
        self.no_meddler && !self.in_doubt.load(Ordering::SeqCst)
    }
}

/// One session, its entry, and who looks at them.
struct Looker {
    key: String,
    session: Session,
    events: SessionEvents,
    map: Globe<String, u64>,
    reader: Reader,
    promise: Promise,
    /// How often it was looked, when it was live.
    samples: usize,
    wrong: Vec<String>,
}

impl Presence {
    /// Opens two sessions on each node, of which one is closed in the middle of the round.
    pub(crate) async fn open(site: &mut Site, scenario: &Scenario) -> Presence {
        let (stop, stopped) = watch::channel(None);
        let mut lookers = JoinSet::new();
        let sources = site.sources();
        for (node, log) in site.logs.iter().enumerate() {
            let promise = Promise {
                no_loss: scenario.is_seamless && site.knows_all(node),
                no_other_life: !scenario.rewrites_history,
                no_meddler: !scenario.has_meddlers,
                in_doubt: Arc::clone(&site.in_doubt),
            };
            for leaves in [false, true] {
                let key = format!("node-{node}-{}", if leaves { "leaves" } else { "stays" });
                let reader = Reader::new(sources.clone());
                let looker = Looker::open(log, key, reader, promise.clone()).await;
                let looker = looker.expect("a session on a healthy cluster");
                let close = leaves.then(|| Instant::now() + CLOSE);
                lookers.spawn(looker.run(close, stopped.clone()));
            }
        }
        Presence { stop, lookers }
    }

    /// Everything is mended: what was wrong, or is not right in time.
    pub(crate) async fn finish(mut self, bound: Duration) -> Vec<String> {
        self.stop.send_replace(Some(Instant::now() + bound));
        let mut wrong = Vec::new();
        while let Some(looked) = self.lookers.join_next().await {
            wrong.extend(looked.expect("no panic"));
        }
        wrong
    }
}

impl Looker {
    async fn open(
        log: &EtcdLog,
        key: String,
        reader: Reader,
        promise: Promise,
    ) -> globe::Result<Looker> {
        let map: Globe<String, u64> = Globe::open(log.clone(), SESSIONS).await?;
        let session = Session::builder(log.clone()).ttl(TTL).open().await?;
        let events = session.events();
        map.put_ephemeral(&session, key.as_str(), 1).await?;
        Ok(Looker {
            key,
            session,
            events,
            map,
            reader,
            promise,
            samples: 0,
            wrong: Vec::new(),
        })
    }

    /// Looks until everything is mended, and closes the session in time; then whether that ends well. What was wrong.
    async fn run(
        mut self,
        close: Option<Instant>,
        stopped: watch::Receiver<Option<Instant>>,
    ) -> Vec<String> {
        let mut closed = None;
        let deadline = loop {
            if let Some(deadline) = *stopped.borrow() {
                break deadline;
            }
            let is_due = close.is_some_and(|close| Instant::now() >= close);
            if is_due && closed.is_none() {
                closed = Some(self.close().await);
            }
            match closed {
                None => self.look().await,
                Some(is_revoked) => self.look_after(is_revoked).await,
            }
            sleep(LOOK).await;
        };
        if closed.is_none() {
            self.stands_by(deadline).await;
            self.close().await;
        }
        self.is_gone_by(deadline).await;
        self.map.close().await;
        self.wrong
    }

    fn is_wrong(&mut self, what: impl fmt::Display) {
        if self.wrong.len() < TOLD {
            self.wrong.push(format!("{}: {what}", self.key));
        }
    }

    /// Who says that it is live, at both ends of a linearizable read, has its entry in it.
    async fn look(&mut self) {
        self.listen();
        if self.session.state() != SessionState::Live {
            return;
        }
        let Some(stands) = self.reader.read(&self.key).await else {
            return;
        };
        let was_live = !self.listen() && self.session.state() == SessionState::Live;
        if was_live {
            self.samples += 1;
            if !stands && self.promise.no_other_life && self.promise.keeps_leases() {
                self.is_wrong("its session is live, and its entry is not there");
            }
        }
    }

    /// Who has closed its session, and was told that all is revoked, has no entry.
    async fn look_after(&mut self, is_revoked: bool) {
        self.listen();
        let stands = self.reader.read(&self.key).await;
        if stands == Some(true) && is_revoked && self.promise.no_other_life {
            self.is_wrong("its session is closed, and its entry is there");
        }
    }

    /// Hears what has happened; whether it was anything but live meanwhile.
    fn listen(&mut self) -> bool {
        let mut was_away = false;
        while let Some(Some(event)) = self.events.next().now_or_never() {
            was_away = true;
            match event {
                SessionEvent::Lost(Loss::Closed) => {}
                SessionEvent::Lost(loss) if self.promise.no_loss && self.promise.keeps_leases() => {
                    self.is_wrong(format!("it was lost: {loss}"));
                }
                SessionEvent::Restored { kept_out, .. } if !kept_out.is_empty() => {
                    self.is_wrong("its entry was not put back, although nobody else has it");
                }
                SessionEvent::Displaced { .. } => {
                    self.is_wrong("its entry was displaced, although nobody else has it");
                }
                _ => {}
            }
        }
        was_away
    }

    /// Closes the session; whether its leases are revoked.
    async fn close(&mut self) -> bool {
        match self.session.close().await {
            Ok(()) => true,
            Err(error) => {
                if *error.kind() != ErrorKind::Unavailable {
                    self.is_wrong(format!("it was closed: {error}"));
                }
                false
            }
        }
    }

    /// It is live again, and its entry stands. Not at once: in another life of the log it says that it is live until it has
    /// heard of that.
    async fn stands_by(&mut self, deadline: Instant) {
        loop {
            let before = self.samples;
            self.look().await;
            let was_live = self.samples > before;
            if was_live && self.reader.read(&self.key).await == Some(true) {
                return;
            }
            if Instant::now() > deadline {
                let status = self.session.status();
                self.is_wrong(match was_live {
                    true => "its entry is not there although all is mended".to_owned(),
                    false => format!("it is not live although all is mended: {status:?}"),
                });
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Its entry is gone, at once or by the time of its lease.
    async fn is_gone_by(&mut self, deadline: Instant) {
        while self.reader.read(&self.key).await != Some(false) {
            if Instant::now() > deadline {
                self.is_wrong("its entry is still there although it was closed");
                return;
            }
            sleep(LOOK).await;
        }
    }
}

/// Reads one key of the log, linearizably, from the member that answered last, or another.
struct Reader {
    sources: Vec<Source>,
    asked: usize,
    client: Option<Client>,
}

impl Reader {
    fn new(sources: Vec<Source>) -> Reader {
        Reader {
            sources,
            asked: 0,
            client: None,
        }
    }

    /// Whether a key stands; nothing when no member says so in time.
    async fn read(&mut self, key: &str) -> Option<bool> {
        for _ in 0..self.sources.len() {
            let answer = timeout(ANSWER, self.ask(key)).await;
            if let Ok(Ok(stands)) = answer {
                return Some(stands);
            }
            self.client = None;
            self.asked = (self.asked + 1) % self.sources.len();
        }
        None
    }

    async fn ask(&mut self, key: &str) -> Result<bool, etcd_client::Error> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.sources[self.asked].connect().await?,
        };
        let answer = client.get(format!("{SESSIONS}/{key}"), None).await?;
        self.client = Some(client);
        Ok(!answer.kvs().is_empty())
    }
}
