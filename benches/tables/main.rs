//! What becomes of a shard table on a real etcd when a member, or the server, is away: prints rows of a Markdown table.
//!
//! It starts a server of its own, and itself once more for each member that is killed; it leaves none of them behind.

mod dying;
mod outage;

use globe_bench::Done;
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;

fn main() -> Done {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        if let Some(serving) = dying::serves().await {
            return serving;
        }
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        dying::measure(&server.endpoint()).await?;
        outage::measure(EtcdServer::start(EtcdVersion::Reference).await).await
    })
}
