//! Sessions: when a lease is trusted, what becomes of the entries under it, and what its owner is told.
//!
//! Runs on a paused clock, but for what blocks a whole process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_use;
mod clocks;
mod closing;
mod entries;
mod handles;
mod leftovers;
mod losses;
#[path = "../rig/mod.rs"]
mod rig;
mod spread;
mod strange;
mod writes;

use std::time::Duration;

use globe::{
    Globe, LeaseId, Loss, MemoryLog, Policy, Session, SessionBuilder, SessionEvent, SessionEvents,
    SessionState,
};
use rig::{Around, numbers, until, within};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(10);

type Numbers = Globe<String, u64>;

/// A log, a way to it that can be cut, and a session and a map that go this way.
struct Rig {
    log: MemoryLog,
    way: Around,
    session: Session,
    events: SessionEvents,
    map: Numbers,
    /// What another process sees.
    other: Numbers,
}

impl Rig {
    async fn new() -> Rig {
        Rig::with(|builder| builder).await
    }

    async fn with(settings: impl FnOnce(SessionBuilder) -> SessionBuilder) -> Rig {
        Rig::on(MemoryLog::new(), settings).await
    }

    async fn on(log: MemoryLog, settings: impl FnOnce(SessionBuilder) -> SessionBuilder) -> Rig {
        Rig::by(Around::new(&log), log, settings).await
    }

    /// Whose lease the log does not end for a long time, although its owner is told otherwise.
    async fn patient() -> Rig {
        let log = MemoryLog::new();
        let way = Around::new(&log);
        way.lengthen_leases(10_000);
        Rig::by(way, log, |builder| builder).await
    }

    async fn by(
        way: Around,
        log: MemoryLog,
        settings: impl FnOnce(SessionBuilder) -> SessionBuilder,
    ) -> Rig {
        let builder = settings(Session::builder(way.clone()).ttl(TTL));
        let session = builder.open().await.unwrap();
        Rig {
            events: session.events(),
            map: numbers(&way).await,
            other: numbers(&log).await,
            log,
            way,
            session,
        }
    }

    async fn put(&self, key: &str, value: u64) {
        let put = self.map.put_ephemeral(&self.session, key, value);
        within("an ephemeral put", put).await.unwrap();
    }

    /// The lease of an entry that another process sees.
    fn lease(&self, key: &str) -> Option<LeaseId> {
        self.other.get_entry(key).unwrap().lease()
    }

    /// The lease of an entry, once another process has seen all that was committed.
    async fn lease_of(&self, key: &str) -> Option<LeaseId> {
        self.other.sync().await.unwrap();
        self.lease(key)
    }

    async fn event(&mut self) -> SessionEvent {
        let event = within("an event of the session", self.events.next());
        event.await.unwrap()
    }

    async fn lost(&mut self) -> Loss {
        loop {
            if let SessionEvent::Lost(loss) = self.event().await {
                return loss;
            }
        }
    }

    /// Waits until the session was restored; how many entries are back, and which are not.
    async fn restored(&mut self) -> (usize, Vec<String>) {
        loop {
            if let SessionEvent::Restored {
                put_back, kept_out, ..
            } = self.event().await
            {
                let kept_out = kept_out.iter().map(|(_, key)| key.clone());
                return (put_back, kept_out.collect());
            }
        }
    }

    /// What another process sees, once it has seen all that was committed.
    async fn seen(&self) -> Vec<(String, u64)> {
        self.other.sync().await.unwrap();
        let view = self.other.view();
        let all = view.iter().map(|(key, entry)| (key.clone(), **entry));
        all.collect()
    }

    async fn shows(&self, expected: &[(&str, u64)]) {
        until(&format!("{expected:?} is seen"), || {
            let view = self.other.view();
            let all = view.iter().map(|(key, entry)| (key.as_str(), **entry));
            all.eq(expected.iter().copied())
        })
        .await;
    }

    /// The session waits for the answer to a write of its own, and looks at nothing else meanwhile.
    async fn keep_busy(&self) {
        self.put("busy", 1).await;
        self.other.sync().await.unwrap();
        self.way.lose_requests(true);
        let commits = self.way.calls().commits;
        self.other.delete("busy").await.unwrap();
        until("it is put back", || self.way.calls().commits > commits).await;
        self.way.lose_requests(false);
    }

    /// A third party ends the lease of an entry.
    async fn revoke(&self, key: &str) {
        let lease = self.lease(key).unwrap();
        globe::LogClient::revoke(&self.log, lease).await.unwrap();
    }
}

fn reclaim(builder: SessionBuilder) -> SessionBuilder {
    builder.policy(Policy::Reclaim)
}

fn give_up(builder: SessionBuilder) -> SessionBuilder {
    builder.policy(Policy::GiveUp)
}

async fn is_in(session: &Session, state: SessionState) {
    until(&format!("the session is {state}"), || {
        session.state() == state
    })
    .await;
}
