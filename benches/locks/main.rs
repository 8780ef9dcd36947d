//! What locks cost on a real etcd, each figure beside what etcd has of its own, or a guarded write: prints rows of a Markdown
//! table.
//!
//! It starts a server of its own, and itself once more as an owner that is killed; it leaves neither behind.

mod crowd;
mod dying;
mod handing_over;
mod outage;
mod rival;
mod taking;

use globe_bench::Done;
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;

fn main() -> Done {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        if let Some(holding) = dying::holds().await {
            return holding;
        }
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let endpoint = server.endpoint();
        taking::compare(&endpoint).await?;
        handing_over::compare(&endpoint).await?;
        crowd::measure(&endpoint).await?;
        dying::measure(&endpoint).await?;
        outage::measure(server).await
    })
}
