//! One worker: a member of the table, which serves the shards it owns and leaves in order.
//!
//! Never serves a shard that it does not own, and never leaves one behind when it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use globe::shards::{Mode, ShardMember, ShardsBuilder};
use globe::{LogClient, Session, Shards};
use globe_stage::{Outcome, Place, Role};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, keep};
use crate::orders::{Orders, routes};

/// How many shards there are. Some hundred for each worker there may ever be are better; these can be shown.
pub(crate) const SHARDS: u32 = 16;

/// How long a worker that died keeps what it had. Longer bears longer stalls: 10 s is the default of a session.
pub(crate) const TTL: Duration = Duration::from_secs(3);

/// So that it can be started.
pub(crate) const WORKER: Role = Role {
    name: "worker",
    run: |place| Box::pin(run(place)),
};

/// The table, as all open it.
pub(crate) fn table(log: Arc<dyn LogClient>, keyspace: &str) -> ShardsBuilder {
    Shards::builder(log, keyspace)
        .slots(SHARDS)
        // Never two owners. What must not be served twice says so by its token, too: see the ledger.
        .mode(Mode::Strict)
        // How long nobody must have come or gone before shards move for balance: longer than a restart takes.
        .settle(Duration::from_secs(2))
}

/// Serves until it is told to stop.
pub(crate) async fn run(place: Place) -> Outcome {
    let shards = table(Arc::clone(&place.log), &place.keyspace)
        .open()
        .await?;
    let ledger = Ledger::open(Arc::clone(&place.log), &place.keyspace).await?;
    let session = Session::builder(place.log).name(&place.name).ttl(TTL);
    let session = session.open().await?;

    // Others learn from the table where it listens.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let member = ShardMember::new(&place.name).data(address);
    let orders = Orders {
        shards: shards.clone(),
        worker: place.name.clone(),
    };
    let has_left = CancellationToken::new();
    let serving = axum::serve(listener, routes(orders));
    let serving = serving.with_graceful_shutdown(has_left.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());

    // For each shard that it owns; what comes in for it is let in by `enter`.
    let work = move |shard| keep(ledger.clone(), place.name.clone(), shard);
    let left = shards
        .run(&session, member, place.stop.cancelled_owned(), work)
        .await;
    // Nobody sends anything here any more: what is under way is finished.
    has_left.cancel();
    serving.await??;
    session.close().await?;
    Ok(left?)
}
