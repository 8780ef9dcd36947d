//! Sessions on a real server: outages, losses, third parties, processes that die, and many entries.
//!
//! Never takes a session's word for what stands in the log: another process' map, or etcd's own tool, says that.

mod barriers;
mod elections;
mod locks;
mod losses;
mod many;
mod outages;
pub(crate) mod processes;
mod registries;
mod rival;

use std::time::Duration;

use globe::{
    Entry, EtcdLog, LeaseId, Loss, Session, SessionBuilder, SessionEvent, SessionEvents,
    SessionState, Version,
};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};

use crate::node::{BOUND, Numbers, holds, node, synced, within};

/// The ttl of a session whose lease is to end by itself.
const SHORT: Duration = Duration::from_secs(3);
/// The ttl of a session whose lease is not to end by itself while a test lasts.
const LONG: Duration = Duration::from_secs(300);

/// A session and a map that reach their server through a proxy, and another process that needs none.
struct Rig {
    server: EtcdServer,
    proxy: Proxy,
    session: Session,
    events: SessionEvents,
    map: Numbers,
    other: Numbers,
}

/// How an outage ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Resumed,
    Lost(Loss),
}

impl Rig {
    async fn new(version: EtcdVersion, ttl: Duration) -> Rig {
        Rig::with(version, |builder| builder.ttl(ttl)).await
    }

    async fn with(
        version: EtcdVersion,
        settings: impl FnOnce(SessionBuilder) -> SessionBuilder,
    ) -> Rig {
        let server = EtcdServer::start(version).await;
        let proxy = Proxy::start(server.port()).await;
        let log = EtcdLog::connect([proxy.endpoint()]).await.unwrap();
        let map = within("a map", Numbers::open(log.clone(), "flags")).await;
        let session = settings(Session::builder(log)).open();
        let session = within("a session", session).await.unwrap();
        Rig {
            other: node(&server.url()).await,
            server,
            proxy,
            events: session.events(),
            session,
            map: map.unwrap(),
        }
    }

    async fn put(&self, key: &str, value: u64) {
        let put = self.map.put_ephemeral(&self.session, key, value);
        within("an ephemeral put", put).await.unwrap();
    }

    /// An entry, as another process sees it once it has seen all that was committed.
    async fn entry(&self, key: &str) -> Option<Entry<u64>> {
        synced(&self.other).await;
        self.other.get_entry(key)
    }

    /// The write that made an entry what it is, and its lease.
    async fn standing(&self, key: &str) -> (Version, LeaseId) {
        let entry = self.entry(key).await.expect("it stands");
        (entry.version(), entry.lease().expect("under a lease"))
    }

    async fn event(&mut self) -> SessionEvent {
        let event = within("an event of the session", self.events.next());
        event.await.expect("it has not ended")
    }

    /// How what has befallen it ends.
    async fn end(&mut self) -> End {
        loop {
            match self.event().await {
                SessionEvent::Suspended | SessionEvent::Displaced { .. } => {}
                SessionEvent::Resumed => return End::Resumed,
                SessionEvent::Lost(loss) => return End::Lost(loss),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the session was restored, through further losses if there are any: how many entries are back.
    async fn restored(&mut self) -> usize {
        loop {
            match self.event().await {
                SessionEvent::Restored {
                    put_back, kept_out, ..
                } => {
                    assert!(kept_out.is_empty(), "{kept_out:?}");
                    return put_back;
                }
                SessionEvent::Lost(Loss::Closed) => panic!("it goes on"),
                _ => {}
            }
        }
    }

    async fn is_in(&self, state: SessionState) {
        wait_until(&format!("the session is {state}"), BOUND, || async {
            self.session.state() == state
        })
        .await;
    }

    /// Waits until another process does not see an entry.
    async fn is_gone(&self, key: &str) {
        holds(&self.other, "the entry is gone", |map| {
            !map.contains_key(key)
        })
        .await;
    }

    /// The entry stands, and under a lease of this session's that etcd knows.
    async fn is_kept(&self, key: &str) {
        let entry = self.entry(key).await.expect("it stands");
        assert!(self.session.owns(&entry), "its own");
        let leases = self.leases().await;
        assert!(leases.contains(&entry.lease().unwrap()), "{leases:?}");
    }

    /// The leases there are, as etcd's own tool says.
    async fn leases(&self) -> Vec<LeaseId> {
        let list = self.server.etcdctl(&["lease", "list"]).await;
        let leases = list.lines().skip(1);
        leases.map(|lease| lease.parse().unwrap()).collect()
    }

    /// A third party ends a lease.
    async fn revoke(&self, lease: LeaseId) {
        let lease = lease.to_string();
        self.server.etcdctl(&["lease", "revoke", &lease]).await;
    }
}
