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

/// A server of one version, and a log on it.
struct EtcdHarness {
    server: Mutex<EtcdServer>,
    endpoint: String,
    port: u16,
    log: EtcdLog,
    proxy: OnceCell<Proxy>,
    backup: Mutex<Option<PathBuf>>,
}

async fn log(endpoint: &str) -> EtcdLog {
    let builder = EtcdLog::builder().endpoint(endpoint).page_size(7);
    builder.user("app", "app-secret").connect().await.unwrap()
}

impl EtcdHarness {
    async fn start(version: EtcdVersion) -> EtcdHarness {
        let server = EtcdServer::start(version).await;
        let (endpoint, port) = (server.endpoint(), server.port());
        EtcdHarness {
            server: Mutex::new(server),
            log: log(&endpoint).await,
            endpoint,
            port,
            proxy: OnceCell::new(),
            backup: Mutex::default(),
        }
    }

    async fn proxy(&self) -> &Proxy {
        self.proxy.get_or_init(|| Proxy::start(self.port)).await
    }

    /// A client that has just reached the server through the proxy.
    async fn frail(&self) -> EtcdLog {
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
        }
    }

    async fn deaf(&self) -> EtcdLog {
        let deaf = self.frail().await;
        self.proxy().await.freeze_replies();
        deaf
    }

    async fn back_up(&self) {
        let backup = self.server.lock().await.save_snapshot().await;
        *self.backup.lock().await = Some(backup);
    }

    async fn restore(&self) {
        let backup = self.backup.lock().await.take().unwrap();
        let mut server = self.server.lock().await;
        server.restore_snapshot(&backup, None).await;
    }

    async fn stranger(&self) -> EtcdLog {
        let users = [("app", "app-secret", "")];
        let mut server = self.server.lock().await;
        server.enable_auth("root-secret", &users).await;
        let stranger = EtcdLog::builder().endpoint(&self.endpoint);
        let stranger = stranger.user("app", "a guess").connect();
        stranger.await.unwrap()
    }

    async fn set_reachable(&self, reachable: bool) {
        let mut server = self.server.lock().await;
        match reachable {
            true => server.restart().await,
            false => server.kill(),
        }
    }
}

/// The suite on one version.
macro_rules! conformance_on {
    ($module:ident, $version:expr) => {
        mod $module {
            use super::*;

            struct OnVersion(EtcdHarness);

            #[async_trait]
            impl Harness for OnVersion {
                async fn start() -> OnVersion {
                    OnVersion(EtcdHarness::start($version).await)
                }

                fn log(&self) -> Arc<dyn LogClient> {
                    Arc::new(self.0.log.clone())
                }

                async fn another(&self) -> Arc<dyn LogClient> {
                    Arc::new(log(&self.0.endpoint).await)
                }

                async fn compact(&self, revision: Revision) {
                    self.0.server.lock().await.compact(revision.0).await;
                }

                async fn set_reachable(&self, reachable: bool) -> bool {
                    self.0.set_reachable(reachable).await;
                    true
                }

                async fn wipe(&self) -> bool {
                    self.0.server.lock().await.wipe().await;
                    true
                }

                async fn backup(&self) -> bool {
                    self.0.back_up().await;
                    true
                }

                async fn restore(&self) {
                    self.0.restore().await;
                }

                async fn frail(&self) -> Option<Arc<dyn LogClient>> {
                    Some(Arc::new(self.0.frail().await))
                }

                async fn set_line(&self, line: Line) {
                    self.0.set_line(line).await;
                }

                async fn deaf(&self) -> Option<Arc<dyn LogClient>> {
                    Some(Arc::new(self.0.deaf().await))
                }

                async fn stranger(&self) -> Option<Arc<dyn LogClient>> {
                    Some(Arc::new(self.0.stranger().await))
                }
            }

            globe_log_client::conformance!(OnVersion);
        }
    };
}

conformance_on!(etcd_3_5_30, EtcdVersion::Reference);
conformance_on!(etcd_3_5_16, EtcdVersion::V3_5_16);
conformance_on!(etcd_3_4_23, EtcdVersion::V3_4_23);
