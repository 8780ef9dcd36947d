//! The truth as one member tells it, heard by a bare etcd watch.
//!
//! Nothing of Globe is in it: what Globe would get wrong, this would not get wrong in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::{
    Certificate, Client, ConnectOptions, EventType, GetOptions, KeyValue, TlsOptions, WatchOptions,
    WatchStream,
};
use globe::{Epoch, Position, Revision};
use globe_oracle::{Base, Commit, Event, Recorder, Stored, Value, folded};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Written when a run is over: who has heard it, has heard everything before.
const LAST: &str = "~last";
/// Between two attempts to reach a member.
const AGAIN: Duration = Duration::from_millis(50);

/// How a member is reached and asked.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) endpoint: String,
    pub(crate) login: Option<(String, String)>,
    /// Who signed its certificate, if it speaks TLS.
    pub(crate) authority: Option<String>,
}

impl Source {
    pub(crate) async fn connect(&self) -> Result<Client, etcd_client::Error> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(Duration::from_secs(1))
            .with_keep_alive(Duration::from_secs(6), Duration::from_secs(2))
            .with_keep_alive_while_idle(true);
        if let Some((user, password)) = &self.login {
            options = options.with_user(user, password);
        }
        if let Some(authority) = &self.authority {
            let authority = Certificate::from_pem(authority);
            let tls = TlsOptions::new().ca_certificate(authority);
            // What its certificate names, wherever it runs.
            options = options.with_tls(tls.domain_name("localhost"));
        }
        Client::connect([&self.endpoint], Some(options)).await
    }
}

/// Listens to every keyspace at every member.
#[derive(Debug)]
pub(crate) struct Ears {
    sources: Vec<Source>,
    keyspaces: Vec<&'static str>,
    heard: Vec<watch::Receiver<bool>>,
    listening: JoinSet<()>,
}

/// What listens to one keyspace at one member.
struct Ear {
    source: Source,
    keyspace: &'static str,
    epoch: Epoch,
    revision: i64,
    recorder: Recorder,
    heard: watch::Sender<bool>,
}

impl Ears {
    /// Everything committed after this returned is heard from each member, unless it forgets it first.
    pub(crate) async fn listen(
        sources: Vec<Source>,
        keyspaces: &[&'static str],
        epoch: Epoch,
        recorder: &Recorder,
    ) -> Ears {
        let mut ears = Ears {
            sources: sources.clone(),
            keyspaces: keyspaces.to_vec(),
            heard: Vec::new(),
            listening: JoinSet::new(),
        };
        for source in sources {
            for keyspace in keyspaces {
                let (heard, receiver) = watch::channel(false);
                let mut ear = Ear {
                    source: source.clone(),
                    keyspace,
                    epoch,
                    revision: 0,
                    recorder: recorder.clone(),
                    heard,
                };
                ear.begin().await.expect("the truth of a healthy member");
                ears.heard.push(receiver);
                ears.listening.spawn(ear.run());
            }
        }
        ears
    }

    /// Waits until every member told everything; how many keyspaces of members did not.
    pub(crate) async fn finish(mut self, bound: Duration) -> usize {
        let deadline = Instant::now() + bound;
        for keyspace in &self.keyspaces {
            while Instant::now() < deadline && !self.write_last(keyspace).await {
                sleep(AGAIN).await;
            }
        }
        let mut deaf = 0;
        for heard in &mut self.heard {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let all = timeout(remaining, heard.wait_for(|heard| *heard)).await;
            deaf += usize::from(!matches!(all, Ok(Ok(_))));
        }
        self.listening.shutdown().await;
        deaf
    }

    async fn write_last(&self, keyspace: &str) -> bool {
        for source in &self.sources {
            let Ok(mut client) = source.connect().await else {
                continue;
            };
            let key = format!("{keyspace}/{LAST}");
            let put = client.put(key, "{\"tag\":\"last\"}", None);
            if let Ok(Ok(_)) = timeout(Duration::from_secs(2), put).await {
                return true;
            }
        }
        false
    }
}

impl Ear {
    async fn run(mut self) {
        loop {
            // A compaction ends a watch; so does the death of its member.
            if let Ok(true) = self.hear().await {
                return;
            }
            sleep(AGAIN).await;
        }
    }

    /// Takes everything as it is: the truth begins here.
    async fn begin(&mut self) -> Result<(), etcd_client::Error> {
        let client = self.source.connect().await?;
        let mut client = client.kv_client().max_decoding_message_size(1 << 30);
        let prefix = format!("{}/", self.keyspace);
        let all = client.get(prefix, Some(GetOptions::new().with_prefix()));
        let answer = timeout(Duration::from_secs(5), all).await;
        let late = |_| etcd_client::Error::WatchError("late".into());
        let answer = answer.map_err(late)??;
        let position = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        self.revision = position;
        let records = folded(answer.kvs().iter().map(|kv| self.stored(kv)));
        self.recorder.record(Event::Base(Base {
            member: self.source.name.clone(),
            keyspace: self.keyspace.to_owned(),
            position: self.at(position),
            records,
            at: self.recorder.now(),
        }));
        Ok(())
    }

    /// Listens until the connection breaks, or the last key came: then true.
    async fn hear(&mut self) -> Result<bool, etcd_client::Error> {
        let client = self.source.connect().await?;
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(self.revision + 1);
        let prefix = format!("{}/", self.keyspace);
        let mut watch = client.watch_client().max_decoding_message_size(1 << 30);
        let mut stream: WatchStream = watch.watch(prefix, Some(options)).await?;
        while let Some(answer) = stream.message().await? {
            if answer.compact_revision() > 0 {
                self.begin().await?;
                return Ok(false);
            }
            if answer.canceled() {
                return Ok(false);
            }
            if self.heard(answer.events()) {
                self.heard.send_replace(true);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records each commit of an answer; whether the last key was among them.
    fn heard(&mut self, events: &[etcd_client::Event]) -> bool {
        let mut commits: BTreeMap<i64, Vec<(String, Option<Stored>)>> = BTreeMap::new();
        let mut is_last = false;
        for event in events {
            let Some(kv) = event.kv() else { continue };
            let (key, stored) = self.stored(kv);
            is_last |= key == LAST;
            let new = (event.event_type() == EventType::Put).then_some(stored);
            commits
                .entry(kv.mod_revision())
                .or_default()
                .push((key, new));
        }
        for (revision, mut changes) in commits {
            changes.retain(|(key, _)| key != LAST);
            self.revision = self.revision.max(revision);
            self.recorder.record(Event::Truth(Commit {
                member: self.source.name.clone(),
                keyspace: self.keyspace.to_owned(),
                position: self.at(revision),
                changes,
                at: self.recorder.now(),
            }));
        }
        is_last
    }

    fn at(&self, revision: i64) -> Position {
        Position::new(self.epoch, Revision(revision.unsigned_abs()))
    }

    fn stored(&self, kv: &KeyValue) -> (String, Stored) {
        let name = String::from_utf8_lossy(kv.key()).into_owned();
        let key = name.strip_prefix(self.keyspace).unwrap_or(&name);
        let key = key.strip_prefix('/').unwrap_or(key).to_owned();
        let stored = Stored {
            value: Value::read(kv.value()),
            created: kv.create_revision().unsigned_abs(),
            modified: kv.mod_revision().unsigned_abs(),
        };
        (key, stored)
    }
}
