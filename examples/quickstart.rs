//! Two nodes share one map over one log. `GLOBE_LOG=etcd://127.0.0.1:2379` (and `--features etcd`)
//! runs it on a server.
#![allow(clippy::print_stdout, reason = "an example prints")]

use globe::{Globe, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    // A keyspace of this run alone: nobody else's map is touched.
    let keyspace = format!("example-quickstart-{:x}", fastrand::u64(..));

    // Each node opens the keyspace, and has the whole map when `open` returns.
    let node_1: Globe<String, u8> = Globe::open(log.clone(), &keyspace).await?;
    node_1.put("beta", 10).await?;
    let node_2: Globe<String, u8> = Globe::open(log, &keyspace).await?;
    println!(
        "node 2 is hydrated: beta is on for {:?} %",
        node_2.get("beta")
    );

    // A write goes through the log. It is visible here when it returns, elsewhere as it arrives.
    let mut watch = node_2.watch();
    node_1.put("dark-mode", 25).await?;
    println!("node 1 reads its own write: {:?}", node_1.get("dark-mode"));

    // A watch shows the exact difference, one step at a time.
    for change in watch.next().await.into_iter().flatten() {
        println!(
            "node 2 sees {}: {:?} -> {:?}",
            change.key(),
            change.old_value(),
            change.new_value()
        );
    }
    println!("node 2 reads it locally: {:?}", node_2.get("dark-mode"));

    // Two nodes cannot both create a key: the second is told what stands there.
    let refused = node_2.create("dark-mode", 0).await;
    println!(
        "node 2 is refused: {}",
        refused.map_or_else(|e| e.to_string(), |put| put.position().to_string())
    );

    // Read, compute, write: called again if somebody came in between, so nothing is lost.
    node_1
        .update("dark-mode", |old| old.map_or(1, |percent| percent * 2))
        .await?;

    // Everything committed anywhere before a sync is visible after it.
    node_2.sync().await?;
    println!("node 2 after a sync: {:?}", node_2.get("dark-mode"));
    println!("node 2 is {}", node_2.status().phase);

    node_1.clear().await?; // What this run wrote.
    Ok(())
}
