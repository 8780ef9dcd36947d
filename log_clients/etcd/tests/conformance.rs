//! The etcd log keeps the contract, on every server version it is tested with.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::conformance::{Harness, Line};
use globe_log_client::{Keyspace, LogClient, Revision, async_trait};
use globe_test_support::{EtcdServer, EtcdVersion, Flow, Proxy, Weather};
use tokio::sync::{Mutex, OnceCell};

const REFERENCE: usize = 0;
const V3_5_16: usize = 1;
const V3_4_23: usize = 2;

/// A server of one of the versions, and a log on it.
struct On<const VERSION: usize> {
    server: Mutex<EtcdServer>,
    endpoint: String,
    port: u16,
    log: EtcdLog,
    proxy: OnceCell<Proxy>,
    backup: Mutex<Option<PathBuf>>,
}

async fn log(endpoint: &str) -> EtcdLog {
    let builder = EtcdLog::builder().endpoint(endpoint).page_size(7);
    // Whatever is asked while the server is away takes so long.
    let builder = builder.deadline(Duration::from_secs(3));
    builder.user("app", "app-secret").connect().await.unwrap()
}

impl<const VERSION: usize> On<VERSION> {
    async fn proxy(&self) -> &Proxy {
        self.proxy.get_or_init(|| Proxy::start(self.port)).await
    }

    /// A client that has just reached the server through the proxy.
    async fn through_the_proxy(&self) -> EtcdLog {
        let frail = EtcdLog::builder()
            .endpoint(self.proxy().await.endpoint())
            .page_size(7)
            .deadline(Duration::from_secs(2))
            .connect()
            .await
            .unwrap();
        let keyspace = Keyspace::new("first-contact").unwrap();
        frail.head(&keyspace).await.unwrap();
        frail
    }
}

#[async_trait]
impl<const VERSION: usize> Harness for On<VERSION> {
    async fn start() -> On<VERSION> {
        let server = EtcdServer::start(EtcdVersion::ALL[VERSION]).await;
        let (endpoint, port) = (server.endpoint(), server.port());
        On {
            server: Mutex::new(server),
            log: log(&endpoint).await,
            endpoint,
            port,
            proxy: OnceCell::new(),
            backup: Mutex::default(),
        }
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::new(self.log.clone())
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        Arc::new(log(&self.endpoint).await)
    }

    async fn compact(&self, revision: Revision) {
        self.server.lock().await.compact(revision.0).await;
    }

    async fn set_reachable(&self, reachable: bool) -> bool {
        let mut server = self.server.lock().await;
        match reachable {
            true => server.restart().await,
            false => server.kill(),
        }
        true
    }

    async fn wipe(&self) -> bool {
        self.server.lock().await.wipe().await;
        true
    }

    async fn backup(&self) -> bool {
        let backup = self.server.lock().await.save_snapshot().await;
        *self.backup.lock().await = Some(backup);
        true
    }

    async fn restore(&self) {
        let backup = self.backup.lock().await.take().unwrap();
        let mut server = self.server.lock().await;
        server.restore_snapshot(&backup, None).await;
    }

    async fn frail(&self) -> Option<Arc<dyn LogClient>> {
        Some(Arc::new(self.through_the_proxy().await))
    }

    async fn set_line(&self, line: Line) {
        let proxy = self.proxy().await;
        match line {
            Line::Well => proxy.heal(),
            Line::Frozen => proxy.freeze(),
            Line::Renewed => {
                for frozen in 0..proxy.connections() {
                    proxy.set_one(frozen, Weather::both(Flow::held()));
                }
                proxy.set(Weather::default());
            }
            other => panic!("what is a line that is {other:?}?"),
        }
    }

    async fn deaf(&self) -> Option<Arc<dyn LogClient>> {
        let deaf = self.through_the_proxy().await;
        self.proxy().await.freeze_replies();
        Some(Arc::new(deaf))
    }

    async fn stranger(&self) -> Option<Arc<dyn LogClient>> {
        let users = [("app", "app-secret", "")];
        let mut server = self.server.lock().await;
        server.enable_auth("root-secret", &users).await;
        let stranger = EtcdLog::builder().endpoint(&self.endpoint);
        let stranger = stranger.user("app", "a guess").connect();
        Some(Arc::new(stranger.await.unwrap()))
    }
}

mod etcd_3_5_30 {
    use super::*;
    globe_log_client::conformance!(On<REFERENCE>);
}

mod etcd_3_5_16 {
    use super::*;
    globe_log_client::conformance!(On<V3_5_16>);
}

mod etcd_3_4_23 {
    use super::*;
    globe_log_client::conformance!(On<V3_4_23>);
}
